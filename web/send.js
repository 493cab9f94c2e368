// From the press on the button to the page of the job; and taking up an upload that a reload has interrupted.

import { addEntries, announce, chosen, clear } from "./chosen.js";
import { keepOptions, readFields, readOptions } from "./options.js";
import { restart, showBytes, showFile, showJob, showSending, showUnsent } from "./progress.js";
import { forgetJob, interruptedJob, keepJob, keepSent, matching } from "./resume.js";
import { createJob, explain, sendFiles, sendWhole } from "./sending.js";
import { say } from "./texts.js";

const $ = (id) => document.getElementById(id);
const [form, kind] = [$("upload"), $("kind")];
let sending = null; // the job that is being sent: {job, page, signal, abort()}
let interrupted = null; // the job that a reload has interrupted

export const isSending = () => Boolean(sending);
export const isInterrupted = () => Boolean(interrupted);

/** Make a job of the chosen images and send them; ends on its page. */
export async function send() {
  if (sending) return;
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

/** Offer to go on with an upload that was interrupted. */
function showInterrupted() {
  $("interrupted").hidden = !interrupted;
  if (!interrupted) return;
  const { arrived, missing } = interrupted;
  $("arrived").textContent = say("resume.arrived", { arrived, count: arrived + missing.length });
}

/** Send those of the found files that the interrupted job misses. */
export async function resume(found) {
  const entries = matching(interrupted, found);
  $("wrong-files").textContent = entries.length ? "" : say("resume.wrong");
  if (!entries.length) return;
  clear();
  addEntries(entries);
  begin(interrupted);
  $("interrupted").hidden = true;
  await sendRest();
}

/** Look for an upload that a reload has interrupted, and offer to go on with it. */
export async function findInterrupted() {
  interrupted = await interruptedJob();
  showInterrupted();
}

$("cancel").onclick = cancel;
$("again").onclick = sendRest;
$("go-on").onclick = () => goOn(sending);
$("go-on-interrupted").onclick = () => goOn(interrupted);
$("forget").onclick = () => deleteJob(interrupted.job);
// Back from the job's page the browser shows this one as it was, with its images: they can be sent again with other options.
addEventListener("pageshow", (event) => event.persisted && stop(""));
addEventListener("beforeunload", (event) => sending && event.preventDefault());
