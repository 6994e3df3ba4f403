// Answers a second, from counters that are looked at again and again.

const MOST_LOOKS = 60; // two minutes

/** Answers of an arm or calls of a shadow: all outcomes together. */
export const total = (outcomes) => Object.values(outcomes).reduce((sum, each) => sum + each, 0);

/** Remembers, for each arm and shadow, how many answers a second there were between two looks. */
export class Rates {
  #counters = new Map();
  #lookedAtMs = null;

  /**
   * @param {Object} traffic of `GET /v1/experiments`.
   * @param {number} nowMs when it was looked at.
   */
  note(traffic, nowMs) {
    const passedS = this.#lookedAtMs === null ? null : (nowMs - this.#lookedAtMs) / 1000;
    const known = this.#counters;
    this.#counters = new Map();
    this.#lookedAtMs = nowMs;
    const entries = [
      ...traffic.experiments.flatMap(({ name, arms }) =>
        arms.map(({ variant, outcomes }) => [armKey(name, variant), total(outcomes)]),
      ),
      ...traffic.shadows.map(({ name, outcomes }) => [shadowKey(name), total(outcomes)]),
    ];
    for (const [key, value] of entries) {
      this.#counters.set(key, { value, perS: grown(known.get(key), value, passedS) });
    }
  }

  /** Answers a second at each look, the newest last. */
  arm(experiment, variant) {
    return this.#counters.get(armKey(experiment, variant))?.perS ?? [];
  }

  shadow(name) {
    return this.#counters.get(shadowKey(name))?.perS ?? [];
  }
}

const armKey = (experiment, variant) => JSON.stringify(["arm", experiment, variant]);
const shadowKey = (name) => JSON.stringify(["shadow", name]);

/** A counter that fell is another process's: what was known of the last one says nothing of it. */
function grown(before, value, passedS) {
  if (before === undefined || value < before.value || !passedS) return [];
  return [...before.perS, (value - before.value) / passedS].slice(-MOST_LOOKS);
}
