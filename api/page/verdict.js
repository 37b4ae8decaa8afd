/** How sure an answer is, in words. */

import { percent } from "./amounts.js";

/** One or two sentences on a succeeded job's result. */
export function verdict({ outcome, main_object: main, candidates, instances, none_fits: noneFits }) {
  if (noneFits) return `${stranger(candidates)} That is an answer, not a failure: other words may find more.`;
  const chosen = choice(main, candidates);
  if (outcome === "not_found") {
    return `${chosen} But there is none in this picture, as far as the models can see. `
      + "That is an answer, not a failure: other words may find more.";
  }
  const found = instances.length === 1 ? instances[0] : null;
  const doubts = found && found.box_score < 0.4 ? " Where it is, is less sure." : "";
  return chosen + doubts;
}

function stranger(candidates) {
  const named = candidates.length === 1 ? `“${candidates[0].label}”` : `any of the ${candidates.length} candidates`;
  return `This picture seems to show something else than ${named}.`;
}

function choice(main, candidates) {
  if (candidates.length === 1) return `“${main.label}” was the only candidate.`;
  const second = candidates.find(({ label }) => label !== main.label) ?? candidates[1];
  const [first, other] = [percent(main.score), percent(second.score)];
  if (main.ambiguous) {
    return `Not sure. It may be “${main.label}” or “${second.label}”: ${first} against ${other} is too close to tell.`
      + " If it is the other one, list that one alone.";
  }
  return `The main object is “${main.label}”: ${first}, against ${other} for “${second.label}”.`;
}

/** The title of a job, as far as it has come. */
export function title(job) {
  const label = job.result?.main_object.label;
  if (job.result) return job.result.outcome === "found" ? label : `No ${label} found`;
  return { queued: "In the queue", running: "At work", failed: "It failed", canceled: "Canceled" }[job.status];
}
