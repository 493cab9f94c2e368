// The upload page: choose files, send them, go to the page of the job.

import { keepLanguage } from "./page.js";
import { check, selected, transferred } from "./files.js";
import { keepOptions, readFields, readOptions, watchOptions } from "./options.js";
import { drawSample, preview } from "./preview.js";
import { createJob, NoAnswer, Refusal, sendFiles, sendWhole } from "./sending.js";
import { language, loadTexts, number, roughly, say, size, translate } from "./texts.js";
import { dropThumbnail, showThumbnail } from "./thumbnails.js";

const $ = (id) => document.getElementById(id);
const form = $("upload");
const chosen = []; // {file, name, zip, sent, state, tile}
let rules = null; // what the server takes: limits, formats, accept
let previewed = null; // the entry that the mark is shown on; the first if none was pressed
let showPreview = () => {};
let job = null; // {page, uploads, cancel: AbortController, began}

// ---------------------------------------------------------------- choosing

async function add(found) {
  if (!rules || job || !found.length) return;
  const { added, rejected } = await check(found, chosen, rules.limits, rules.accept);
  chosen.push(...added);
  const tiles = document.createDocumentFragment();
  for (const entry of added) tiles.append((entry.tile = makeTile(entry)));
  $("chosen").append(tiles);
  tellRejected(rejected);
  if (added.length) announce(say("upload.added", { count: added.length, total: chosen.length }));
  showSummary();
}

function makeTile(entry) {
  const tile = document.createElement("li");
  tile.className = "tile";
  const picture = Object.assign(document.createElement(entry.zip ? "span" : "button"), { type: "button", className: "picture" });
  if (entry.zip) picture.classList.add("zip");
  else {
    picture.setAttribute("aria-label", say("preview.choose", { name: entry.name }));
    picture.onclick = () => ((previewed = entry), showPreview());
    showThumbnail(picture, () => entry.file);
  }
  const name = Object.assign(document.createElement("span"), { className: "name", textContent: entry.name, title: entry.name });
  const bytes = Object.assign(document.createElement("span"), { className: "state", textContent: size(entry.file.size) });
  const bar = document.createElement("progress");
  bar.hidden = true;
  bar.setAttribute("aria-label", entry.name);
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove", textContent: "×" });
  remove.setAttribute("aria-label", say("upload.remove", { name: entry.name }));
  remove.onclick = () => removeEntry(entry);
  tile.append(picture, bar, name, bytes, remove);
  return tile;
}

function removeEntry(entry) {
  const index = chosen.indexOf(entry);
  const neighbour = chosen[index + 1] ?? chosen[index - 1];
  chosen.splice(index, 1);
  dropThumbnail(entry.tile.querySelector(".picture"));
  entry.tile.remove();
  (neighbour ? neighbour.tile.querySelector(".remove") : $("choose-files")).focus();
  announce(say("upload.removed", { name: entry.name }));
  showSummary();
}

function removeAll() {
  for (const entry of chosen.splice(0)) {
    dropThumbnail(entry.tile.querySelector(".picture"));
    entry.tile.remove();
  }
  $("choose-files").focus();
  showSummary();
}

const SHOWN_REJECTED = 8;

function tellRejected(rejected) {
  const box = $("rejected");
  box.replaceChildren();
  if (!rejected.length) return;
  const { files, file_bytes, job_bytes } = rules.limits;
  const limit = { too_many: number(files), too_large: size(file_bytes), job_too_large: size(job_bytes) };
  const list = document.createElement("ul");
  for (const { name, why } of rejected.slice(0, SHOWN_REJECTED)) {
    list.append(Object.assign(document.createElement("li"), { textContent: `${name}: ${say(`upload.${why}`, { limit: limit[why] })}` }));
  }
  if (rejected.length > SHOWN_REJECTED) list.append(Object.assign(document.createElement("li"), { textContent: "…" }));
  box.append(Object.assign(document.createElement("b"), { textContent: say("upload.not_added", { count: rejected.length }) }), list);
}

function showSummary() {
  const bytes = chosen.reduce((sum, { file }) => sum + file.size, 0);
  const count = chosen.length;
  $("summary").textContent = count ? say("upload.summary", { count, bytes: size(bytes) }) : "";
  $("send").textContent = count ? say("upload.send", { count }) : say("upload.send_none");
  $("remove-all").hidden = !count;
  document.body.classList.toggle("has-files", count > 0);
  showPreview();
  $("wrong").textContent = "";
}

function watchChoosing() {
  for (const input of ["choose-files", "choose-folder", "take-photo"].map($)) {
    input.addEventListener("change", () => {
      add(selected(input));
      input.value = ""; // the same files can be chosen again after a removal
    });
  }
  let depth = 0; // dragenter and dragleave come for each element on the way
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("dropping", on && !job);
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
  $("remove-all").onclick = removeAll;
}

/** The picture to show the mark on: the one pressed, else the first, else one of our own. */
async function previewSource() {
  const entry = chosen.includes(previewed) ? previewed : chosen.find(({ zip }) => !zip);
  return entry ?? { name: "", file: await drawSample() };
}

// ---------------------------------------------------------------- sending

async function send() {
  if (!chosen.length) {
    $("wrong").textContent = say("upload.choose_first");
    $("choose-files").focus();
    return;
  }
  job = { cancel: new AbortController(), began: performance.now(), shown: 0 };
  keepOptions(form, $("kind"));
  showSending(true);
  try {
    const whole = chosen.some(({ zip }) => zip);
    const { signal } = job.cancel;
    const made = whole ? await sendWhole(chosen, readFields(form, $("kind")), signal, wholeProgress) : await createJob(chosen, readOptions(form, $("kind")), signal);
    Object.assign(job, made);
    if (whole) return finish();
    $("job-link").href = made.page;
    $("job-link").hidden = $("job-hint").hidden = false;
    await sendRest();
  } catch (error) {
    const cancelled = job.cancel.signal.aborted;
    showSending(false);
    $("wrong").textContent = cancelled ? say("sending.cancelled") : explain(error);
  }
}

