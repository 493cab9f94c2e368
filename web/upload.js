// The upload page: choose files, send them, go to the page of the job.

import "./page.js";
import { addEntries, addFiles, announce, chosen, clear, shownEntry, watchChosen } from "./chosen.js";
import { selected, transferred } from "./files.js";
import { addPresets, keepOptions, readFields, readOptions, watchOptions } from "./options.js";
import { drawSample, preview } from "./preview.js";
import { restart, showBytes, showFile, showJob, showSending, showUnsent } from "./progress.js";
import { forgetJob, interruptedJob, keepJob, keepSent, matching } from "./resume.js";
import { createJob, NoAnswer, Refusal, sendFiles, sendWhole } from "./sending.js";
import { language, loadTexts, say, size, translate } from "./texts.js";

const $ = (id) => document.getElementById(id);
const [form, kind] = [$("upload"), $("kind")];
let rules = null; // what the server takes: limits, formats, accept
let sending = null; // the job that is being sent: {job, page, signal, abort()}
let interrupted = null; // the job that a reload has interrupted
let again = null; // the module for images that the server has, if the address names a job of such

async function add(found) {
  if (sending || again || !found.length) return;
  if (interrupted) await resume(found);
  else await addFiles(found, rules);
}

async function send() {
  if (again) return sendAgain();
  if (!chosen.length) {
    $("wrong").textContent = say("upload.choose_first");
    $("choose-files").focus();
    return;
  }
  keepOptions(form, kind);
  begin({});
  const { signal } = sending;
  try {
    if (chosen.some(({ zip }) => zip)) {
      Object.assign(sending, await sendWhole(chosen, readFields(form, kind), signal, showBytes));
      return finish();
    }
    const made = await createJob(chosen, readOptions(form, kind), signal);
    for (const link of made.uploads) chosen[link.number - 1].link = link;
    keepJob(made, chosen);
    Object.assign(sending, made);
    await sendRest();
  } catch (error) {
    stop(signal.aborted ? say("sending.cancelled") : explain(error));
  }
}

/** Let the images that the server has be marked with these options. */
async function sendAgain() {
  keepOptions(form, kind);
  $("send").disabled = true;
  try {
    const answer = await again.markAgain(readOptions(form, kind));
    const found = await answer.json();
    if (answer.ok) return location.assign(found.page);
    throw new Refusal(answer.status, found);
  } catch (error) {
    $("send").disabled = false;
    $("wrong").textContent = explain(error instanceof TypeError ? new NoAnswer() : error);
  }
}

function begin(job) {
  const controller = new AbortController();
  sending = { ...job, signal: controller.signal, abort: () => controller.abort() };
  showSending(true);
}

function stop(text) {
  sending = null;
  showSending(false);
  $("wrong").textContent = text;
}

/** Send what is not sent yet. Ends on the job's page, or with the question what to do about files that could not be sent. */
async function sendRest() {
  const { signal } = sending;
  showJob(sending);
  restart();
  await sendFiles(chosen, signal, (entry) => {
    if (entry.state === "sent") keepSent(entry);
    showFile(entry);
  });
  if (signal.aborted) return;
  const unsent = chosen.filter(({ state }) => state !== "sent").length;
  if (unsent) return showUnsent(unsent);
  interrupted = interrupted && (await interruptedJob());
  if (!interrupted) return finish();
  clear();
  stop("");
  showInterrupted();
}

function finish() {
  const { page } = sending;
  announce(say("sending.finished"));
  forgetJob();
  sending = null; // leaving the page is right now
  location.assign(page);
}

/** Tell the server that the rest will not come, so that the job does not wait for it. */
async function goOn({ job, page }) {
  await fetch(`/function/upload/${job}/close`, { method: "POST" }).catch(() => {}); // else the job ends by its deadline
  sending = { page };
  finish();
}

async function cancel() {
  const { job, abort } = sending;
  abort();
  await deleteJob(job);
  stop(say("sending.cancelled"));
}

async function deleteJob(job) {
  if (job) await fetch(`/job/${job}`, { method: "DELETE" }).catch(() => {}); // else it ends by its deadline
  forgetJob();
  interrupted = null;
  showInterrupted();
}

/** The words for what went wrong. */
function explain(error) {
  if (error instanceof NoAnswer) return say("sending.no_answer");
  if (!(error instanceof Refusal)) throw error;
  const fields = (error.problem?.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return [say("sending.error"), ...(fields.length ? fields : [error.message])].join(" ");
}

/** Offer to go on with an upload that was interrupted. */
function showInterrupted() {
  $("interrupted").hidden = !interrupted;
  if (!interrupted) return;
  const { arrived, missing } = interrupted;
  $("arrived").textContent = say("resume.arrived", { arrived, count: arrived + missing.length });
}

async function resume(found) {
  const entries = matching(interrupted, found);
  $("wrong-files").textContent = entries.length ? "" : say("resume.wrong");
  if (!entries.length) return;
  clear();
  addEntries(entries);
  begin(interrupted);
  $("interrupted").hidden = true;
  await sendRest();
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
  const mark = (on) => document.body.classList.toggle("dropping", on && !sending && !again);
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

function watchButtons() {
  form.addEventListener("submit", (event) => (event.preventDefault(), sending || send()));
  $("cancel").onclick = cancel;
  $("again").onclick = sendRest;
  $("go-on").onclick = () => goOn(sending);
  $("go-on-interrupted").onclick = () => goOn(interrupted);
  $("forget").onclick = () => deleteJob(interrupted.job);
  // Back from the job's page the browser shows this one as it was, with its images: they can be sent again with other options.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    $("send").disabled = false;
    if (!again) stop("");
  });
  addEventListener("beforeunload", (event) => sending && event.preventDefault());
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
  watchButtons();
  if (new URLSearchParams(location.search).has("again")) {
    again = await import("./again.js");
    await again.showEarlier(show);
  } else {
    [interrupted] = await Promise.all([interruptedJob(), readRules()]);
    showInterrupted();
  }
  if (rules || again) watchFiles();
  addPresets(form, show).catch(() => {}); // without them there are those of the page
  $("options").addEventListener("pointerover", watchPreview, { once: true }); // only who comes near can drag
}

start();
