// Where the ramp of an experiment is, what it waits for, its guardrails and what it decided.

import { bar, count, date, element, fact, milliseconds, percent, points, setPercent } from "./elements.js";
import { isUnavailable } from "./verdict.js";

const MOST_DECISIONS = 5;

const STATUS = {
  running: "running",
  paused: "paused",
  completed: "completed",
  rolled_back: "rolled back",
  aborted: "aborted",
};
const WAITS = {
  candidate_not_serving: "the candidate to serve",
  service_unwell: "the whole service to be well",
  dwell: "more time on this step",
  requests: "more answers",
  outcomes: "more labels",
  accuracy: "surer accuracy",
  paused: "somebody to resume it",
};
const ACTIONS = {
  start: "Started",
  pause: "Paused",
  resume: "Resumed",
  abort: "Aborted",
  advance: "Stepped up",
  complete: "Completed",
  roll_back: "Rolled back",
};
const REASONS = {
  evidence_suffices: "the evidence suffices",
  last_step_passed: "the last step is passed",
  sample_ratio_mismatch: "units are missing from an arm",
  changed_by_hand: "somebody changed the experiment",
  experiment_gone: "the experiment is gone",
  guardrail_failures: "too many failures",
  guardrail_latency: "too slow",
  guardrail_shed: "too many refused",
  guardrail_calibration: "confidence too far from truth",
  guardrail_accuracy: "accuracy surely lost",
};
// What each guardrail is of, and how its figures are written.
const GUARDRAILS = {
  failures: { title: "Failures", write: percent },
  latency: { title: "99 of 100 within", write: milliseconds },
  shed: { title: "Refused by full queues", write: percent },
  calibration: { title: "Calibration error, surely", write: (value) => value.toFixed(3) },
  accuracy: { title: "Lost accuracy, surely", write: (value) => points(value, "") },
};

const words = (table, code) => table[code] ?? code.replaceAll("_", " ");

export function ramp(results) {
  const said = results.ramp;
  if (isUnavailable(said)) {
    // The comparison has said the same of the database already.
    const isSaid = results.comparisons.some((each) => each.unavailable_because === said.unavailable_because);
    return element("div", {}, isSaid ? null : element("p", { class: "fine" }, said.detail));
  }
  const tag = element("span", { class: `state ${said.status}` }, words(STATUS, said.status));
  return element(
    "div",
    {},
    element("h3", {}, `Ramp of ${said.candidate} `, tag),
    steps(said),
    element(
      "dl",
      { class: "facts" },
      fact("Share now", setPercent(said.share)),
      fact("Waits for", said.waits_for.map((each) => words(WAITS, each)).join(", ")),
      fact("Watched on this step", duration(said.watched_s)),
      fact("Started", date(said.started_at)),
      fact("Looked at", date(said.looked_at)),
    ),
  );
}

function steps({ steps: shares, step, status }) {
  const isOver = status === "rolled_back" || status === "aborted";
  return element(
    "ol",
    { class: "steps", "aria-label": "Steps of the ramp" },
    ...shares.map((share, index) => {
      const isPassed = index < step || status === "completed";
      const isCurrent = index === step && !isPassed && !isOver;
      return element(
        "li",
        { class: isPassed ? "passed" : null, "aria-current": isCurrent ? "step" : null },
        setPercent(share),
        isPassed ? element("span", { class: "for-readers" }, " passed") : null,
      );
    }),
  );
}

function duration(s) {
  if (s < 120) return `${Math.round(s)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${count(Math.round(s / 3600))} h`;
}

export function guardrails({ guardrails: said, ramp: state }) {
  if (isUnavailable(said)) {
    const isSaid = isUnavailable(state) && state.unavailable_because === said.unavailable_because;
    return element("div", {}, isSaid ? null : element("p", { class: "fine" }, said.detail));
  }
  return element("div", {}, element("h3", {}, "Guardrails"), element("dl", { class: "figures" }, ...said.map(guardrail)));
}

function guardrail({ name, bound, value, log_evidence: evidence, log_threshold: threshold }) {
  const { title, write } = GUARDRAILS[name] ?? { title: name.replaceAll("_", " "), write: String };
  // A rate is breached by evidence; the other two by their certain figure itself.
  const toBreach = threshold === null ? value / bound : Math.max(0, evidence) / threshold;
  const isBreached = threshold === null ? value > bound : toBreach >= 1;
  if (value === null) return fact(title, `not known yet, bound ${write(bound)}`);
  return fact(
    title,
    `${write(value)}, bound ${write(bound)}`,
    bar(toBreach, isBreached ? "wrong" : "plain"),
    element(
      "span",
      { class: isBreached ? "gate" : "fine" },
      isBreached ? "breached" : `${percent(toBreach)} of the way to a breach`,
    ),
  );
}

export function decisions({ decisions: said }) {
  if (isUnavailable(said)) return element("div"); // as the ramp is, which says so
  const more = said.length - MOST_DECISIONS;
  return element(
    "div",
    {},
    element("h3", {}, "Last decisions"),
    element("ol", { class: "decisions" }, ...said.slice(0, MOST_DECISIONS).map(decision)),
    more > 0 ? element("p", { class: "fine" }, `${count(more)} before these: in the answer of the API.`) : null,
  );
}

function decision({ at, action, share, reasons, figures, actor }) {
  const why = reasons.map((each) => words(REASONS, each)).join(", ");
  const by = actor === "ramp" ? "" : `by ${actor}`;
  const [low, high] = figures.interval ?? [];
  const found =
    typeof figures.difference === "number"
      ? `accuracy ${points(figures.difference)}, ${points(low)} to ${points(high)}`
      : "";
  return element(
    "li",
    {},
    element("time", { datetime: at, class: "score" }, date(at)),
    element("span", {}, element("strong", {}, words(ACTIONS, action)), ` at ${setPercent(share)}`),
    element("span", { class: "fine" }, [by, why, found].filter(Boolean).join("; ")),
  );
}
