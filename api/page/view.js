/** The picture of a job, with its masks and boxes over it. */

import { percent } from "./amounts.js";
import { at, element } from "./dom.js";
import { MaskLayer } from "./mask_layer.js";
import { css } from "./palette.js";

/** Shows one job's picture at a time. */
export class View {
  #layer = new MaskLayer(at("mask"));
  #source = null;
  #shown = null;

  /** `onLight` is called with the position of the instance that the reader points to, or null. */
  constructor(onLight) {
    at("show-mask").addEventListener("change", () => { at("mask").hidden = !at("show-mask").checked; });
    at("show-box").addEventListener("change", () => { at("boxes").hidden = !at("show-box").checked; });
    at("opacity").addEventListener("input", () => {
      this.#layer.opacity = at("opacity").value / 100;
      this.#layer.paint();
    });
    at("picture").addEventListener("pointermove", (event) => {
      const place = at("mask").getBoundingClientRect();
      if (!place.width) return;
      const [x, y] = [(event.clientX - place.x) / place.width, (event.clientY - place.y) / place.height];
      onLight(this.#layer.instanceAt(x, y));
    });
    at("picture").addEventListener("pointerleave", () => onLight(null));
    at("picture-image").addEventListener("error", () => this.#isShown(false));
    at("picture-image").addEventListener("load", () => this.#isShown(true));
  }

  /** Another job comes now. */
  reset() {
    at("view").hidden = true;
    this.#source = this.#shown = null;
    this.#layer.load([], 1, 1);
    at("boxes").replaceChildren();
    at("picture-image").removeAttribute("src");
  }

  /** Show the document's picture, from `url` where this tab has it itself, and what was found in it. */
  show(job, url) {
    const { width, height, stored_url } = job.input.image;
    if (!width) return;
    at("view").hidden = false;
    at("picture").style.setProperty("--ratio", width / height);
    at("picture").classList.toggle("searching", !job.result && job.status !== "failed" && job.status !== "canceled");
    const source = url ?? stored_url;
    // A presigned URL is a new one in each document; the picture is the same.
    if (this.#source !== job.id && source) {
      this.#source = job.id;
      at("picture-image").alt = `The picture of: ${wordsOf(job)}`;
      at("picture-image").src = source;
    }
    const instances = job.result?.instances ?? [];
    if (this.#shown !== job.result) this.#draw(job, instances, width, height);
    at("view-controls").hidden = !instances.length;
  }

  /** Light one instance up, or none: null. */
  light(position) {
    this.#layer.light(position);
    [...at("boxes").children].forEach((box, index) => box.classList.toggle("lit", index === position));
  }

  #isShown(shown) {
    at("picture-image").hidden = !shown;
    at("unshown").hidden = shown;
  }

  #draw(job, instances, width, height) {
    this.#shown = job.result;
    this.#layer.load(instances, width, height);
    const share = ({ mask }) => percent(mask.area / (width * height));
    const shares = instances.map((one) => `${one.label}, ${share(one)} of the picture`);
    at("mask").ariaLabel = `Mask: ${shares.join("; ") || "none"}`;
    at("boxes").replaceChildren(...instances.map((one, position) => boxElement(one, position, width, height)));
  }
}

/** What was said of the picture. */
export const wordsOf = (job) => job.input.description ?? (job.input.labels ?? []).join(", ");

function boxElement({ label, box: [left, top, right, bottom], box_score }, position, width, height) {
  const style = {
    left: `${(left / width) * 100}%`,
    top: `${(top / height) * 100}%`,
    width: `${((right - left) / width) * 100}%`,
    height: `${((bottom - top) / height) * 100}%`,
    "--colour": css(position),
  };
  const className = top / height < 0.16 ? "tag inside" : "tag";
  const tag = element("span", { className, textContent: `${label} ${percent(box_score)}` });
  return element("div", { className: "box", style }, tag);
}
