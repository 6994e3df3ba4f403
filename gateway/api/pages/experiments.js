// The page of live traffic: looks at `GET /v1/experiments` every two seconds while it is seen, and at
// the results of each experiment.

import { become, byId, element } from "./elements.js";
import { experimentCard, shadowCard } from "./cards.js";
import { setUpKeyForm, showProblem } from "./notices.js";
import { Rates } from "./rates.js";
import { Results } from "./results.js";
import { Problem, ask } from "./service.js";

const EVERY_MS = 2000;
const AFTER_A_FAULT_MS = 5000;

const rates = new Rates();
const results = new Results();
const state = { timer: null, isPaused: false, fault: undefined, traffic: null };

const DEFAULTS = {
  promoted: "because it was promoted",
  configured: "because the settings say so",
  newest: "because it is the newest",
};

async function look() {
  clearTimeout(state.timer);
  if (state.isPaused || document.hidden) return say("Paused.");
  try {
    const traffic = await ask("v1/experiments");
    rates.note(traffic, performance.now());
    state.traffic = traffic;
    show(traffic);
    lookAtResults(traffic);
    showProblem(byId("problem"), null);
    say("Live, every two seconds.");
    state.timer = setTimeout(look, EVERY_MS);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (state.fault !== error.code) showProblem(byId("problem"), error, look);
    state.fault = error.code;
    say("Not live: what stands here was true at the last look.");
    if (!error.needsKey) state.timer = setTimeout(look, AFTER_A_FAULT_MS);
    return;
  }
  state.fault = undefined;
}

/** Shows them with the newest traffic, which may have been looked at again meanwhile. */
async function lookAtResults(traffic) {
  const isNew = await results.look(traffic.experiments.map(({ name }) => name));
  if (isNew && !state.isPaused) showExperiments();
}

/** A status that is read out, so it is written only when it is another one. */
function say(words) {
  if (byId("state").textContent !== words) byId("state").textContent = words;
}

function show(traffic) {
  redraw("default", defaultLine(traffic.default));
  redraw("sources", faults(traffic.sources));
  showExperiments();
  redraw("shadows", traffic.shadows.map((each) => shadowCard(each, rates)));
}

function showExperiments() {
  const cards = state.traffic.experiments.map((each) => experimentCard(each, rates, results));
  redraw("experiments", cards.length ? cards : [nothing()]);
}

function redraw(id, children) {
  const fresh = byId(id).cloneNode(false);
  fresh.append(...children);
  become(byId(id), fresh);
}

function defaultLine({ variant, reason }) {
  if (variant === null) return ["Nothing is served at the moment."];
  return [
    "Requests in no experiment are answered by ",
    element("strong", {}, variant),
    ` ${DEFAULTS[reason] ?? ""}.`.replace(" .", "."),
  ];
}

function faults(sources) {
  const names = { file: "The experiments file", store: "The database" };
  return Object.entries(sources)
    .filter(([, { fault }]) => fault !== null)
    .map(([name, { fault }]) =>
      element(
        "div",
        { class: "problem" },
        element("p", { class: "problem-title" }, `${names[name]} could not be taken over`),
        element("p", {}, fault),
        element("p", { class: "fine" }, "What was in force before goes on."),
      ),
    );
}

function nothing() {
  return element(
    "section",
    { class: "card" },
    element("h2", {}, "No experiment"),
    element(
      "p",
      {},
      "One begins with the file that ",
      element("code", {}, "DIPTYCH_GATEWAY_EXPERIMENTS_FILE"),
      " names, or with ",
      element("code", {}, "PUT /v1/admin/experiments/NAME"),
      "; it shows here within seconds.",
    ),
  );
}

byId("pause").addEventListener("click", () => {
  state.isPaused = !state.isPaused;
  byId("pause").setAttribute("aria-pressed", String(state.isPaused));
  look();
});
document.addEventListener("visibilitychange", look);
setUpKeyForm(look);
look();
