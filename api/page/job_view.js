/** One job on the page: how far it is, and what came out. */

import * as api from "./api.js";
import { duration } from "./amounts.js";
import { announce, at, tell } from "./dom.js";
import { showDownloads } from "./downloads.js";
import { follow, hasEnded } from "./follow.js";
import { apiKey } from "./key.js";
import { showFailure, showProblem } from "./problem.js";
import { lightInstance, showResult } from "./result.js";
import { snippets } from "./snippets.js";
import { Stages } from "./stages.js";
import { title, verdict } from "./verdict.js";
import { View, wordsOf } from "./view.js";

/** Shows one job at a time, and follows it to its end. */
export class JobView {
  #stages = new Stages();
  #view = new View((position) => this.#light(position));
  #following = new AbortController();
  #id = null;
  #result = null;
  #own = null;

  /** `onEnd` is called when a job that is shown has ended. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    at("cancel").addEventListener("click", () => this.#change(api.cancel));
    at("retry").addEventListener("click", () => this.#change(api.retry));
  }

  /** Remember the picture that this tab has just sent for a job, so that it need not be fetched. */
  remember(id, picture) {
    if (this.#own) URL.revokeObjectURL(this.#own.url);
    this.#own = { id, name: picture.name, url: URL.createObjectURL(picture) };
  }

  /** Show no job. */
  close() {
    this.#following.abort();
    this.#id = null;
    at("job").hidden = true;
  }

  /** Show this job, from its document where there is one already, and follow it. */
  async open(id, document = null) {
    this.close();
    this.#id = id;
    this.#result = null;
    this.#stages.reset();
    this.#view.reset();
    at("job").hidden = false;
    for (const hidden of ["job-problem", "result", "code", "cancel", "retry", "outlook"]) at(hidden).hidden = true;
    if (document) this.#show(document);
    else this.#say("Loading", "…", null);
    await this.#follow(id);
  }

  #say(status, title, words) {
    tell(at("job-status"), status);
    at("job-title").textContent = title;
    tell(at("job-words"), words);
  }

  async #follow(id) {
    this.#following.abort();
    const following = (this.#following = new AbortController());
    let wasRunning = false;
    try {
      await follow(id, (job) => {
        if (following.signal.aborted) return;
        this.#show(job);
        if (hasEnded(job) && wasRunning) this.onEnd(job);
        wasRunning = !hasEnded(job);
      }, following.signal);
    } catch (error) {
      if (following.signal.aborted) return;
      this.#say(null, error.status === 404 ? "There is no such job" : "It can't be shown", null);
      showProblem(at("job-problem"), error);
    }
  }

  #show(job) {
    const own = this.#own?.id === job.id ? this.#own : null;
    at("job").dataset.status = job.status;
    this.#say(statusOf(job), title(job), wordsOf(job));
    at("cancel").hidden = hasEnded(job);
    at("retry").hidden = job.status !== "failed";
    tell(at("outlook"), outlookOf(job));
    this.#stages.show(job);
    showFailure(at("job-problem"), job.error, job.stages);
    this.#view.show(job, own?.url);
    if (job.result && !this.#result) {
      showDownloads(job);
      showResult(job, (position) => this.#light(position));
      announce(`${title(job)}. ${verdict(job.result)}`);
    }
    if (!job.result) at("result").hidden = true;
    this.#result = job.result;
    if (job.error) announce(`It failed: ${job.error.message}`);
    this.#showCode(job, own?.name);
  }

  #showCode(job, name) {
    const texts = snippets(job, api.SERVICE, name, Boolean(apiKey()));
    at("code").hidden = false;
    at("code-key").hidden = !apiKey();
    at("curl").textContent = texts.curl;
    at("python").textContent = texts.python;
  }

  #light(position) {
    this.#view.light(position);
    lightInstance(position);
  }

  async #change(change) {
    const id = this.#id;
    try {
      const job = await change(id);
      if (id !== this.#id) return;
      this.#show(job);
      at("job-title").focus();
      await this.#follow(id);
    } catch (error) {
      if (id === this.#id) showProblem(at("job-problem"), error);
    }
  }
}

function statusOf(job) {
  const waited = job.finished_at ? ` in ${duration(Date.parse(job.finished_at) - Date.parse(job.created_at))}` : "";
  const again = job.reused_from ? "Answered before" : null;
  const ended = { succeeded: `Done${waited}`, failed: "Failed", canceled: "Canceled" };
  return again ?? { queued: "Queued", running: "Running", ...ended }[job.status];
}

function outlookOf({ outlook }) {
  if (!outlook) return null;
  const before = outlook.position === 0 ? "Next in line" : `${outlook.position} before this one`;
  return outlook.seconds_left === null ? before : `${before}, about ${duration(outlook.seconds_left * 1000)} to go`;
}
