// The upload page: choose files and a mark. What sends them is loaded when there is something to send.

import "./page.js";
import { addFiles, shownEntry, watchChosen } from "./chosen.js";
import { selected, transferred } from "./files.js";
import { addPresets, readFields, watchOptions } from "./options.js";
import { drawSample, preview } from "./preview.js";
import { mayBeInterrupted } from "./resume.js";
import { language, loadTexts, say, size, translate } from "./texts.js";

const $ = (id) => document.getElementById(id);
const [form, kind] = [$("upload"), $("kind")];
let rules = null; // what the server takes: limits, formats, accept
let sender = null; // the module that sends, once it is loaded
let again = null; // the module for images that the server has, if the address names a job of such

const loadSender = async () => (sender ??= await import("./send.js"));

async function add(found) {
  if (sender?.isSending() || again || !found.length) return;
  if (sender?.isInterrupted()) await sender.resume(found);
  else await Promise.all([loadSender().catch(() => {}), addFiles(found, rules)]); // the submit tries it again
}

async function readRules() {
  try {
    rules = await (await fetch("/function/upload")).json();
    const { files, file_bytes, job_bytes } = rules.limits;
    const shown = { files, file_bytes: size(file_bytes), job_bytes: size(job_bytes), formats: rules.formats.join(", ") };
    $("limits").textContent = say("upload.limits", shown);
  } catch {
    $("limits").textContent = say("upload.limits_unknown");
  }
}

function watchFiles() {
  for (const input of ["choose-files", "choose-folder", "take-photo"].map($)) {
    input.addEventListener("change", () => {
      add(selected(input));
      input.value = ""; // the same files can be chosen again after a removal
    });
  }
  let depth = 0; // dragenter and dragleave come for each element on the way
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("dropping", on && !sender?.isSending() && !again);
  addEventListener("dragenter", (event) => hasFiles(event) && mark(++depth > 0));
  addEventListener("dragleave", (event) => hasFiles(event) && mark(--depth > 0));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark((depth = 0) > 0);
    add(await transferred(event.dataTransfer));
  });
  addEventListener("paste", async (event) => {
    if (event.clipboardData?.files.length) add(await transferred(event.clipboardData));
  });
}

async function submit(event) {
  event.preventDefault();
  if (again) again.send(form, kind);
  else await loadSender().then(({ send }) => send(), () => ($("wrong").textContent = say("sending.no_answer")));
}

async function watchPreview() {
  const { watchDrag } = await import("./drag.js");
  watchDrag($("preview"), (position) => {
    if (form.dataset.preset) return;
    form.elements.position.value = position;
    form.dispatchEvent(new Event("input"));
  });
}

async function start() {
  form.prepend($("files"));
  await loadTexts();
  if (language !== "en") translate();
  document.documentElement.classList.remove("translating");
  document.querySelector(`[data-language=${language}]`).setAttribute("aria-current", "true");
  const show = preview({
    image: $("preview"),
    problem: $("preview-problem"),
    fields: () => readFields(form, kind),
    source: async () => (await again?.earlierPicture()) ?? shownEntry() ?? { name: "", file: await drawSample() },
  });
  watchChosen(() => ($("wrong").textContent = "", show()));
  watchOptions(form, kind, show);
  form.addEventListener("submit", submit);
  if (new URLSearchParams(location.search).has("again")) {
    again = await import("./again.js");
    await again.showEarlier(show);
  } else {
    await readRules();
    if (mayBeInterrupted()) await (await loadSender()).findInterrupted();
  }
  if (rules || again) watchFiles();
  addPresets(form, show).catch(() => {}); // without them there are those of the page
  // A mouse comes near before it presses; a finger does not.
  if (matchMedia("(hover: none)").matches) watchPreview();
  else $("options").addEventListener("pointerover", watchPreview, { once: true });
}

start();
