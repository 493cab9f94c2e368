// One marked image large, over the page, beside what it was before: forwards and backwards by buttons or arrow keys.

import { say, size } from "./texts.js";

const EDGE = 1600; // pixels of the longer side of what is shown when the image itself is not
const LARGEST = 2 * 2 ** 20; // bytes of an image that is shown as it is
const SHOWN = ["JPEG", "PNG", "WebP", "GIF", "AVIF"]; // formats that browsers know

const $ = (id) => document.getElementById(id);
let images = () => [];
let shown = null;

/** Open images of the tiles in the viewer. `list` gives the images as the status has them, as soon as they are `known`. */
export function watchTiles(tiles, list, known) {
  images = () => list().filter(({ result }) => result);
  tiles.addEventListener("click", async (event) => {
    const link = event.target.closest("a.picture");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    await known;
    const number = Number(link.closest(".tile").dataset.number);
    const image = images().find((each) => each.number === number);
    if (!image) return location.assign(link.href);
    if ($("viewer").open) return;
    show(image);
    $("viewer").showModal();
  });
  $("viewer-previous").onclick = () => step(-1);
  $("viewer-next").onclick = () => step(1);
  $("viewer").addEventListener("keydown", ({ key, target }) => {
    if (target !== $("compare-at")) step({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0);
  });
  $("viewer").addEventListener("click", ({ target }) => target === $("viewer") && $("viewer").close()); // the ground around it
  $("viewer").addEventListener("close", () => $("viewer-image").removeAttribute("src"));
  $("viewer-before").onload = () => $("compare").classList.add("ready");
  $("compare-at").oninput = divide;
}

function step(by) {
  const all = images();
  const next = all[all.findIndex(({ number }) => number === shown.number) + by];
  if (by && next) show(next);
}

/** Show the left part as it was, up to the slider. */
function divide() {
  $("compare").style.setProperty("--at", `${$("compare-at").value}%`);
}

function show(image) {
  shown = image;
  const { url, width, height, format, bytes } = image.result;
  const small = `${url}/small?longest=${EDGE}`;
  const itself = bytes <= LARGEST && SHOWN.includes(format); // it may move
  $("compare").classList.remove("ready"); // without an original to be seen there is nothing to compare
  $("compare").style.setProperty("--ratio", width / height);
  $("compare").style.setProperty("--width", `${width}px`);
  $("compare-at").value = 50;
  divide();
  Object.assign($("viewer-image"), { src: itself ? url : small, alt: say("preview.alt", { name: image.name }) });
  $("viewer-before").src = `${small}&of=original`;
  $("viewer-name").textContent = image.name;
  $("viewer-facts").textContent = `${format}, ${width} × ${height}, ${size(bytes)}`;
  $("viewer-download").href = `${url}?download`;
  const all = images();
  $("viewer-previous").disabled = all[0].number === image.number;
  $("viewer-next").disabled = all.at(-1).number === image.number;
  if (document.activeElement.disabled) $("viewer-download").focus(); // a disabled button would swallow the keys
}
