// Marking images once more that the server still has: the address names their job (/?again=<job>, of which &images=failed).

import { make } from "./chosen.js";
import { keepOptions, readOptions } from "./options.js";
import { explain, NoAnswer, Refusal } from "./sending.js";
import { say, size } from "./texts.js";

const EDGES = { tile: 320, preview: 800 }; // pixels of the longer side

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const job = query.get("again");
const which = query.get("images") === "failed" ? "failed" : "all";
let pressed = null; // the image whose picture was pressed

/** Show the images of the job in the address, or go to its page if they are gone. `changed` is called when another one is pressed. */
export async function showEarlier(changed) {
  document.querySelector("h1").textContent = say("again.title");
  document.querySelector(".lead").textContent = say("again.text");
  $("other-images").hidden = false;
  const answer = await fetch(`/function/status/${encodeURIComponent(job)}?images=${which}`, { cache: "no-store" }).catch(() => null);
  if (!answer || answer.status >= 500) return ($("wrong").textContent = say("sending.no_answer"));
  if (!answer.ok) return location.replace(`/job/${encodeURIComponent(job)}`); // which says what has become of it
  const { images } = await answer.json();
  $("chosen").append(...images.map((image) => tile(image, changed)));
  const bytes = images.reduce((sum, image) => sum + (image.bytes ?? 0), 0);
  $("summary").textContent = say("upload.summary", { count: images.length, bytes: size(bytes) });
  $("send").textContent = say("upload.send", { count: images.length });
  document.body.classList.add("has-files");
  pressed = images.find(({ result }) => result);
  changed();
}

const picture = ({ number }, edge) => `/job/${job}/images/${number}/small?longest=${edge}&of=original`;

function tile(image, changed) {
  // One that could not be marked can most often not be shown either.
  const shown = make(image.result ? "button" : "span", { type: "button", className: image.result ? "picture" : "picture blank" });
  if (image.result) {
    shown.append(Object.assign(new Image(), { alt: "", loading: "lazy", decoding: "async", src: picture(image, EDGES.tile) }));
    shown.setAttribute("aria-label", say("preview.choose", { name: image.name }));
    shown.onclick = () => ((pressed = image), changed());
  }
  const name = make("span", { className: "name", textContent: image.name, title: image.name });
  return make("li", { className: "tile" }, shown, name, make("span", { className: "state", textContent: image.bytes ? size(image.bytes) : "" }));
}

/** The image that the mark is to be shown on, {name, file}; null if there is none. */
export async function earlierPicture() {
  if (!pressed) return null;
  pressed.file ??= await (await fetch(picture(pressed, EDGES.preview))).blob();
  return pressed;
}

/** Ask for a new job with the same images and the options of the form, and go to its page. */
export async function send(form, kind) {
  keepOptions(form, kind);
  $("send").disabled = true;
  try {
    location.assign((await markAgain(readOptions(form, kind))).page);
  } catch (error) {
    $("send").disabled = false;
    $("wrong").textContent = explain(error);
  }
}

async function markAgain(options) {
  const answer = await fetch(`/function/upload/${job}/again`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ options, images: which }),
  }).catch(() => null);
  if (!answer) throw new NoAnswer();
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => null));
  return answer.json();
}

// Back from the new page the browser shows this one as it was.
addEventListener("pageshow", ({ persisted }) => persisted && ($("send").disabled = false));
