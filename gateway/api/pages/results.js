// What came of each experiment: looked at beside its traffic, so that a slow database holds nothing up.

import { Problem, ask } from "./service.js";

/** The last answer of `GET /v1/experiments/{name}/results` for each experiment. */
export class Results {
  #known = new Map();
  #isLooking = false;

  /**
   * Asks for all of them; while a look goes on, a further one is left out.
   * @param {string[]} names of the experiments in force; what is known of others is forgotten.
   * @returns {Promise<boolean>} whether there is anything new to show.
   */
  async look(names) {
    if (this.#isLooking) return false;
    this.#isLooking = true;
    try {
      const found = await Promise.all(names.map((name) => this.#ask(name)));
      this.#known = new Map(names.map((name, index) => [name, found[index]]));
    } finally {
      this.#isLooking = false;
    }
    return true;
  }

  /** Returns `{ results, fault }`: either may be null, and both are before the first look. */
  of(name) {
    return this.#known.get(name) ?? { results: null, fault: null };
  }

  async #ask(name) {
    try {
      return { results: await ask(`v1/experiments/${encodeURIComponent(name)}/results`), fault: null };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // It went away since the traffic was looked at; the next look no longer has it.
      if (error.status === 404) return { results: null, fault: null };
      return { results: this.of(name).results, fault: error.detail };
    }
  }
}
