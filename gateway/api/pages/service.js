// Asks the service's own API. The key that a person gives stays in this tab, and goes nowhere else.

const KEY_ITEM = "diptych-api-key";
let heldKey = "";

try {
  heldKey = sessionStorage.getItem(KEY_ITEM) ?? "";
} catch {
  // Storage is blocked: the key lasts as long as the page.
}

export const apiKey = () => heldKey;

export function holdKey(key) {
  heldKey = key;
  try {
    if (key) sessionStorage.setItem(KEY_ITEM, key);
    else sessionStorage.removeItem(KEY_ITEM);
  } catch {
    // As above.
  }
}

/**
 * An answer that is an error, in the service's own words (RFC 9457).
 * `status` is 0 when there was no answer at all.
 */
export class Problem extends Error {
  constructor({ title, detail, status = 0, code = null, field = null, limit = null, ...rest }) {
    super(detail);
    Object.assign(this, { title, detail, status, code, field, limit });
    this.retryAfterMs = rest.retry_after_ms ?? (rest.retry_after_s ?? 0) * 1000;
    this.requestId = (rest.instance ?? "").replace("urn:diptych:request:", "");
  }

  get needsKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** The address of an endpoint, also where the service stands behind a path of a proxy. */
export const endpoint = (path) => new URL(path, document.baseURI).href;

/**
 * Asks one endpoint.
 * @param {string} path such as `v1/models`.
 * @param {RequestInit} options of `fetch`.
 * @returns {Promise<any>} the JSON of the answer.
 * @throws {Problem} the answer is an error, or there is none.
 */
export async function ask(path, options = {}) {
  return (await fetched(path, options, "application/json")).json();
}

/** Fetches a file of the service, with the key. */
export async function fetchFile(path) {
  return (await fetched(path, {}, "*/*")).blob();
}

async function fetched(path, options, accept) {
  const headers = { Accept: accept, ...(heldKey ? { "X-Api-Key": heldKey } : {}) };
  let response;
  try {
    response = await fetch(endpoint(path), { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "No answer",
      detail: "The service could not be reached. Check that it runs, then try again.",
    });
  }
  if (response.ok) return response;
  throw new Problem(await problemBody(response));
}

async function problemBody(response) {
  try {
    return { status: response.status, ...(await response.json()) };
  } catch {
    // A proxy's own page, for example.
    const title = `${response.status} ${response.statusText}`.trim();
    return {
      title,
      status: response.status,
      detail: "The answer was no message of this service: something between here and it failed.",
    };
  }
}
