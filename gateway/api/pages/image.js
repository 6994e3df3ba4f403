// The panel of the image: chosen, dropped anywhere on the page, or pasted; shown, and taken away.

import { byId, bytes } from "./elements.js";

let chosen = null;
let onChange = () => {};

/** @returns {?{blob: Blob, name: string}} */
export const chosenImage = () => chosen;

/**
 * @param {?Blob} blob null takes the image away.
 * @param {string} name of its file.
 */
export function setImage(blob, name = "") {
  const preview = byId("preview");
  if (chosen) URL.revokeObjectURL(preview.src);
  chosen = blob && { blob, name };
  for (const id of ["preview", "image-facts", "remove"]) byId(id).hidden = blob === null;
  byId("invitation").hidden = blob !== null;
  byId("drop").removeAttribute("aria-invalid");
  if (blob === null) {
    preview.removeAttribute("src");
  } else {
    preview.src = URL.createObjectURL(blob);
    preview.alt = `The chosen image, ${name}`;
    byId("image-facts").textContent = `${name}, ${bytes(blob.size)}`;
  }
  onChange();
}

function take(files) {
  if (files?.length) setImage(files[0], files[0].name || "pasted.png");
}

/** @param {() => void} changed is called when the image is another one. */
export function setUpImage(changed) {
  onChange = changed;
  byId("image").addEventListener("change", ({ target }) => {
    take(target.files);
    target.value = ""; // the same file can be chosen again
  });
  byId("remove").addEventListener("click", () => {
    setImage(null);
    byId("image").focus();
  });
  // A file that misses the panel is meant for it all the same.
  for (const [name, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      byId("drop").classList.toggle("over", isOver);
      if (name === "drop") take(event.dataTransfer.files);
    });
  }
  document.addEventListener("paste", (event) => take(event.clipboardData?.files));
}
