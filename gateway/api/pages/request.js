// What is to be classified: as a form for the service, and as the curl command that does the same.

import { apiKey, endpoint } from "./service.js";

/**
 * @typedef {Object} Item
 * @property {?{blob: Blob, name: string}} image
 * @property {string} text
 * @property {string} variant empty: the service chooses.
 * @property {string[]} labels
 * @property {string} labelSet
 */

/** The parts of the form, in order; files as `{blob, name}`. */
function parts({ image, text, variant, labels, labelSet }) {
  return [
    ...(image ? [["image", image]] : []),
    ...(text ? [["text", text]] : []),
    ...(variant ? [["variant", variant]] : []),
    ...(labelSet ? [["label_set", labelSet]] : labels.map((label) => ["labels", label])),
  ];
}

/**
 * @param {Item} item
 * @param {?number} topK how many labels to return; null: as the service does.
 */
export function toForm(item, topK = null) {
  const form = new FormData();
  for (const [name, value] of parts(item)) {
    if (name === "image") form.append(name, value.blob, value.name);
    else form.append(name, value);
  }
  if (topK !== null) form.append("top_k", String(topK));
  return form;
}

/** The same request for a shell. The key is named, not shown. */
export function toCurl(item) {
  const options = parts(item).map(([name, value]) =>
    name === "image"
      ? `-F ${quoted(`image=@"${value.name.replace(/["\\]/g, "\\$&")}"`)}`
      : // --form-string: a text that begins with @ or < is a text and no file.
        `--form-string ${quoted(`${name}=${value}`)}`,
  );
  const key = apiKey() ? ['-H "X-Api-Key: $DIPTYCH_API_KEY"'] : [];
  return ["curl", ...[...options, ...key].map((each) => `  ${each}`), `  ${endpoint("v1/classify")}`]
    .join(" \\\n")
    .replace("curl \\\n  ", "curl ");
}

const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
