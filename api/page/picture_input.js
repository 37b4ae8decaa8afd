/** The picture that the reader chooses, drops or pastes. */

import { bytes } from "./amounts.js";
import { announce, at, tell } from "./dom.js";

const PICTURE_NAME = /\.(avif|bmp|gif|heic|heif|jpe?g|png|tiff?|webp)$/i; // some systems know no type for these

/** Takes pictures by its field, by drop and by paste, and shows the one that it has. */
export class PictureInput {
  #maximumBytes = Infinity;
  #picture = null;
  #previewUrl = null;

  /** `onChange` is called after each change. */
  constructor(onChange) {
    this.onChange = onChange;
    at("file").addEventListener("change", () => this.#takeFirst(at("file").files));
    document.addEventListener("paste", (event) => this.#takeFirst(event.clipboardData.files, event));
    for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => this.#over(event));
    document.addEventListener("dragleave", (event) => event.relatedTarget || this.#isOver(false));
    document.addEventListener("drop", (event) => {
      this.#isOver(false);
      this.#takeFirst(event.dataTransfer.files, event);
    });
    const preview = at("preview");
    preview.addEventListener("load", () => this.#describe(`${preview.naturalWidth} × ${preview.naturalHeight}`));
    preview.addEventListener("error", () => {
      // It may still be a picture to the service, which knows more kinds.
      preview.hidden = true;
      this.#describe("no preview in this browser");
    });
  }

  /** The File, or null. */
  get picture() {
    return this.#picture;
  }

  /** The service's own limit. */
  set maximumBytes(count) {
    this.#maximumBytes = count;
  }

  /** Take this File, or say what is wrong with it and keep the one before. */
  take(file) {
    const wrong = this.#whatIsWrong(file);
    this.say(wrong);
    if (wrong) return;
    if (this.#previewUrl) URL.revokeObjectURL(this.#previewUrl);
    this.#picture = file;
    this.#previewUrl = URL.createObjectURL(file);
    at("preview").hidden = false;
    at("preview").src = this.#previewUrl;
    at("drop-empty").hidden = true;
    at("drop-chosen").hidden = false;
    at("file-name").textContent = file.name;
    this.#describe();
    announce(`${file.name} is chosen.`);
    this.onChange();
  }

  /** Say what is wrong, or that nothing is. */
  say(wrong) {
    tell(at("file-error"), wrong);
    at("file").setAttribute("aria-invalid", String(Boolean(wrong)));
    if (wrong) announce(wrong);
  }

  #whatIsWrong(file) {
    if (!file.type.startsWith("image/") && !PICTURE_NAME.test(file.name)) return `${file.name} is no picture.`;
    if (file.size === 0) return `${file.name} is empty.`;
    const most = this.#maximumBytes;
    if (file.size > most) return `${file.name} has ${bytes(file.size)}; ${bytes(most)} are taken at most.`;
    return null;
  }

  #describe(more) {
    tell(at("file-facts"), [bytes(this.#picture.size), more].filter(Boolean).join(" · "));
  }

  #takeFirst(files, event) {
    if (!files.length) return;
    event?.preventDefault();
    this.take(files[0]);
  }

  #over(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.#isOver(true);
  }

  #isOver(over) {
    at("drop").classList.toggle("over", over);
  }
}
