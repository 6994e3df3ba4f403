// The cards of experiments and shadows.
//
// A card is made of parts, in the order of EXPERIMENT_PARTS and SHADOW_PARTS: each is a function of
// what `GET /v1/experiments` says, and returns an element, or null for nothing. What came of an
// experiment is one more part, after its arms, with parts of its own: RESULT_PARTS.

import { bar, count, date, element, fact, milliseconds, percent, svg } from "./elements.js";
import { decisions, guardrails, ramp } from "./ramp.js";
import { total } from "./rates.js";
import { armResults, comparisons, mismatch } from "./verdict.js";

const GATES = {
  not_served: "not served",
  parity_failed: "its proof failed",
  parity_missing: "it has no proof",
  incomplete: "not all of its models are ready",
  inconsistent: "its ensembles do not belong together",
  digest_mismatch: "another digest is served",
};

const EXPERIMENT_PARTS = [experimentHead, experimentFacts, arms, outcome];
const RESULT_PARTS = [mismatch, armResults, comparisons, ramp, guardrails, decisions];
const SHADOW_PARTS = [shadowHead, shadowFacts, shadowFigures];

export const experimentCard = (experiment, rates, results) =>
  card(EXPERIMENT_PARTS, experiment, rates, results);
export const shadowCard = (shadow, rates) => card(SHADOW_PARTS, shadow, rates);

function card(parts, said, ...rest) {
  const section = element("section", { class: "card" }, ...parts.map((part) => part(said, ...rest)));
  section.setAttribute("aria-label", said.name);
  return section;
}

function head(name, kind, state) {
  const tag = element("span", { class: `state ${state}` }, state);
  return element("h2", {}, element("span", { class: "fine" }, `${kind} `), name, " ", tag);
}

function experimentHead({ name, state }) {
  return head(name, "Experiment", state);
}

function shadowHead({ name, is_running: isRunning }) {
  return head(name, "Shadow", isRunning ? "running" : "stopped");
}

function experimentFacts(experiment) {
  const [first, last] = experiment.slots;
  const overrides = experiment.overrides;
  return element(
    "dl",
    { class: "facts" },
    fact("Layer", `${experiment.layer}, ${percent((last - first) / 1000)} of its traffic`),
    fact("Unit", experiment.unit + (experiment.without_unit === "exclude" ? ", or left out" : "")),
    fact("Only for", experiment.eligibility.map(ruleWords).join("; ")),
    fact("Overrides", overrides ? count(overrides) : null),
    fact("Starts", date(experiment.start_at)),
    fact("Ends", date(experiment.stop_at)),
    fact("Written in", experiment.origin === "file" ? "the file" : "the database"),
  );
}

const ruleWords = ({ attribute, ...tests }) =>
  `${attribute} ${Object.entries(tests)
    .map(([test, value]) => `${test} ${[value].flat().join(", ")}`)
    .join(" and ")}`;

function arms(experiment, rates) {
  const all = experiment.arms.reduce((sum, { outcomes }) => sum + total(outcomes), 0);
  const slowest = Math.max(...experiment.arms.map(({ latency_ms: ms }) => ms.p99 ?? 0));
  const heads = ["Variant", "Share", "Answers", "A second", "Half within", "99 of 100 within"];
  return element(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": `Arms of ${experiment.name}` },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)))),
      element(
        "tbody",
        {},
        ...experiment.arms.map((arm) =>
          armRow(arm, all, slowest, rates.arm(experiment.name, arm.variant)),
        ),
      ),
    ),
  );
}

function armRow(arm, all, slowest, perS) {
  const answers = total(arm.outcomes);
  const { p50, p99 } = arm.latency_ms;
  return element(
    "tr",
    {},
    element(
      "th",
      { scope: "row" },
      arm.variant,
      arm.is_control ? element("span", { class: "state" }, "control") : null,
      arm.digest ? element("code", {}, arm.digest.slice(0, 12)) : null,
      arm.gate ? element("span", { class: "gate" }, `gets nothing: ${GATES[arm.gate] ?? arm.gate}`) : null,
    ),
    cell(percent(arm.share), bar(arm.share, "plain")),
    cell(
      count(answers) + (all ? ` (${percent(answers / all)})` : ""),
      bar(all ? answers / all : 0, "both"),
      failures(arm.outcomes, answers),
    ),
    cell(perS.length ? perS.at(-1).toFixed(1) : "–", line(perS)),
    cell(milliseconds(p50), bar(slowest ? (p50 ?? 0) / slowest : 0, "text")),
    cell(milliseconds(p99), bar(slowest ? (p99 ?? 0) / slowest : 0, "text")),
  );
}

const cell = (words, ...below) => element("td", {}, words, ...below);

function failures(outcomes, answers) {
  const others = Object.entries(outcomes).filter(([name, times]) => name !== "ok" && times > 0);
  if (!others.length || !answers) return null;
  const said = others.map(([name, times]) => `${count(times)} ${name.replaceAll("_", " ")}`);
  return element("span", { class: "fine" }, said.join(", "));
}

/** The last two minutes as a line; the newest figure stands beside it as text. */
function line(perS) {
  if (perS.length < 2) return null;
  const most = Math.max(...perS, 0.1);
  const step = 100 / (perS.length - 1);
  const points = perS.map((each, index) => `${(index * step).toFixed(1)},${(20 - (19 * each) / most).toFixed(1)}`);
  return svg(
    "svg",
    { class: "line", viewBox: "0 0 100 21", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polyline", { points: points.join(" ") }),
  );
}

/** What came of it; what was true at the last good look stays where a later one fails. */
function outcome({ name }, _, known) {
  const { results, fault } = known.of(name);
  return element(
    "div",
    { class: "outcome" },
    element("div", {}, fault === null ? null : element("p", { class: "gate" }, `Its results could not be read: ${fault}`)),
    ...(results === null ? [] : RESULT_PARTS.map((part) => part(results))),
  );
}

function shadowFacts(shadow) {
  return element(
    "dl",
    { class: "facts" },
    fact("Candidate", shadow.candidate + (shadow.is_served ? "" : " (not served)")),
    fact("Sees", `${percent(shadow.share)} of ${shadow.of ?? "all answers"}`),
    fact("Written in", shadow.origin === "file" ? "the file" : "the database"),
  );
}

function shadowFigures(shadow, rates) {
  const perS = rates.shadow(shadow.name);
  const { agreed = 0, differed = 0, ...dropped } = shadow.outcomes;
  const lost = Object.entries(dropped).filter(([, times]) => times > 0);
  return element(
    "dl",
    { class: "figures" },
    fact("Agreement", shadow.agreement === null ? "–" : percent(shadow.agreement), bar(shadow.agreement ?? 0, "both")),
    fact("Compared", `${count(agreed + differed)}${perS.length ? `, ${perS.at(-1).toFixed(1)} a second` : ""}`, line(perS)),
    fact("Difference of probabilities", distance(shadow.distance)),
    fact("The answer took", span(shadow.answer_ms)),
    fact("The candidate took", span(shadow.candidate_ms)),
    lost.length
      ? fact("Not compared", lost.map(([name, times]) => `${count(times)} ${name.replaceAll("_", " ")}`).join(", "))
      : null,
  );
}

const distance = ({ mean, p99 }) =>
  mean === null ? "–" : `${mean.toFixed(3)} on average, 99 of 100 within ${p99.toFixed(3)}`;

const span = ({ p50, p99 }) =>
  p50 === null ? "–" : `${milliseconds(p50)}, 99 of 100 within ${milliseconds(p99)}`;
