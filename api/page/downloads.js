/** What can be saved of a result: the stored pictures of each instance, and the document. */

import * as api from "./api.js";
import { announce, at, element, tell } from "./dom.js";

const ARTIFACTS = { mask: "Mask", cutout: "Cut-out", overlay: "Overlay" };

/** Show the buttons for this job. */
export function showDownloads(job) {
  tell(at("download-error"), null);
  const instances = job.result?.instances ?? [];
  const pictures = instances.flatMap((instance, position) =>
    Object.entries(ARTIFACTS)
      .filter(([artifact]) => instance[`${artifact}_url`])
      .map(([artifact, title]) => {
        const name = instances.length > 1 ? `${title} ${position + 1}` : title;
        return button(name, artifact === "overlay" ? "JPEG" : "PNG", () => savePicture(job.id, position, artifact));
      }));
  at("download-buttons").replaceChildren(...pictures, button("Document", "JSON", () => saveDocument(job.id)));
}

function button(name, kind, save) {
  const ofKind = element("small", { textContent: kind });
  const made = element("button", { type: "button", className: "secondary" }, name, " ", ofKind);
  made.addEventListener("click", async () => {
    tell(at("download-error"), null);
    made.disabled = true;
    try {
      await save();
      announce(`${name} is saved.`);
    } catch (error) {
      tell(at("download-error"), error.message);
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

// Presigned URLs last an hour and pages longer: a fresh document has fresh ones.
async function savePicture(id, position, artifact) {
  const { result } = await api.job(id);
  follow(result.instances[position][`${artifact}_url`]);
}

async function saveDocument(id) {
  const text = JSON.stringify(await api.job(id), null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  follow(url, `${id}.json`);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// The storage says of its pictures that they are to be saved, and how they are called.
function follow(href, download = "") {
  element("a", { href, download }).click();
}
