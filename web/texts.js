// Texts, numbers and times as one language writes them; the server's pages.py does the same.

let texts = {};
export const language = document.documentElement.lang || "en";
// Times and numbers in the reader's own country's way, if that speaks the page's language: 12:30 in Britain, 12:30 PM in America.
const locale = navigator.languages.find((each) => each.split("-")[0] === language) ?? language;
const plural = new Intl.PluralRules(language);

/** Read the page's texts; every other function here needs them. */
export async function loadTexts() {
  const answer = await fetch(`/texts/${language}.json`);
  if (!answer.ok) throw new Error(`texts: ${answer.status}`);
  texts = await answer.json();
}

/** The text called `name` ("job.counts") with its places filled; `count` chooses the plural form. */
export function say(name, values = {}) {
  let text = name.split(".").reduce((group, key) => group[key], texts);
  if (typeof text === "object") text = text[plural.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, key) => (typeof values[key] === "number" ? number(values[key]) : values[key]));
}

/** Why an image failed: in this language if its code is known, else as the server says it. */
export function reason(image) {
  return texts.reasons[image.code] || image.reason || image.code;
}

/** How it is with an image: why it failed, or its state and what else there is to know of its result. */
export function state(image) {
  if (image.state === "failed") return reason(image);
  const notes = (image.result?.notes ?? []).map(({ code, text }) => texts.notes[code] || text);
  const name = say(`job.state_${image.state}`);
  return notes.length ? [`${name}.`, ...notes].join(" ") : name;
}

/** Put the texts into the elements that ask for them: data-text (content), data-label (aria-label), data-hint (placeholder). */
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
}

export const number = (value) => new Intl.NumberFormat(locale).format(value);

const UNITS = [["gigabyte", 2 ** 30], ["megabyte", 2 ** 20], ["kilobyte", 2 ** 10]];

/** A number of bytes as people read it: 34.2 MB, with 1024 bytes in a kB as file managers count. */
export function size(bytes) {
  const [unit, step] = UNITS.find(([, each]) => bytes >= each) ?? UNITS[2];
  const value = bytes / step;
  const digits = unit === "kilobyte" || value >= 100 ? 0 : 1;
  const shown = unit === "kilobyte" ? Math.max(1, value) : value;
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: digits }).format(shown);
}

/** A time that is left, in seconds, as a person would say it: "about 2 min". */
export function roughly(seconds) {
  if (seconds < 8) return say("units.moments");
  let [value, unit] = [Math.round(seconds / 3600), "hour"];
  if (seconds < 5400) [value, unit] = [Math.ceil(seconds / 60), "minute"];
  if (seconds < 50) [value, unit] = [Math.ceil(seconds / 10) * 10, "second"];
  const time = new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
  return say("units.about", { time });
}

/** Exact time that is left, in seconds: 59:31. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const rest = `${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** A moment in the reader's own time zone, with the day if it is another one. */
export function moment(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale, { timeStyle: "short", ...(today ? {} : { dateStyle: "medium" }) }).format(at);
}
