/** What the reader says of the picture: a description, or the candidates themselves. */

import { announce, at, tell } from "./dom.js";

/** The form's fields for words. */
export class WordsInput {
  /** `onChange` is called after each change. */
  constructor(onChange) {
    for (const radio of this.#modes()) radio.addEventListener("change", () => this.#showMode());
    for (const id of ["description", "labels", "all"]) at(id).addEventListener("input", onChange);
    // Enter is a line elsewhere; here a sentence is all there is to write.
    at("description").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      at("form").requestSubmit();
    });
    this.#showMode();
  }

  /** `{description | labels, all}` as the API takes them, or null after saying what is missing. */
  read() {
    const all = at("all").checked;
    if (this.#mode() === "labels") {
      const labels = at("labels").value.split(",").map((label) => label.trim()).filter(Boolean);
      this.#say(labels.length ? null : "Name at least one thing that may be in the picture.", "labels");
      return labels.length ? { labels, all } : null;
    }
    const description = at("description").value.trim();
    this.#say(description ? null : "Say what is in the picture: a few words will do.", "description");
    return description ? { description, all } : null;
  }

  /** Put a description in. */
  describe(description) {
    at("description").value = description;
    this.#choose("description");
  }

  /** Put candidates in. */
  list(labels) {
    at("labels").value = labels.join(", ");
    this.#choose("labels");
  }

  /** The service's own limit. */
  set maximumCharacters(count) {
    at("description").maxLength = count;
  }

  /** Put the cursor there. */
  focus() {
    at(this.#mode()).focus();
  }

  #modes = () => document.querySelectorAll("input[name=mode]");

  #mode = () => document.querySelector("input[name=mode]:checked").value;

  #choose(mode) {
    for (const radio of this.#modes()) radio.checked = radio.value === mode;
    this.#showMode();
  }

  #showMode() {
    at("description-field").hidden = this.#mode() !== "description";
    at("labels-field").hidden = this.#mode() !== "labels";
    this.#say(null, this.#mode());
  }

  #say(wrong, field) {
    tell(at("words-error"), wrong);
    for (const id of ["description", "labels"]) {
      at(id).setAttribute("aria-invalid", String(Boolean(wrong) && id === field));
    }
    if (wrong) announce(wrong);
  }
}
