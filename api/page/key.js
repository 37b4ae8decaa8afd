/** The API key, kept for as long as the tab is open, and asked for when the service wants one. */

import { at, tell } from "./dom.js";

const NAME = "mainmask.key";
const NONE = "Whoever runs it can make one: mainmask keys create.";
const REFUSED = "The one that was sent is not valid, or no longer.";
let asking = null;

/** The key, or null. */
export const apiKey = () => sessionStorage.getItem(NAME);

/** Forget the key. */
export const forgetKey = () => sessionStorage.removeItem(NAME);

/** Ask for a key; resolves to whether there is a new one. Who asks meanwhile shares the answer. */
export function askForKey() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

function ask() {
  const dialog = at("key-dialog");
  const field = at("key");
  tell(at("key-why"), apiKey() ? REFUSED : NONE);
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    let given = false;
    at("key-form").onsubmit = () => {
      sessionStorage.setItem(NAME, field.value.trim());
      given = true;
    };
    at("key-cancel").onclick = () => dialog.close();
    dialog.onclose = () => resolve(given);
  });
}
