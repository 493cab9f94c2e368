// What the visitor sees while images are being sent.

import { bytesOf, chosen, showState } from "./chosen.js";
import { roughly, say, size } from "./texts.js";

const $ = (id) => document.getElementById(id);
const PAUSE = 200; // milliseconds between two changes of the figures

let began = 0;
let shown = 0;

/** Change from choosing to sending, or back. */
export function showSending(on) {
  document.body.classList.toggle("is-sending", on);
  $("sending").hidden = !on;
  $("options").inert = $("files").inert = on;
  for (const id of ["job-link", "job-hint", "again", "go-on"]) $(id).hidden = true;
  for (const id of ["unsent", "stalled", "wrong"]) $(id).textContent = "";
  if (!on) {
    document.title = say("upload.page_title");
    for (const entry of chosen) Object.assign(entry, { sent: 0, state: "chosen" });
  } else {
    $("rejected").replaceChildren();
    restart();
    showBytes(0);
    $("sending-title").focus();
  }
  for (const entry of chosen) showState(entry);
}

/** Count the time from now on. */
export function restart() {
  began = performance.now();
  $("again").hidden = $("go-on").hidden = true;
  $("unsent").textContent = "";
}

/** Tell where the images will be. */
export function showJob({ page }) {
  $("job-link").href = page;
  $("job-link").hidden = $("job-hint").hidden = false;
}

/** Tell how far one file, and with it all of them, has come. */
export function showFile(entry) {
  showState(entry);
  const now = performance.now();
  if (now - shown < PAUSE && entry.state === "sending") return;
  shown = now;
  $("stalled").textContent = chosen.some(({ state }) => state === "stalled") ? say("sending.stalled") : "";
  showBytes(chosen.reduce((sum, { sent }) => sum + sent, 0));
}

/** Tell how many bytes of all are sent. */
export function showBytes(sent) {
  const bytes = bytesOf(chosen);
  const capped = Math.min(sent, bytes); // a form has bytes of its own around the files
  const seconds = (performance.now() - began) / 1000;
  $("sent").max = bytes;
  $("sent").value = capped;
  $("sent-figures").textContent = say("sending.progress", { sent: size(capped), bytes: size(bytes) });
  const known = seconds > 2 && capped > bytes / 50 && capped < bytes;
  $("sent-left").textContent = known ? say("sending.left", { time: roughly((seconds / capped) * (bytes - capped)) }) : "";
  document.title = `${say("sending.title_progress", { percent: Math.floor((100 * capped) / bytes) })} – Countermark`;
}

/** Tell how many could not be sent, and what can be done. */
export function showUnsent(count) {
  $("unsent").textContent = say("sending.failed", { count });
  $("again").hidden = $("go-on").hidden = false;
  $("again").focus();
}
