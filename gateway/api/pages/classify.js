// The page to try the service by hand: an image, a sentence, an answer.

import { showAlone, showAnswer } from "./answer.js";
import { bringIntoView, byId, element, percent } from "./elements.js";
import { showGallery } from "./gallery.js";
import { chosenImage, setImage, setUpImage } from "./image.js";
import { setUpKeyForm, showProblem } from "./notices.js";
import { toCurl, toForm } from "./request.js";
import { Problem, ask } from "./service.js";
import { showStages } from "./stages.js";

const MOST_ALONE = 100; // what the service allows as `top_k` unless it is told otherwise

const [text, variant, labels, labelSet] = ["text", "variant", "labels", "label-set"].map(byId);
const state = { models: [], truth: null, running: null };

// --- what is asked ---------------------------------------------------------------------------

const modelNamed = (name) => state.models.find((each) => each.variant === name) ?? null;

function item() {
  const takes = takesLabels();
  return {
    image: chosenImage(),
    text: text.value,
    variant: variant.value,
    labels: takes ? labels.value.split("\n").map((each) => each.trim()).filter(Boolean) : [],
    labelSet: takes ? labelSet.value : "",
  };
}

/** Whether the variant that will answer takes labels; where the service chooses, one that might. */
function takesLabels() {
  const might = variant.value ? [modelNamed(variant.value)] : state.models;
  return might.some((each) => each?.kind === "dual_tower");
}

function showForm() {
  byId("labels-part").hidden = !takesLabels();
  const asked = item();
  byId("command-part").hidden = !asked.image && !asked.text;
  byId("command").textContent = toCurl(asked);
}

/** What is asked for is another thing now: what was true of the last one is taken back. */
function changed(side) {
  state.truth = null;
  showAlone(side, null);
  showForm();
}

// --- asking ----------------------------------------------------------------------------------

async function classify() {
  state.running?.abort();
  const running = (state.running = new AbortController());
  const { signal } = running;
  const [asked, truth] = [item(), state.truth];
  busy(true);
  showProblem(byId("problem"), null);
  markFault(null);
  try {
    const startedAt = performance.now();
    const answer = await classified(asked, signal);
    const roundTripMs = performance.now() - startedAt;
    show(answer, {}, truth);
    showStages(answer.timings_ms, roundTripMs);
    announce(`${answer.label}, ${percent(answer.score)}`);
    bringIntoView(byId("verdict"));
    show(answer, await askAlone(asked, answer, signal), truth);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    byId("answer").hidden = true;
    showAlone("image", null);
    showAlone("text", null);
    markFault(error.field);
    showProblem(byId("problem"), error, classify);
    bringIntoView(byId("problem"));
  } finally {
    if (state.running === running) {
      state.running = null;
      busy(false);
    }
  }
}

function classified(asked, signal, topK = null) {
  return ask("v1/classify", { method: "POST", body: toForm(asked, topK), signal });
}

/**
 * Asks each input by itself, after the answer, so that its timings are those of a lone request; and
 * the variant that gave it, by name, so that no experiment draws another and none counts these.
 */
async function askAlone(asked, { variant: name, digest, modalities, top_k: best }, signal) {
  const isWanted = byId("compare").checked && modalities.length === 2;
  const sides = isWanted ? { image: { text: "" }, text: { image: null } } : {};
  const known = modelNamed(name)?.labels.length || asked.labels.length || best.length;
  const topK = Math.min(MOST_ALONE, known);
  const given = await Promise.all(
    Object.entries(sides).map(async ([side, without]) => {
      try {
        const one = { ...asked, ...without, variant: name };
        return [side, await classifiedWithin(one, signal, topK)];
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return [side, error];
      }
    }),
  );
  const alone = Object.fromEntries(given);
  for (const side of ["image", "text"]) showAlone(side, alone[side] ?? null);
  // A roll-out between two requests would compare two models.
  return Object.fromEntries(given.filter(([, answer]) => answer.digest === digest));
}

async function classifiedWithin(asked, signal, topK) {
  try {
    return await classified(asked, signal, topK);
  } catch (error) {
    if (error.field !== "top_k" || error.limit === null) throw error;
    return classified(asked, signal, error.limit);
  }
}

function show(answer, alone, truth) {
  byId("answer").hidden = false;
  showAnswer(answer, alone, modelNamed(answer.variant), truth);
}

function busy(isBusy) {
  byId("answer").setAttribute("aria-busy", String(isBusy));
  byId("submit").textContent = isBusy ? "Classifying…" : "Classify";
}

const announce = (words) => (byId("spoken").textContent = words);

function markFault(field) {
  const places = { image: byId("drop"), text, labels, variant, label_set: labelSet };
  for (const [name, place] of Object.entries(places)) {
    if (name === field) place.setAttribute("aria-invalid", "true");
    else place.removeAttribute("aria-invalid");
  }
}

// --- what there is to choose -----------------------------------------------------------------

async function load() {
  showProblem(byId("problem"), null);
  try {
    const [{ models }, { samples }] = await Promise.all([ask("v1/models"), ask("v1/samples")]);
    state.models = models;
    showVariants(models);
    showGallery(samples.filter((each) => modelNamed(each.variant)), (sample, image) => {
      useSample(sample, image);
      classify();
    });
    if (models.some(({ kind }) => kind === "dual_tower")) {
      showLabelSets((await ask("v1/label-sets")).label_sets);
    }
    if (models.length === 0) showProblem(byId("problem"), nothingServed(), load);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(byId("problem"), error, load);
  }
  showForm();
}

const nothingServed = () =>
  new Problem({
    title: "Nothing is served",
    detail: "No variant is routed at the moment; v1/models says which are not, and why.",
  });

function showVariants(models) {
  const chosen = variant.value;
  const options = models.map(({ variant: name, kind }) =>
    element("option", { value: name }, kind === "dual_tower" ? `${name} (your labels)` : name),
  );
  variant.replaceChildren(element("option", { value: "" }, "as the service chooses"), ...options);
  variant.value = modelNamed(chosen) ? chosen : "";
}

function showLabelSets(sets) {
  byId("label-set-part").hidden = sets.length === 0;
  labelSet.replaceChildren(
    element("option", { value: "" }, "none"),
    ...sets.map(({ name }) => element("option", { value: name }, name)),
  );
}

function useSample(sample, blob) {
  text.value = sample.text;
  if (sample.labels.length) labels.value = sample.labels.join("\n");
  // A person who has written labels keeps them. Else the variant is named only where the service's
  // own choice could not know the answer.
  if (sample.labels.length || !item().labels.length) {
    const usual = state.models.find((each) => each.is_default);
    const isUsual = sample.labels.length === 0 && usual?.labels.includes(sample.label);
    variant.value = isUsual ? "" : sample.variant;
  }
  setImage(blob, sample.image);
  const { labels: own } = item();
  state.truth = own.length && !own.includes(sample.label) ? null : sample.label;
}

// --- wiring ----------------------------------------------------------------------------------

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  classify();
});
byId("ask").addEventListener("input", showForm);
text.addEventListener("input", () => changed("text"));
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("ask").requestSubmit();
});
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    announce("The command was copied.");
    byId("copy").textContent = "Copied";
    setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
  } catch {
    // No clipboard without TLS, except on this machine: selected, it takes one key to copy.
    getSelection().selectAllChildren(byId("command"));
  }
});
setUpImage(() => changed("image"));
setUpKeyForm(load);
load();
