// The form of the options: what it says while it changes, and what is sent.

import { say } from "./texts.js";

const TILED_ANGLE = 30; // degrees by which the engine turns a mark if it is not told, when tiled; else it stands upright

/** Keep the numbers beside the sliders, and the angle as the engine would choose it until the visitor does. */
export function watchOptions(form, kind) {
  const { rotation } = form.elements;
  const show = () => {
    if (!rotation.dataset.touched) rotation.value = form.elements.position.value === "tile" ? TILED_ANGLE : 0;
    for (const output of form.querySelectorAll("output[data-unit]")) {
      const value = Math.round(form.elements[output.htmlFor.value].value * (output.dataset.times ?? 1));
      output.value = say(output.dataset.unit, { value });
    }
  };
  rotation.addEventListener("input", () => (rotation.dataset.touched = "yes"));
  form.addEventListener("input", show);
  form.addEventListener("reset", () => {
    kind.reset();
    delete rotation.dataset.touched;
    setTimeout(show); // the values change after the event
  });
  show();
}

/** The options as fields of a form: name -> text. */
export function readFields(form, kind) {
  const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  if (kind.elements.kind.value === "logo" || !fields.text.trim()) delete fields.text;
  if (!form.elements.rotation.dataset.touched) delete fields.rotation;
  return fields;
}

/** The same as the JSON document that the server knows: those of the output, and the one task with its own. */
export function readOptions(form, kind) {
  const { format, quality, metadata, ...mark } = readFields(form, kind);
  return { tasks: [{ task: "watermark", ...mark }], format, quality, metadata };
}
