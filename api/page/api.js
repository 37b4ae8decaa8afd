/** The service's HTTP API, as far as this page calls it. */

import { apiKey, askForKey } from "./key.js";

/** Where the service is: not always at the root of its host. */
const ROOT = new URL("../", import.meta.url);

/** The same, as callers write it. */
export const SERVICE = ROOT.href.replace(/\/$/, "");

/** What the service refused, as its RFC 9457 problem document says. */
export class Problem extends Error {
  constructor(status, { detail, title, errors = [] }, retryAfterSeconds) {
    super(detail || title || `The service answered ${status}.`);
    this.status = status;
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No answer came. */
export class Unreachable extends Error {
  constructor() {
    super("The service can't be reached. Nothing is lost here: try again in a moment.");
  }
}

/** Ask for a path; asks the reader for a key where the service wants one. Throws `Problem` and `Unreachable`. */
async function call(path, { headers = {}, ...options } = {}) {
  for (;;) {
    const key = apiKey();
    const authorization = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await answered(path, { ...options, headers: { ...headers, ...authorization } });
    if (response.ok) return response;
    const problem = await problemOf(response);
    // Another call may have been given a newer one meanwhile.
    const again = problem.status === 401 && (apiKey() !== key || (await askForKey()));
    if (!again) throw problem;
  }
}

async function answered(path, options) {
  try {
    return await fetch(new URL(path, ROOT), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

async function problemOf(response) {
  const said = await response.json().catch(() => ({}));
  return new Problem(response.status, said, Number(response.headers.get("Retry-After")) || null);
}

const json = async (path, options) => (await call(path, options)).json();

/** What the page has to know of the service. */
export const settings = () => json("page/settings.json");

/** The bundled picture, as a File. */
export async function samplePicture() {
  const blob = await (await call("page/sample.jpg")).blob();
  return new File([blob], "snowboard.jpg", { type: "image/jpeg" });
}

/** Hand a job in; sent again with the same key, it is the same job. */
export function submit(picture, words, idempotencyKey) {
  const form = new FormData();
  form.append("image", picture, picture.name);
  if (words.labels) for (const label of words.labels) form.append("labels", label);
  else form.append("description", words.description);
  if (words.all) form.append("instances", "all");
  return json("v1/jobs", { method: "POST", body: form, headers: { "Idempotency-Key": idempotencyKey } });
}

/** The job as it stands. */
export const job = (id, signal) => json(`v1/jobs/${encodeURIComponent(id)}`, { signal, cache: "no-store" });

/** The newest jobs. */
export const recentJobs = async (limit) => (await json(`v1/jobs?limit=${limit}`)).jobs;

/** End a job. */
export const cancel = (id) => json(`v1/jobs/${id}/cancel`, { method: "POST" });

/** Start a failed job again. */
export const retry = (id) => json(`v1/jobs/${id}/retry`, { method: "POST" });

/** The job's events, as a response that streams: `EventSource` could not send the key. */
export const events = (id, lastEventId, signal) =>
  call(`v1/jobs/${id}/events`, { signal, headers: lastEventId ? { "Last-Event-ID": lastEventId } : {} });
