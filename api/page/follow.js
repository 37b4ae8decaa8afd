/** A job from now to its end: by its event stream, and by asking where that doesn't hold. */

import * as api from "./api.js";
import { eventsOf } from "./event_stream.js";

const SILENCE_MS = 20_000; // the service says something every 15 s
const SILENCE_IN_THE_QUEUE_MS = 5_000; // then its place there is asked for again, which no event tells
const PAUSE_MS = 1_000;
const ENDED = new Set(["succeeded", "failed", "canceled"]);

/** Whether nothing more will happen to the job by itself. */
export const hasEnded = (job) => ENDED.has(job.status);

/**
 * Call `onJob` with the job's document now, and at each change until its end.
 *
 * An outage is put up with, for as long as it takes. Throws `Problem` where the service knows no such job, or won't
 * tell; returns when the signal aborts.
 */
export async function follow(id, onJob, signal) {
  let lastEventId = null;
  while (!signal.aborted) {
    try {
      // Asked before each stream: should no stream ever get through, this alone is polling.
      let job = await api.job(id, signal);
      onJob(job);
      if (hasEnded(job)) return;
      const stream = await api.events(id, lastEventId, signal);
      for await (const event of eventsOf(stream, job.status === "queued" ? SILENCE_IN_THE_QUEUE_MS : SILENCE_MS)) {
        if (signal.aborted) return;
        lastEventId = event.id;
        job = after(job, JSON.parse(event.data));
        onJob(job);
        if (hasEnded(job)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof api.Problem && isFinal(error.status)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const isFinal = (status) => status < 500 && status !== 429;

/** The document after an event; the last one brings its own. */
function after(job, event) {
  if (event.job) return event.job;
  if (!event.stage) return job;
  const status = event.status === "retrying" ? "queued" : event.status;
  const stages = job.stages.map((stage) => (stage.name === event.stage ? { ...stage, ...event, status } : stage));
  return { ...job, status: "running", outlook: null, stages };
}
