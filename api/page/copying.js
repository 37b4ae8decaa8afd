/** Text for the clipboard. */

import { announce } from "./dom.js";

/** Copy a text when the button is pressed, and say so on the button. */
export function copies(button, text, source) {
  const title = button.textContent;
  button.addEventListener("click", async () => {
    const copied = await write(text());
    // Without a clipboard, as on a page that came by plain HTTP, the text is marked, ready for Ctrl+C.
    if (!copied && source) getSelection().selectAllChildren(source);
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    announce(button.textContent);
    setTimeout(() => { button.textContent = title; }, 2000);
  });
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
