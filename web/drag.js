// The mark is put where the preview is pressed, or dragged to: at the nearest of the nine positions.

const ROWS = ["top", "", "bottom"];
const COLUMNS = ["left", "", "right"];

/** Call `choose` with the name of the position whenever another one is pressed or dragged to. */
export function watchDrag(image, choose) {
  let last = "";
  const place = ({ clientX, clientY }) => {
    const { left, top, width, height } = shownBox(image);
    const row = ROWS[third((clientY - top) / height)];
    const column = COLUMNS[third((clientX - left) / width)];
    const position = [row, column].filter(Boolean).join("-") || "center";
    if (position !== last) choose((last = position));
  };
  const end = () => (last = "");
  // By touch a press alone may be the beginning of scrolling, so only a move or a click counts.
  image.addEventListener("pointerdown", ({ button, pointerId }) => button || image.setPointerCapture(pointerId));
  image.addEventListener("pointermove", (event) => image.hasPointerCapture(event.pointerId) && place(event));
  image.addEventListener("click", (event) => (place(event), end()));
  image.addEventListener("pointercancel", end);
  image.addEventListener("dragstart", (event) => event.preventDefault());
}

const third = (part) => Math.min(2, Math.max(0, Math.floor(part * 3)));

/** Where the picture is within its element, which it need not fill. */
function shownBox(image) {
  const box = image.getBoundingClientRect();
  const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
}
