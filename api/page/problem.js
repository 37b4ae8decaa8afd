/** Errors where they are read: beside what caused them. */

import { element } from "./dom.js";

/** What to do about a failure on this page, where that isn't what a program would do. */
const ADVICE = { "no-candidates": "Here, that is “List the things”." };

/** Show an error of `api.js` in this element, or nothing: null. */
export function showProblem(target, error) {
  target.hidden = !error;
  if (!error) return;
  const again = error.retryAfterSeconds ? ` Try again in ${error.retryAfterSeconds} s.` : "";
  target.replaceChildren(element("p", { textContent: error.message + again }));
}

/** Show why a job failed, with its stage. */
export function showFailure(target, failure, stages) {
  target.hidden = !failure;
  if (!failure) return;
  const advice = ADVICE[failure.type];
  const attempts = stages.find((stage) => stage.name === failure.stage)?.attempts ?? 1;
  const times = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  target.replaceChildren(
    element("p", { textContent: failure.message }),
    ...(advice ? [element("p", { textContent: advice })] : []),
    element("p", { className: "help", textContent: `${failure.type}, at ${failure.stage}, after ${times}` }));
}
