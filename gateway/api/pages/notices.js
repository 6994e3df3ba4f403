// What both pages say when something is wrong, and the form that asks for an API key.

import { byId, element } from "./elements.js";
import { apiKey, holdKey } from "./service.js";

/**
 * Shows a problem in its own words, with what can be done about it.
 * @param {HTMLElement} place is emptied first; null as problem only empties it.
 * @param {Problem|null} problem
 * @param {(() => void)|null} again does what failed once more.
 */
export function showProblem(place, problem, again = null) {
  place.replaceChildren();
  place.hidden = problem === null;
  if (problem === null) return;
  const said = [problem.code, problem.status || null].filter(Boolean).join(", ");
  place.append(
    element(
      "div",
      { role: "alert" },
      element("p", { class: "problem-title" }, problem.title),
      element("p", {}, problem.detail),
      problem.needsKey ? element("p", {}, "Enter a key above that allows it.") : null,
    ),
    element(
      "p",
      { class: "fine" },
      said ? element("code", {}, said) : null,
      problem.requestId ? " · request " : null,
      problem.requestId ? element("code", {}, problem.requestId) : null,
    ),
  );
  if (again !== null && isWorthAnotherTry(problem)) place.append(againButton(problem, again));
  if (problem.needsKey) openKeyForm();
}

const isWorthAnotherTry = ({ status }) => status === 0 || status === 429 || status >= 500;

/** Waits as long as the service asks for; the countdown is not read out. */
function againButton(problem, again) {
  const label = element("span", {}, "Try again");
  const button = element("button", { type: "button" }, label);
  button.addEventListener("click", again);
  const readyAt = performance.now() + problem.retryAfterMs;
  const tick = () => {
    const leftS = Math.ceil((readyAt - performance.now()) / 1000);
    button.disabled = leftS > 0;
    label.textContent = leftS > 0 ? `Try again in ${leftS} s` : "Try again";
    if (leftS > 0) setTimeout(tick, 200);
  };
  tick();
  return button;
}

function openKeyForm() {
  byId("key-form").hidden = false;
  byId("key-status").hidden = true;
}

/**
 * Wires the form; it stays hidden until the service asks for a key.
 * @param {() => void} onChange the key is another one now.
 */
export function setUpKeyForm(onChange) {
  const [form, field, status] = [byId("key-form"), byId("key"), byId("key-status")];
  const show = () => {
    form.hidden = true;
    status.hidden = apiKey() === "";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!field.value.trim()) return field.focus();
    holdKey(field.value.trim());
    field.value = "";
    show();
    onChange();
  });
  byId("key-forget").addEventListener("click", () => {
    holdKey("");
    show();
    onChange();
  });
  show();
}
