// The visitor's own logo: made small, kept in this browser for the next time, and sent as a data: URL among the options.

const KEPT = "logo";
const EDGES = [800, 600, 400, 250, 120]; // pixels of the longer side, tried until it is small enough
const LARGEST = 24_000; // bytes: the preview sends it in an address, and proxies take about 60 kB of those

/** The logo as a data: URL, or "" if there is none. */
export const ownLogo = () => localStorage.getItem(KEPT) ?? "";

export const forgetLogo = () => localStorage.removeItem(KEPT);

/** Keep the image in a file as the logo. Raises an error if the browser does not know it. */
export async function keepLogo(file) {
  const url = URL.createObjectURL(file);
  try {
    const image = Object.assign(new Image(), { src: url });
    await image.decode();
    for (const edge of EDGES) {
      const blob = await draw(image, edge);
      if (blob.size <= LARGEST) return localStorage.setItem(KEPT, await dataUrl(blob));
    }
  } finally {
    URL.revokeObjectURL(url);
  }
  throw new Error("The logo is too detailed.");
}

function draw(image, edge) {
  // An SVG has no pixels of its own and may be drawn larger than it says.
  const [width, height] = [image.naturalWidth || edge, image.naturalHeight || edge];
  const scale = Math.min(1, edge / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = Object.assign(new FileReader(), { onload: () => resolve(reader.result), onerror: reject });
    reader.readAsDataURL(blob);
  });
}
