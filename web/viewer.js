// One marked image large, over the page: forwards and backwards by buttons or arrow keys, and to be downloaded alone.

import { say, size } from "./texts.js";

const $ = (id) => document.getElementById(id);
let images = () => [];
let shown = null;

/** Open images of the tiles in the viewer. `list` gives the images as the status has them. */
export function watchTiles(tiles, list) {
  images = () => list().filter(({ result }) => result);
  tiles.addEventListener("click", (event) => {
    const link = event.target.closest("a.picture");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const number = Number(link.closest(".tile").dataset.number);
    const image = images().find((each) => each.number === number);
    if (!image) return;
    event.preventDefault();
    show(image);
    $("viewer").showModal();
  });
  $("viewer-previous").onclick = () => step(-1);
  $("viewer-next").onclick = () => step(1);
  $("viewer").addEventListener("keydown", ({ key }) => step({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0));
  $("viewer").addEventListener("click", ({ target }) => target === $("viewer") && $("viewer").close()); // the ground around it
  $("viewer").addEventListener("close", () => $("viewer-image").removeAttribute("src"));
}

function step(by) {
  const all = images();
  const next = all[all.findIndex(({ number }) => number === shown.number) + by];
  if (by && next) show(next);
}

function show(image) {
  shown = image;
  const { url, width, height, format, bytes } = image.result;
  Object.assign($("viewer-image"), { src: url, width, height, alt: say("preview.alt", { name: image.name }) });
  $("viewer-name").textContent = image.name;
  $("viewer-facts").textContent = `${format}, ${width} × ${height}, ${size(bytes)}`;
  $("viewer-download").href = `${url}?download`;
  const all = images();
  $("viewer-previous").disabled = all[0].number === image.number;
  $("viewer-next").disabled = all.at(-1).number === image.number;
}
