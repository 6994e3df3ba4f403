// Makes elements, and writes numbers for people. Text is always a text node, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 * @param {string} tag
 * @param {Object<string, string|number|boolean|null|undefined>} attributes false, null and undefined
 *   are left out.
 * @param {...(Node|string|null|undefined)} children strings become text; null is left out.
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Changes a node into another with as little as possible, so that focus, reading position and
 * running transitions outlive a redraw.
 */
export function become(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else {
    becomeAttributes(old, fresh);
    const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
    after.forEach((child, index) => {
      if (index < before.length) become(before[index], child);
      else old.append(child);
    });
    before.slice(after.length).forEach((child) => child.remove());
  }
}

function becomeAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name === "style") old.style.cssText = fresh.style.cssText;
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

/** Scrolls to what has just appeared, where a person would not see it otherwise. */
export function bringIntoView(node) {
  const { top, bottom } = node.getBoundingClientRect();
  if (top >= 0 && bottom <= innerHeight) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
}

export const byId = (id) => document.getElementById(id);

/**
 * A bar, for the eye alone: what it shows must stand beside it as text.
 * @param {number} share of the track, 0 to 1.
 * @param {string} look names its colour: both, image, text, or plain.
 * @param {number} from where it begins on the track, 0 to 1.
 * @param {...Node} marks on it.
 */
export function bar(share, look, from = 0, ...marks) {
  const fill = element("span", { class: `fill ${look}`, hidden: share <= 0 });
  // Through the object model, as the content security policy allows no style attributes.
  fill.style.setProperty("--from", clamp(from));
  fill.style.setProperty("--share", clamp(share));
  return element("span", { class: "track", "aria-hidden": "true" }, fill, ...marks);
}

/** A line across a bar, `from` as there. */
export function mark(from, look = "") {
  const line = element("span", { class: `threshold ${look}`.trim() });
  line.style.setProperty("--from", clamp(from));
  return line;
}

const clamp = (share) => Math.min(1, Math.max(0, share));

/** A term of a `dl` and what is said of it; null when nothing is. */
export function fact(term, said, ...more) {
  if (said === null || said === undefined || said === "") return null;
  return element("div", {}, element("dt", {}, term), element("dd", {}, said, ...more));
}

const WHOLE = new Intl.NumberFormat("en-GB");
const TENTHS = new Intl.NumberFormat("en-GB", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export const count = (value) => WHOLE.format(value);

/** A share in per cent; one that is not quite all or nothing never reads as if it were. */
export function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share > 0 && share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return `${TENTHS.format(100 * share)} %`;
}

/** A difference of two shares in points of a hundred; `plus` stands before one above 0. */
export function points(difference, plus = "+") {
  const written = TENTHS.format(Math.abs(100 * difference)).replace(".0", "");
  if (written === "0") return "0 points";
  return `${difference < 0 ? "−" : plus}${written} ${written === "1" ? "point" : "points"}`;
}

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export const date = (iso) => (iso ? DATE.format(new Date(iso)) : null);

/** A share that somebody has set: 5 %, not 5.0 %. */
export const setPercent = (share) => percent(share).replace(".0 %", " %");

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 9.95 ? `${TENTHS.format(value)} ms` : `${WHOLE.format(Math.round(value))} ms`;
}

export function bytes(size) {
  if (size < 1024) return `${size} bytes`;
  return size < 1024 * 1024
    ? `${WHOLE.format(Math.round(size / 1024))} KB`
    : `${TENTHS.format(size / 1024 / 1024)} MB`;
}
