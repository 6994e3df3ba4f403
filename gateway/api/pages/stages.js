// Shows where the time of an answer went, as a waterfall: each stage where it began, to scale.

import { bar, byId, element, milliseconds } from "./elements.js";

/**
 * Places the stages one after the other. Within Triton the image's steps and the text's run side by
 * side, both from its start; what Triton takes beyond them is the fusion head and its queues.
 * @param {Object} timings `timings_ms` of an answer.
 * @returns {{name: string, from: number, ms: number, look: string, isWithin: boolean}[]}
 */
export function placed(timings) {
  const labels = timings.labels ?? 0;
  const triton = timings.receive + labels;
  const within = (name, from, ms, look) => ({ name, from, ms, look, isWithin: true });
  const whole = (name, from, ms) => ({ name, from, ms, look: "plain", isWithin: false });
  return [
    whole("Receive", 0, timings.receive),
    ...(timings.labels === null ? [] : [whole("New labels", timings.receive, labels)]),
    whole("Triton", triton, timings.triton),
    ...lane(within, triton, "image", [
      ["Decode", timings.decode],
      ["Image encoder", timings.image_encoder],
    ]),
    ...lane(within, triton, "text", [
      ["Tokenise", timings.tokenise],
      ["Text encoder", timings.text_encoder],
    ]),
    whole("Respond", triton + timings.triton, timings.respond),
  ];
}

function lane(within, startMs, look, steps) {
  let from = startMs;
  return steps.flatMap(([name, ms]) => {
    if (ms === null) return [];
    const stage = within(name, from, ms, look);
    from += ms;
    return [stage];
  });
}

/**
 * @param {Object} timings `timings_ms` of an answer.
 * @param {number} roundTripMs from sending to the last byte, seen from the page.
 */
export function showStages(timings, roundTripMs) {
  const rows = placed(timings).map(({ name, from, ms, look, isWithin }) =>
    element(
      "li",
      { class: isWithin ? "within" : null },
      element("span", { class: "name" }, name),
      bar(ms / timings.total, look, from / timings.total),
      element("span", { class: "score" }, milliseconds(ms)),
    ),
  );
  byId("stages").replaceChildren(...rows);
  byId("total").replaceChildren(
    element("strong", {}, milliseconds(timings.total)),
    ` in the service, ${milliseconds(roundTripMs)} seen from here`,
  );
}
