// The list of chosen images: a tile for each, what was refused, how many and how large they are together.

import { check } from "./files.js";
import { number, say, size } from "./texts.js";
import { dropThumbnail, showThumbnail } from "./thumbnails.js";

const $ = (id) => document.getElementById(id);
const SHOWN_REJECTED = 8;
const AT_ONCE = 200; // files that are looked at before the page goes on with something else

/** The entries, in order: {file, name, zip, state, sent, link, tile}. `state`: chosen, sending, stalled, sent or unsent. */
export const chosen = [];

export const bytesOf = (entries) => entries.reduce((sum, { file }) => sum + file.size, 0);

let changed = () => {}; // called with nothing after the list has changed
let pressed = null; // the entry whose picture was pressed

export function watchChosen(listener) {
  changed = listener;
  $("remove-all").onclick = () => {
    clear();
    $("choose-files").focus();
  };
  showSummary();
}

/** The entry that the mark is to be shown on: the one pressed, else the first image. */
export const shownEntry = () => (chosen.includes(pressed) ? pressed : chosen.find(({ zip }) => !zip));

/** Add files [{file, name}] that the server takes, and tell which it would not. */
export async function addFiles(found, { limits, accept }) {
  const before = chosen.length;
  const rejected = [];
  $("send").disabled = true; // until the list is whole
  for (let from = 0; from < found.length; from += AT_ONCE) {
    const part = await check(found.slice(from, from + AT_ONCE), chosen, limits, accept);
    addEntries(part.added);
    rejected.push(...part.rejected);
  }
  $("send").disabled = false;
  tellRejected(rejected, limits);
  const count = chosen.length - before;
  if (count > 0) announce(say("upload.added", { count, total: chosen.length }));
}

export function addEntries(entries) {
  chosen.push(...entries);
  const tiles = document.createDocumentFragment();
  for (const entry of entries) tiles.append((entry.tile = makeTile(entry)));
  $("chosen").append(tiles);
  showSummary();
}

export function clear() {
  for (const entry of chosen.splice(0)) forgetTile(entry);
  showSummary();
}

/** Show how far a file is. */
export function showState({ tile, state, sent, file }) {
  const bar = tile.querySelector("progress");
  bar.hidden = !["sending", "stalled"].includes(state);
  bar.max = file.size;
  bar.value = sent;
  tile.classList.toggle("done", state === "sent");
  tile.classList.toggle("failed", state === "unsent");
  tile.querySelector(".state").textContent =
    state === "sent" ? say("sending.sent") : state === "unsent" ? say("sending.file_failed") : size(file.size);
}

export function announce(text) {
  $("said").textContent = text;
}

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function makeTile(entry) {
  const picture = make(entry.zip ? "span" : "button", { type: "button", className: entry.zip ? "picture zip" : "picture" });
  if (!entry.zip) {
    picture.setAttribute("aria-label", say("preview.choose", { name: entry.name }));
    picture.onclick = () => ((pressed = entry), changed());
    showThumbnail(picture, () => entry.file);
  }
  const bar = make("progress", { hidden: true });
  bar.setAttribute("aria-label", entry.name);
  const remove = make("button", { type: "button", className: "remove", textContent: "×", onclick: () => removeEntry(entry) });
  remove.setAttribute("aria-label", say("upload.remove", { name: entry.name }));
  const name = make("span", { className: "name", textContent: entry.name, title: entry.name });
  return make("li", { className: "tile" }, picture, bar, name, make("span", { className: "state", textContent: size(entry.file.size) }), remove);
}

function removeEntry(entry) {
  const index = chosen.indexOf(entry);
  chosen.splice(index, 1);
  forgetTile(entry);
  const neighbour = chosen[index] ?? chosen[index - 1];
  (neighbour?.tile.querySelector(".remove") ?? $("choose-files")).focus();
  announce(say("upload.removed", { name: entry.name }));
  showSummary();
}

function forgetTile({ tile }) {
  dropThumbnail(tile.querySelector(".picture"));
  tile.remove();
}

function tellRejected(rejected, { files, file_bytes, job_bytes }) {
  $("rejected").replaceChildren();
  if (!rejected.length) return;
  const limit = { too_many: number(files), too_large: size(file_bytes), job_too_large: size(job_bytes) };
  const lines = rejected.slice(0, SHOWN_REJECTED).map(({ name, why }) => `${name}: ${say(`upload.${why}`, { limit: limit[why] })}`);
  if (rejected.length > SHOWN_REJECTED) lines.push("…");
  const list = make("ul", {}, ...lines.map((textContent) => make("li", { textContent })));
  $("rejected").append(make("b", { textContent: say("upload.not_added", { count: rejected.length }) }), list);
}

function showSummary() {
  const count = chosen.length;
  $("summary").textContent = count ? say("upload.summary", { count, bytes: size(bytesOf(chosen)) }) : "";
  $("send").textContent = count ? say("upload.send", { count }) : say("upload.send_none");
  $("remove-all").hidden = !count;
  document.body.classList.toggle("has-files", count > 0);
  changed();
}
