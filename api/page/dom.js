/** Elements, made and found. Text goes in as text: nothing that came from outside is ever read as HTML. */

/** The element of this id. */
export const at = (id) => document.getElementById(id);

/** A new element with these properties (`dataset` and `style` are merged, not replaced) and children. */
export function element(tag, { dataset = {}, style = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, dataset);
  for (const [name, value] of Object.entries(style)) made.style.setProperty(name, value);
  made.append(...children);
  return made;
}

/** Show an element with this text, or hide it where there is none. */
export function tell(target, text) {
  target.textContent = text ?? "";
  target.hidden = !text;
}

const TOGETHER_MS = 200;
const unsaid = [];

/** Say something to those who don't see what has changed; what comes at once is said together, lest it be lost. */
export function announce(text) {
  unsaid.push(text);
  if (unsaid.length === 1) setTimeout(() => { at("live").textContent = unsaid.splice(0).join(" "); }, TOGETHER_MS);
}
