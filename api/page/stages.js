/** The three stages of a job, each lit as it goes. */

import { duration } from "./amounts.js";
import { announce, at, element } from "./dom.js";

const STAGES = {
  classify: ["Choose", "Which thing is it?"],
  detect: ["Find", "Where is it?"],
  segment: ["Cut out", "Which pixels?"],
};
const STATES = {
  pending: "waits",
  queued: "in the queue",
  running: "running",
  succeeded: "done",
  failed: "failed",
  skipped: "left out",
};
const TICK_MS = 100;

/** Shows the stages of one job at a time. */
export class Stages {
  #items = {};
  #statuses = {};
  #since = {};
  #ticking = null;

  constructor() {
    for (const [name, [title, question]] of Object.entries(STAGES)) {
      const item = element("li", {},
        element("span", { className: "dot", ariaHidden: "true" }),
        element("strong", { textContent: title }),
        element("span", { className: "question", textContent: question }),
        element("span", { className: "time" }));
      this.#items[name] = item;
      at("stages").append(item);
    }
  }

  /** Another job's stages come now. */
  reset() {
    this.#statuses = {};
    this.#since = {};
  }

  /** Show the document's stages, and say what is new. */
  show(job) {
    const isOver = job.status === "canceled";
    for (const stage of job.stages) {
      const status = isOver && stage.status !== "succeeded" ? "skipped" : stage.status;
      const before = this.#statuses[stage.name];
      if (status === "running" && before !== "running") this.#since[stage.name] = performance.now();
      this.#statuses[stage.name] = status;
      this.#items[stage.name].dataset.status = status;
      this.#time(stage.name).textContent = timeOf(stage, status, job);
      if (before && before !== status && status !== "queued") announce(`${STAGES[stage.name][0]}: ${STATES[status]}.`);
    }
    this.#tickWhileRunning();
  }

  #time = (name) => this.#items[name].querySelector(".time");

  #tickWhileRunning() {
    clearInterval(this.#ticking);
    const running = Object.keys(this.#statuses).filter((name) => this.#statuses[name] === "running");
    if (!running.length) return;
    const tick = () => {
      for (const name of running) this.#time(name).textContent = duration(performance.now() - this.#since[name]);
    };
    tick();
    this.#ticking = setInterval(tick, TICK_MS);
  }
}

function timeOf(stage, status, job) {
  if (status === "skipped") return job.status === "succeeded" ? "not needed" : "not reached";
  const time = stage.duration_ms === null ? STATES[status] : duration(stage.duration_ms);
  const again = status === "queued" && stage.attempts ? "tried again soon" : time;
  return stage.attempts > 1 ? `${again} · attempt ${stage.attempts}` : again;
}
