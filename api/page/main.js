/** The page: a form, the job that is open, and the recent ones. The address names the open job. */

import * as api from "./api.js";
import { announce, at } from "./dom.js";
import { copies } from "./copying.js";
import { markOpen, showHistory } from "./history.js";
import { randomKey } from "./idempotency.js";
import { JobView } from "./job_view.js";
import { apiKey, forgetKey } from "./key.js";
import { PictureInput } from "./picture_input.js";
import { showProblem } from "./problem.js";
import { SENTENCE } from "./sample.js";
import { WordsInput } from "./words_input.js";

const pictureInput = new PictureInput(contentHasChanged);
const wordsInput = new WordsInput(contentHasChanged);
const jobView = new JobView(showHistory);

// The same until something changes: what is sent again after an outage is still one job.
let idempotencyKey = randomKey();
let submitted = null;

function contentHasChanged() {
  idempotencyKey = randomKey();
  showProblem(at("form-problem"), null);
}

async function submit() {
  const words = wordsInput.read();
  const { picture } = pictureInput;
  if (!picture) pictureInput.say("Choose a picture first.");
  if (!picture || !words) {
    if (picture) wordsInput.focus();
    else at("file").focus();
    return;
  }
  busy(true);
  showProblem(at("form-problem"), null);
  try {
    const job = await api.submit(picture, words, idempotencyKey);
    idempotencyKey = randomKey();
    jobView.remember(job.id, picture);
    submitted = job;
    location.hash = job.id;
    showHistory();
  } catch (error) {
    showProblem(at("form-problem"), error);
  } finally {
    busy(false);
    at("forget-key").hidden = !apiKey();
  }
}

function busy(sending) {
  at("submit").disabled = sending;
  at("try-sample").disabled = sending;
  at("submit").textContent = sending ? "Sending …" : "Cut it out";
  if (sending) announce("Sending.");
}

async function trySample() {
  try {
    pictureInput.take(await api.samplePicture());
  } catch (error) {
    showProblem(at("form-problem"), error);
    return;
  }
  wordsInput.describe(SENTENCE);
  await submit();
}

function openWhatTheAddressNames() {
  const id = /^#([0-9a-f-]{36})$/.exec(location.hash)?.[1];
  if (location.hash && !id) return; // a place on the page
  markOpen();
  at("hint").hidden = Boolean(id);
  document.title = id ? `${id.slice(0, 8)} · mainmask` : "mainmask";
  if (!id) {
    jobView.close();
    return;
  }
  const known = submitted?.id === id ? submitted : null;
  submitted = null;
  jobView.open(id, known);
}

function leadToTheJob() {
  if (at("job").hidden) return;
  at("job-title").focus({ preventScroll: true });
  const { top } = at("job-title").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) at("job").scrollIntoView();
}

async function readSettings() {
  const settings = await api.settings();
  pictureInput.maximumBytes = settings.maximum_image_bytes;
  wordsInput.maximumCharacters = settings.maximum_description_characters;
  if (settings.flower_url) {
    at("flower").href = settings.flower_url;
    at("flower").hidden = false;
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
at("try-sample").addEventListener("click", trySample);
at("hint-words").textContent = `“${SENTENCE}”`;
at("forget-key").hidden = !apiKey();
at("forget-key").addEventListener("click", () => {
  forgetKey();
  location.assign(location.pathname);
});
copies(at("copy-link"), () => location.href);
for (const button of document.querySelectorAll("[data-copies]")) {
  const source = at(button.dataset.copies);
  copies(button, () => source.textContent, source);
}
at("jobs").addEventListener("click", (event) => {
  if (event.target.closest("a")?.hash === location.hash) leadToTheJob(); // which no event of the address tells
});
addEventListener("hashchange", () => {
  openWhatTheAddressNames();
  leadToTheJob();
});

openWhatTheAddressNames();
showHistory();
readSettings().catch((error) => showProblem(at("form-problem"), error));
