/** The masks of all instances on one canvas, painted from the job's document: no pixel of them is fetched. */

import { decode } from "./rle.js";
import { colour } from "./palette.js";

const LONGEST_SIDE = 2048; // larger masks are looked at in this size; what is saved is whole

/** Paints masks, and knows which instance lies where. */
export class MaskLayer {
  #owners = new Uint8Array();
  #edges = new Uint8Array();

  constructor(canvas) {
    this.canvas = canvas;
    this.opacity = 0.45;
    this.lit = null;
  }

  /** Take the masks of a picture of this size in pixels. At most 255 are told apart. */
  load(instances, width, height) {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
    this.canvas.width = Math.max(1, Math.round(width * scale));
    this.canvas.height = Math.max(1, Math.round(height * scale));
    this.#owners = new Uint8Array(this.canvas.width * this.canvas.height);
    // The smaller ones last: they stay in sight, and in reach, on the larger ones.
    const order = instances.map((_, position) => position).slice(0, 255);
    order.sort((one, other) => instances[other].mask.area - instances[one].mask.area);
    for (const position of order) {
      const pixels = decode(instances[position].mask.rle, this.canvas.width, this.canvas.height);
      for (let at = 0; at < pixels.length; at++) if (pixels[at]) this.#owners[at] = position + 1;
    }
    this.#edges = edges(this.#owners, this.canvas.width, this.canvas.height);
    this.lit = null;
    this.paint();
  }

  /** The position of the instance at this point, both from 0 to 1 across the picture; null where there is none. */
  instanceAt(x, y) {
    const { width, height } = this.canvas;
    const column = Math.min(width - 1, Math.floor(x * width));
    const row = Math.min(height - 1, Math.floor(y * height));
    const owner = this.#owners[row * width + column];
    return owner ? owner - 1 : null;
  }

  /** Light one instance up, or none: null. */
  light(position) {
    if (position === this.lit) return;
    this.lit = position;
    this.paint();
  }

  /** Paint anew, after `opacity` has changed, too. */
  paint() {
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const fills = Array.from({ length: 256 }, (_, owner) => (owner ? packed(owner - 1, this.#alpha(owner - 1)) : 0));
    const lines = Array.from({ length: 256 }, (_, owner) => (owner ? packed(owner - 1, 1) : 0));
    this.#owners.forEach((owner, at) => {
      if (owner) pixels[at] = this.#edges[at] ? lines[owner] : fills[owner];
    });
    context.putImageData(image, 0, 0);
  }

  #alpha(position) {
    if (this.lit === null) return this.opacity;
    return position === this.lit ? Math.min(1, this.opacity + 0.25) : this.opacity * 0.4;
  }
}

/** Red, green, blue and opacity as a canvas holds them; never quite clear, so that the mask's pixels stay its own. */
function packed(position, alpha) {
  const bytes = new Uint8Array([...colour(position), Math.max(1, Math.round(alpha * 255))]);
  return new Uint32Array(bytes.buffer)[0];
}

/** 1 where a pixel's owner is another one than that of a pixel close by. */
function edges(owners, width, height) {
  const reach = Math.max(1, Math.round(Math.max(width, height) / 500));
  const found = new Uint8Array(owners.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const owner = owners[at];
      if (!owner) continue;
      const inside = x >= reach && x < width - reach && y >= reach && y < height - reach;
      found[at] = Number(!inside || owners[at - reach] !== owner || owners[at + reach] !== owner
        || owners[at - reach * width] !== owner || owners[at + reach * width] !== owner);
    }
  }
  return found;
}
