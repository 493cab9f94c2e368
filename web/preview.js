// The mark as it will be: a small version of the visitor's own image is sent to the same function that marks the large one.

import { say } from "./texts.js";
import { shrink } from "./thumbnails.js";

const EDGE = 800; // pixels of the longer side
const PAUSE = 150; // milliseconds without a change before it is asked for

/**
 * Keep `image` showing the mark.
 * @param {{image: HTMLImageElement, problem: HTMLElement, fields: () => object, source: () => Promise<{name: string, file: Blob}>}} parts
 * @returns {() => void} to be called whenever the options or the source have changed
 */
export function preview({ image, problem, fields, source }) {
  let small = { file: null, blob: null };
  let timer = 0;
  let call = new AbortController();

  async function show() {
    call.abort();
    const { signal } = (call = new AbortController());
    try {
      const { name, file } = await source();
      if (small.file !== file) small = { file, blob: await shrink(file, EDGE) };
      const answer = await mark(small.blob, fields(), signal);
      problem.textContent = answer.ok ? "" : ((await answer.json().catch(() => null))?.detail ?? say("sending.error"));
      if (answer.ok) replace(image, await answer.blob(), name && say("preview.alt", { name }));
    } catch (error) {
      if (signal.aborted) return;
      // The browser does not know the format or the server is away: sending will tell; no picture is better than an old one.
      if (error.name !== "TypeError") replace(image, await drawSample(), "");
    }
  }

  return () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE);
  };
}

function mark(blob, fields, signal) {
  const { format, quality, metadata, ...options } = fields; // what the file is like does not show
  if (options.preset) options.format = "WebP"; // the preset's own may be one that browsers do not show
  return fetch(`/function/preview?${new URLSearchParams(options)}`, { method: "POST", body: blob, signal });
}

function replace(image, blob, alt) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  image.alt = alt;
}

let sample = null;

/** A picture to show the mark on before there is any: hills in the evening. @returns {Promise<Blob>} */
export function drawSample() {
  sample ??= draw();
  return sample;
}

function draw() {
  const [width, height] = [EDGE, EDGE * 0.75];
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  const sky = pen.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#7fa7bd");
  sky.addColorStop(0.6, "#f0d9b5");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
  ["#8c9aa0", "#5f7a80", "#3c5a5c", "#22393b"].forEach((color, hill) => {
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(0, height);
    for (let x = 0; x <= width; x += 10) {
      const wave = 26 * Math.sin(x / (70 + 35 * hill) + 2 * hill) + 12 * Math.sin(x / 31 + hill);
      pen.lineTo(x, height * (0.5 + 0.12 * hill) + wave);
    }
    pen.lineTo(width, height);
    pen.fill();
  });
  return canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
}
