// Small pictures in tiles. Only tiles near the window hold one, two are decoded at a time and always at a small size,
// so that thousands of large photographs neither fill the memory nor hold up the page.

const EDGE = 320; // pixels of the longer side: a tile on a screen with two pixels a point
const AT_ONCE = 2;

const sources = new WeakMap(); // tile's picture element -> function that gives the image as a Blob
const nearby = new WeakSet(); // picture elements near the window
const waiting = new Set(); // those of them that are to be drawn
let running = 0;

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        nearby.add(target);
        waiting.add(target);
      } else {
        nearby.delete(target);
        waiting.delete(target);
        target.querySelector("canvas")?.remove();
      }
    }
    next();
  },
  { rootMargin: "300px" },
);

/** Show the image that `source` gives (a Blob, or a promise of one) in the element whenever that is near the window. */
export function showThumbnail(picture, source) {
  sources.set(picture, source);
  near.unobserve(picture);
  near.observe(picture);
}

/** Forget an element that leaves the page. */
export function dropThumbnail(picture) {
  near.unobserve(picture);
  waiting.delete(picture);
}

async function next() {
  while (running < AT_ONCE && waiting.size) {
    const [picture] = waiting;
    waiting.delete(picture);
    running += 1;
    draw(picture).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function draw(picture) {
  const source = sources.get(picture);
  try {
    const bitmap = await smaller(await source());
    if (sources.get(picture) !== source || !nearby.has(picture)) return bitmap.close();
    const canvas = document.createElement("canvas");
    paint(canvas, bitmap);
    picture.querySelector("canvas")?.remove();
    picture.append(canvas);
    picture.classList.remove("blank");
  } catch {
    picture.classList.add("blank"); // a format that this browser does not show; the server may know it all the same
  }
}

/** The image within EDGE x EDGE pixels. @returns {Promise<ImageBitmap>} */
async function smaller(blob, edge = EDGE) {
  const { width, height } = await dimensions(blob);
  const scale = Math.min(1, edge / Math.max(width, height));
  const resized = (pixels) => Math.max(1, Math.round(pixels * scale));
  return createImageBitmap(blob, { resizeWidth: resized(width), resizeHeight: resized(height), resizeQuality: "medium" });
}

/** Paint the bitmap on a canvas of its size, and close it. A canvas that takes it over loses how it is turned. */
function paint(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

/** The image within edge x edge pixels as a file of its own. @returns {Promise<Blob>} */
export async function shrink(blob, edge = EDGE) {
  const bitmap = await smaller(blob, edge);
  const canvas = new OffscreenCanvas(1, 1);
  paint(canvas, bitmap);
  return canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
}

/** Width and height in pixels, as shown. Asked for first: a resize by one side alone would make a 1 x 20000 image huge. */
async function dimensions(blob) {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(url);
  }
}
