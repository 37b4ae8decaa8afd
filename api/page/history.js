/** The list of recent jobs. */

import * as api from "./api.js";
import { ago } from "./amounts.js";
import { at, element } from "./dom.js";
import { title } from "./verdict.js";
import { wordsOf } from "./view.js";

const LENGTH = 10;
let newest = 0;

/** Fetch and show the list; what is open is marked. */
export async function showHistory() {
  const asked = ++newest;
  let jobs;
  try {
    jobs = await api.recentJobs(LENGTH);
  } catch (error) {
    if (asked === newest) sayWhy(error.message);
    return;
  }
  if (asked !== newest) return;
  at("jobs").replaceChildren(...jobs.map(itemElement));
  sayWhy(jobs.length ? "" : "None yet.");
  markOpen();
}

/** Mark the job that is open. */
export function markOpen() {
  for (const link of at("jobs").querySelectorAll("a")) {
    if (link.hash === location.hash) link.ariaCurrent = "true";
    else link.removeAttribute("aria-current");
  }
}

function sayWhy(text) {
  at("no-jobs").textContent = text;
  at("no-jobs").hidden = !text;
}

function itemElement(job) {
  const status = job.result?.outcome === "not_found" ? "not_found" : job.status;
  return element("li", {},
    element("a", { href: `#${job.id}`, dataset: { status } },
      element("span", { className: "dot", ariaHidden: "true" }),
      element("strong", { textContent: title(job) }),
      element("span", { className: "words", textContent: wordsOf(job) }),
      element("time", { dateTime: job.created_at, textContent: ago(job.created_at) })));
}
