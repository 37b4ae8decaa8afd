/** Errors where they are read: beside what caused them. */

import { element } from "./dom.js";

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
  const attempts = stages.find((stage) => stage.name === failure.stage)?.attempts ?? 1;
  target.replaceChildren(
    element("p", { textContent: failure.message }),
    element("p", { className: "help", textContent: `${failure.type}, at ${failure.stage}, after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}` }));
}
