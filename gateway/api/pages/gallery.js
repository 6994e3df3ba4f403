// The gallery of samples: where the operator has given a folder of them.

import { byId, element } from "./elements.js";
import { fetchFile } from "./service.js";

/**
 * @param {Object[]} samples of `GET /v1/samples`.
 * @param {(sample: Object, image: Blob) => void} onChoose
 */
export function showGallery(samples, onChoose) {
  byId("gallery").hidden = samples.length === 0;
  byId("samples").replaceChildren(...samples.map((sample) => entry(sample, onChoose)));
}

function entry(sample, onChoose) {
  const picture = element("img", { alt: "", width: 56, height: 56 });
  const button = element(
    "button",
    { type: "button", class: "sample" },
    picture,
    element("span", { dir: "auto" }, sample.text),
  );
  const names = [sample.variant, sample.image].map(encodeURIComponent);
  // Fetched by hand, as an address in `src` would be asked for without the key.
  const image = fetchFile(`v1/samples/${names.join("/")}`);
  image.then(
    (blob) => (picture.src = URL.createObjectURL(blob)),
    () => (button.disabled = true),
  );
  button.addEventListener("click", async () => onChoose(sample, await image));
  return element("li", {}, button);
}