async function sendRest() {
  $("again").hidden = $("go-on").hidden = true;
  $("unsent").textContent = "";
  job.began = performance.now();
  await sendFiles(chosen, job.uploads, job.cancel.signal, fileChanged);
  job.cancel.signal.throwIfAborted();
  const unsent = chosen.filter(({ state }) => state !== "sent");
  if (!unsent.length) return finish();
  $("unsent").textContent = say("sending.failed", { count: unsent.length });
  $("again").hidden = $("go-on").hidden = false;
  $("again").focus();
}

/** Tell the server that the rest will not come, so that the job does not wait for it. */
async function goOn() {
  await fetch(`/function/upload/${job.job}/close`, { method: "POST" }).catch(() => {}); // else the job ends by its deadline
  finish();
}

function finish() {
  const { page } = job;
  announce(say("sending.finished"));
  job = null; // leaving the page is right now
  location.assign(page);
}

/** The words for what went wrong, to be shown to the visitor. */
function explain(error) {
  if (error instanceof NoAnswer) return say("sending.no_answer");
  if (!(error instanceof Refusal)) throw error;
  const fields = (error.problem?.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return [say("sending.error"), error.message, ...fields].join(" ");
}

async function cancel() {
  const { job: id } = job;
  job.cancel.abort();
  if (id) await fetch(`/job/${id}`, { method: "DELETE" }).catch(() => {}); // it ends by its deadline if this is not heard
  showSending(false);
  $("wrong").textContent = say("sending.cancelled");
}

function showSending(on) {
  if (!on) {
    job = null;
    document.title = say("upload.page_title");
    for (const entry of chosen) Object.assign(entry, { sent: 0, state: "chosen" });
  }
  document.body.classList.toggle("is-sending", on);
  $("sending").hidden = !on;
  $("options").inert = $("files").inert = on;
  for (const id of ["job-link", "job-hint", "again", "go-on"]) $(id).hidden = true;
  $("unsent").textContent = $("stalled").textContent = $("wrong").textContent = "";
  for (const entry of chosen) showFile(entry);
  if (on) {
    $("rejected").replaceChildren();
    showProgress(0);
    $("sending-title").focus();
  }
}

function fileChanged(entry) {
  showFile(entry);
  const now = performance.now();
  if (now - job.shown < 200 && entry.state === "sending") return;
  job.shown = now;
  $("stalled").textContent = chosen.some(({ state }) => state === "stalled") ? say("sending.stalled") : "";
  showProgress(chosen.reduce((sum, { sent }) => sum + sent, 0));
}

function showFile({ tile, state, sent, file }) {
  const bar = tile.querySelector("progress");
  bar.hidden = !["sending", "stalled"].includes(state);
  bar.max = file.size;
  bar.value = sent;
  tile.classList.toggle("done", state === "sent");
  tile.classList.toggle("failed", state === "unsent");
  tile.querySelector(".state").textContent =
    state === "sent" ? say("sending.sent") : state === "unsent" ? say("sending.file_failed") : size(file.size);
}

function wholeProgress(sent) {
  showProgress(Math.min(sent, chosen.reduce((sum, { file }) => sum + file.size, 0)));
}

function showProgress(sent) {
  const bytes = chosen.reduce((sum, { file }) => sum + file.size, 0);
  const seconds = (performance.now() - job.began) / 1000;
  $("sent").max = bytes;
  $("sent").value = sent;
  $("sent-figures").textContent = say("sending.progress", { sent: size(sent), bytes: size(bytes) });
  const known = seconds > 2 && sent > bytes / 50 && sent < bytes;
  $("sent-left").textContent = known ? say("sending.left", { time: roughly((seconds / sent) * (bytes - sent)) }) : "";
  document.title = `${say("sending.title_progress", { percent: Math.floor((100 * sent) / bytes) })} – Countermark`;
}

// ---------------------------------------------------------------- start

function announce(text) {
  $("said").textContent = text;
}

async function readRules() {
  try {
    rules = await (await fetch("/function/upload", { headers: { Accept: "application/json" } })).json();
    const { files, file_bytes, job_bytes } = rules.limits;
    const shown = { files, file_bytes: size(file_bytes), job_bytes: size(job_bytes), formats: rules.formats.join(", ") };
    $("limits").textContent = say("upload.limits", shown);
  } catch {
    $("limits").textContent = say("upload.limits_unknown");
  }
}

async function start() {
  form.prepend($("files"));
  await loadTexts();
  if (language !== "en") translate();
  document.documentElement.classList.remove("translating");
  keepLanguage();
  document.querySelector(`[data-language=${language}]`).setAttribute("aria-current", "true");
  showPreview = preview({
    image: $("preview"),
    problem: $("preview-problem"),
    fields: () => readFields(form, $("kind")),
    source: previewSource,
  });
  watchOptions(form, $("kind"), showPreview);
  showSummary();
  await readRules();
  watchChoosing();
  form.addEventListener("submit", (event) => (event.preventDefault(), job || send()));
  $("cancel").onclick = cancel;
  $("again").onclick = sendRest;
  $("go-on").onclick = goOn;
  addEventListener("beforeunload", (event) => job && event.preventDefault());
}

start();
