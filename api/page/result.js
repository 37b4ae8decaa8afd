/** A job's result in words and numbers: the verdict, the candidates, what was found, and by which models. */

import { percent, whole } from "./amounts.js";
import { at, element } from "./dom.js";
import { css } from "./palette.js";
import { verdict } from "./verdict.js";

const STAGE_NAMES = { classify: "Choose", detect: "Find", segment: "Cut out" };

/** Show the result; `onLight` is called with the position of the instance that is pointed to, or null. */
export function showResult(job, onLight) {
  const result = job.result;
  at("result").hidden = !result;
  if (!result) return;
  at("verdict").textContent = verdict(result);
  at("verdict").classList.toggle("doubtful", result.main_object.ambiguous || result.outcome === "not_found");
  at("candidates").replaceChildren(...result.candidates.map(candidateElement));
  at("found").hidden = !result.instances.length;
  at("found-title").textContent = result.instances.length > 1 ? `Found ${result.instances.length}` : "Found";
  at("instances").replaceChildren(...result.instances.map((one, position) => instanceElement(one, position, onLight)));
  at("models").replaceChildren(...result.models.map(modelElement));
}

/** Light one instance's line up, or none: null. */
export function lightInstance(position) {
  [...at("instances").children].forEach((item, index) => item.classList.toggle("lit", index === position));
}

function candidateElement({ label, score }) {
  return element("li", {},
    element("span", { className: "name", textContent: label }),
    element("span", { className: "score", textContent: percent(score) }),
    element("span", { className: "bar", ariaHidden: "true", style: { "--share": score } }));
}

function instanceElement({ label, box, box_score, mask }, position, onLight) {
  const corners = box.map((edge) => Math.round(edge)).join(", ");
  const facts = [
    ["Box", `${percent(box_score)} · ${corners}`],
    ["Mask", `${whole(mask.area)} pixels`],
    ["Fit", `${percent(mask.predicted_iou)} · stable ${percent(mask.stability)}`],
  ];
  const list = element("dl", {}, ...facts.map(([name, value]) =>
    element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))));
  const item = element("li", { tabIndex: 0, style: { "--colour": css(position) } },
    element("strong", { textContent: label }), list);
  for (const name of ["pointerenter", "focus"]) item.addEventListener(name, () => onLight(position));
  for (const name of ["pointerleave", "blur"]) item.addEventListener(name, () => onLight(null));
  return item;
}

function modelElement({ stage, name, revision, license }) {
  return element("li", {},
    element("span", { textContent: STAGE_NAMES[stage] }),
    element("strong", { textContent: name }),
    element("span", { textContent: `revision ${revision} · ${license}` }));
}
