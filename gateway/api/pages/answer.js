// Shows an answer: the labels of each task as bars, what image and text say alone, and how it came.

import { bar, byId, element, fact, mark, percent } from "./elements.js";

const REASONS = {
  requested: "it was asked for",
  promoted: "it was promoted to be the default",
  configured: "it is the configured default",
  newest: "it is the newest",
  unit_override: "an override of the experiment names this unit",
  key_override: "an override of the experiment names this API key",
  assigned: "the experiment drew it",
  arm_gated: "it is the control, and the arm that was drawn may not serve",
};
const SOURCES = {
  computed: "computed for this request",
  coalesced: "shared with an equal request in flight",
  cached: "kept from an equal request",
};
const SIDES = { image: "image alone", text: "text alone" };

/**
 * @param {Object} answer of `POST /v1/classify`.
 * @param {Object<string, Object>} alone answers to its image alone and its text alone, where there
 *   are any.
 * @param {?Object} model of `GET /v1/models`, of the variant that answered.
 * @param {?string} truth what it really is, of a sample.
 */
export function showAnswer(answer, alone, model, truth) {
  byId("verdict").replaceChildren(
    element("strong", { dir: "auto" }, answer.label),
    element("span", { class: "score" }, percent(answer.score)),
  );
  byId("truth").replaceChildren(...(truth ? truthLine(truth, answer.label) : []));
  byId("legend").hidden = Object.keys(alone).length === 0;
  const tasks = answer.tasks ?? { "": answer };
  byId("tasks").replaceChildren(
    ...Object.entries(tasks).map(([name, task]) => {
      const sides = Object.entries(alone).map(([side, other]) => [
        side,
        scores(name ? other.tasks?.[name] : other),
      ]);
      return taskSection(name, task, sides, thresholds(model, name, answer.modalities));
    }),
  );
  byId("facts").replaceChildren(...facts(answer).filter(Boolean));
}

function truthLine(truth, label) {
  const verdict = truth === label ? "The answer is right." : "The answer is wrong.";
  return ["It is in truth ", element("strong", { dir: "auto" }, truth), `. ${verdict}`];
}

const scores = (task) => new Map((task?.top_k ?? []).map(({ label, score }) => [label, score]));

/** Label to the score from which on it applies; empty for a task of one label. */
function thresholds(model, name, modalities) {
  const task = model?.tasks.find((each) => each.name === name);
  const set = modalities.length === 2 ? "both" : modalities[0];
  const levels = task?.thresholds[set] ?? [];
  return new Map(levels.map((level, index) => [task.labels[index], level]));
}

function taskSection(name, task, sides, levels) {
  const applying = new Set(task.labels?.map(({ label }) => label));
  const rows = task.top_k.map(({ label, score }) =>
    scoreRow(label, score, sides, levels.get(label), applying.has(label)),
  );
  const none = task.labels?.length === 0 ? "No label is above its threshold." : null;
  return element(
    "section",
    { class: "task" },
    name ? element("h3", {}, name) : null,
    none ? element("p", { class: "fine" }, none) : null,
    element("ol", { class: "scores" }, ...rows),
  );
}

function scoreRow(label, score, sides, level, applies) {
  const main = bar(score, "both");
  if (level !== undefined) main.append(mark(level));
  const words = sides.map(([side, known]) => `${SIDES[side]} ${said(known.get(label))}`);
  if (level !== undefined) words.push(`applies from ${percent(level)}`);
  return element(
    "li",
    { class: applies ? "applies" : null },
    element("span", { class: "name", dir: "auto" }, label),
    element("span", { class: "score" }, percent(score)),
    main,
    ...sides.map(([side, known]) => bar(known.get(label) ?? 0, side)),
    words.length ? element("span", { class: "for-readers" }, `; ${words.join("; ")}`) : null,
    applies ? element("span", { class: "tag" }, "applies") : null,
  );
}

const said = (score) => (score === undefined ? "not among its best" : percent(score));

function facts(answer) {
  const { assignment, batch_sizes: batches } = answer;
  const batched = [
    ["image", batches.image_encoder],
    ["text", batches.text_encoder],
  ].filter(([, size]) => size !== null);
  return [
    fact("Variant", element("code", {}, `${answer.variant}@${answer.digest.slice(0, 12)}`)),
    fact("It answers because", REASONS[assignment.reason] ?? assignment.reason),
    fact("Experiment", experimentWords(assignment)),
    fact("Used", answer.modalities.join(" and ")),
    fact("Batch sizes", batched.map(([side, size]) => `${side} ${size}`).join(", ")),
    fact("Numbers", SOURCES[answer.source] ?? answer.source),
    fact("Pool", answer.pool + (answer.degraded ? ` (degraded: ${answer.degraded})` : "")),
    fact("Prediction", element("code", {}, answer.prediction_id)),
  ];
}

function experimentWords({ experiment, arm, gate, is_sticky: isSticky }) {
  if (experiment === null) return null;
  const sticky = isSticky ? "; this unit gets it again" : "";
  return `${experiment}, arm ${arm}${gate ? `, which may not serve (${gate})` : ""}${sticky}`;
}

/**
 * Shows under one panel what it says alone.
 * @param {"image"|"text"} side
 * @param {?Object} answer null empties it; a `Problem` is named.
 */
export function showAlone(side, answer) {
  const place = byId(`${side}-alone`);
  place.replaceChildren();
  place.hidden = answer === null;
  if (answer === null) return;
  if (answer instanceof Error) {
    place.append(element("p", { class: "fine" }, `Alone: no answer. ${answer.detail ?? answer}`));
    return;
  }
  place.append(
    element(
      "p",
      {},
      element("span", { class: "fine" }, "Alone it says "),
      element("strong", { dir: "auto" }, answer.label),
      element("span", { class: "score" }, percent(answer.score)),
    ),
    bar(answer.score, side),
  );
}
