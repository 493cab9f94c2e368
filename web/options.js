// The form of the options: what it says while it changes, and what is sent.

import { forgetLogo, keepLogo, ownLogo } from "./logo.js";
import { say } from "./texts.js";

const $ = (id) => document.getElementById(id);

const KEPT = "options"; // the name under which the browser keeps them for the next time
const TILED_ANGLE = 30; // degrees by which the engine turns a mark if it is not told, when tiled; else it stands upright

/** What a press on a preset sets; all else stays as it is. */
const PRESETS = {
  logo_all: { kind: "logo", position: "tile", size: 0.25, opacity: 0.65 },
  logo_corner: { kind: "logo", position: "bottom-right", size: 0.2, opacity: 0.8 },
  text_all: { kind: "text", position: "tile", size: 0.25, opacity: 0.65 },
  text_corner: { kind: "text", position: "bottom-right", size: 0.25, opacity: 0.9 },
};

/** Show the presets that the server has before those of the page; `changed` is called when one is pressed. */
export async function addPresets(form, changed) {
  const schema = await (await fetch("/function/upload/schema")).json();
  const names = schema.properties.preset?.enum ?? [];
  const buttons = names.map((name) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: name.replace(/[_-]/g, " ") });
    button.setAttribute("aria-pressed", "false");
    button.onclick = () => (choosePreset(form, name, button), changed());
    return button;
  });
  form.querySelector(".presets").prepend(...buttons);
}

/** Take the server's preset called `name`, or none if that is "", in which case the fields of the form count. */
function choosePreset(form, name, pressed) {
  if (name) form.dataset.preset = name;
  else delete form.dataset.preset;
  for (const button of form.querySelectorAll(".presets [aria-pressed]")) button.setAttribute("aria-pressed", button === pressed);
}

/** Bring the form to life: numbers beside the sliders, presets, the choice of the last time. `changed` is called after every change. */
export function watchOptions(form, kind, changed) {
  const { rotation, text } = form.elements;
  const show = () => {
    $("logo").hidden = !ownLogo();
    if (ownLogo()) $("logo").src = ownLogo();
    if (!rotation.dataset.touched) rotation.value = form.elements.position.value === "tile" ? TILED_ANGLE : 0;
    for (const output of form.querySelectorAll("output[data-unit]")) {
      const value = Math.round(form.elements[output.htmlFor.value].value * (output.dataset.times ?? 1));
      output.value = say(output.dataset.unit, { value });
    }
    changed();
  };
  const set = (values) => {
    choosePreset(form, "");
    delete rotation.dataset.touched;
    for (const [name, value] of Object.entries(values)) {
      const field = name === "kind" ? kind.elements.kind : form.elements[name];
      if (field) field.value = value;
      if (name === "color" && !field.value) {
        form.elements["own-color"].value = value;
        field.value = "own";
      }
      if (name === "rotation") rotation.dataset.touched = "yes";
    }
    if (kind.elements.kind.value === "text" && !text.value) text.value = `© ${new Date().getFullYear()}`;
    show();
  };
  rotation.addEventListener("input", () => (rotation.dataset.touched = "yes"));
  form.addEventListener("input", show);
  for (const radio of kind.elements.kind) radio.addEventListener("input", () => set({}));
  for (const button of form.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => {
      const preset = PRESETS[button.dataset.preset];
      set(preset.kind === "logo" && ownLogo() ? { ...preset, kind: "image" } : preset);
    });
  }
  $("choose-logo").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    $("wrong-logo").textContent = await keepLogo(file).then(() => "", () => say("options.image_wrong"));
    show();
  });
  form.addEventListener("reset", () => {
    kind.reset();
    forgetLogo();
    localStorage.removeItem(KEPT);
    setTimeout(() => set({})); // the values change after the event
  });
  set(JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
}

/** Keep the options in this browser for the next time. */
export function keepOptions(form, kind) {
  if (form.dataset.preset) return;
  const { image, ...fields } = readFields(form, kind); // the logo is kept by itself
  localStorage.setItem(KEPT, JSON.stringify({ kind: kind.elements.kind.value, ...fields }));
}

/** The options as fields of a form: name -> text. */
export function readFields(form, kind) {
  if (form.dataset.preset) return { preset: form.dataset.preset };
  const { text, rotation, ...fields } = Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string" && value.trim()));
  const chosen = kind.elements.kind.value;
  if (fields.color === "own") fields.color = form.elements["own-color"].value;
  if (chosen === "text" && text) fields.text = text;
  if (chosen === "image" && ownLogo()) fields.image = ownLogo();
  if (form.elements.rotation.dataset.touched) fields.rotation = rotation;
  return fields;
}

/** The same as the JSON document that the server knows: those of the output, and the one task with its own. */
export function readOptions(form, kind) {
  const { preset, format, quality, metadata, creator, copyright, usage_terms, ...mark } = readFields(form, kind);
  if (preset) return { preset };
  return { tasks: [{ task: "watermark", ...mark }], format, quality, metadata, creator, copyright, usage_terms };
}
