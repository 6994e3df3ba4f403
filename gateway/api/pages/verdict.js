// Is B better? Each arm by feedback, its comparison with the control, and whether units are missing.
//
// The parts of a card that show `GET /v1/experiments/{name}/results`; ramp.js has the others. A part
// always has its place, if only an empty one, so that focus outlives what comes and goes.

import { bar, count, element, mark, milliseconds, percent, points, setPercent } from "./elements.js";

const SHORT = {
  no_labels: "no feedback yet",
  no_shadow: "no shadow",
  storage_not_configured: "no database",
  storage_unavailable: "database away",
  storage_outdated: "database outdated",
};
const COUNTED_BY = {
  all_replicas: "What all replicas counted",
  this_process: "What this process alone counted",
};
const WIDTHS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

export const isUnavailable = (said) => said !== null && "unavailable_because" in said;

/** Units by arm, where chance cannot have split them so. */
export function mismatch({ allocation }) {
  if (isUnavailable(allocation) || !allocation.is_mismatch) return element("div");
  const all = Object.values(allocation.units).reduce((sum, each) => sum + each, 0);
  const split = Object.entries(allocation.units).map(
    ([arm, units]) =>
      `${arm} has ${count(units)}, ${percent(units / all)} where ${setPercent(allocation.shares[arm])} was meant`,
  );
  return element(
    "div",
    {},
    element(
      "div",
      { class: "problem" },
      element("p", { class: "problem-title", role: "alert" }, "Sample ratio mismatch: units are missing from an arm"),
      element("p", {}, `${split.join("; ")}.`),
      element(
        "p",
        { class: "fine" },
        "The arms are not alike in whom they serve, so what stands below proves nothing. Look for what loses " +
          "requests or labels of one arm, then begin again.",
      ),
    ),
  );
}

export function armResults(results) {
  const known = results.arms.map(({ accuracy }) => accuracy).find((each) => !isUnavailable(each));
  const sure = known ? `, ${setPercent(1 - known.level)} sure` : "";
  const heads = ["Variant", "Units", `Accuracy by feedback${sure}`, "Calibration error", "Agreement with a shadow", "99 of 100 within"];
  return element(
    "div",
    {},
    element("h3", {}, COUNTED_BY[results.counted_by]),
    element(
      "div",
      { class: "scroll", role: "region", tabindex: "0", "aria-label": `Results of ${results.experiment}` },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)))),
        element("tbody", {}, ...results.arms.map(armRow)),
      ),
    ),
  );
}

function armRow(arm) {
  const { accuracy, calibration_error: calibration, agreement, latency_ms: ms } = arm;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, arm.variant),
    element("td", {}, count(arm.units), fine(`${count(arm.answers)} answers${failed(arm)}`)),
    figureCell(accuracy, ({ value, low, high, labelled }) => [
      percent(value),
      bar(high - low, "both", low, mark(value)),
      fine(`${percent(low)} to ${percent(high)}`),
      fine(`${count(labelled)} labels`),
    ]),
    figureCell(calibration, ({ value, at_least: atLeast }) => [
      value.toFixed(3),
      fine(`surely at least ${atLeast.toFixed(3)}`),
    ]),
    figureCell(agreement, ({ value, compared }) => [
      percent(value),
      bar(value, "plain"),
      fine(`of ${count(compared)}, this process`),
    ]),
    element("td", {}, milliseconds(ms.p99), fine(ms.p50 === null ? "no answers" : `half within ${milliseconds(ms.p50)}`)),
  );
}

const failed = ({ failures, shed }) =>
  (failures ? `, ${count(failures)} failed` : "") + (shed ? `, ${count(shed)} refused` : "");

const fine = (words) => element("span", { class: "fine" }, words);

/** A figure, or in short why there is none. */
function figureCell(said, shown) {
  if (!isUnavailable(said)) return element("td", {}, ...shown(said));
  const code = said.unavailable_because;
  return element("td", { class: "fine" }, SHORT[code] ?? code.replaceAll("_", " "));
}

/** One paragraph for each arm that is compared, and one for all that cannot be yet. */
export function comparisons(results) {
  const unknown = results.comparisons.filter(isUnavailable);
  return element(
    "div",
    {},
    ...results.comparisons.filter((each) => !isUnavailable(each)).map((each) => comparison(each, results.control)),
    unknown.length
      ? element(
          "p",
          { class: "fine" },
          `${unknown.map(({ arm }) => arm).join(", ")} cannot be compared with ${results.control} yet. `,
          unknown[0].detail,
        )
      : null,
  );
}

function comparison(found, control) {
  const { arm, difference, low, high, level, margin } = found;
  return element(
    "div",
    { class: "comparison" },
    element("h3", {}, verdict(found, control)),
    differenceBar(found),
    element(
      "p",
      { class: "fine" },
      `Accuracy of ${arm} less that of ${control}: ${points(difference)}. The truth lies between ${points(low)} and ` +
        `${points(high)}, ${setPercent(1 - level)} sure however often one looks. ` +
        `A loss above the accepted ${points(margin, "")} (the red mark) is ${lossWords(found)}.`,
    ),
  );
}

function lossWords({ is_non_inferior: isNonInferior, high, margin }) {
  if (isNonInferior) return "ruled out";
  return -high > margin ? "certain" : "still possible";
}

function verdict({ arm, verdict: said, log_evidence: evidence, log_threshold: threshold }, control) {
  if (said === "better") return `Decided: ${arm} is better than ${control}`;
  if (said === "worse") return `Decided: ${arm} is worse than ${control}`;
  const share = percent(Math.max(0, evidence) / threshold);
  return `Undecided: ${arm} against ${control} has ${share} of the evidence that a verdict takes`;
}

/** The confidence sequence on a scale around no difference, with a mark there and at the margin. */
function differenceBar({ low, high, margin, verdict: said }) {
  const widest = Math.max(-low, high, 2 * margin);
  const width = WIDTHS.find((each) => each >= widest) ?? 1;
  const place = (difference) => (difference + width) / (2 * width);
  const look = { better: "text", worse: "image" }[said] ?? "plain";
  return element(
    "div",
    { class: "difference", "aria-hidden": "true" },
    bar((high - low) / (2 * width), look, place(low), mark(place(0)), mark(place(-margin), "margin")),
    element(
      "p",
      { class: "scale" },
      ...[-width, 0, width].map((each) => element("span", {}, points(each))),
    ),
  );
}
