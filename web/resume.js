// An upload that a reload has interrupted: the job and its links are kept in the tab, so that only the missing files are sent
// when the visitor chooses them again (a page may not read files by itself).

const KEPT = "upload"; // {job, page, files: [{link, name, size}]}
const SENT = "upload-sent"; // the numbers of the files that are sent, apart because it is written often

/** Keep a job that is being sent: {job, page, uploads}, and the sizes of its files. */
export function keepJob({ job, page, uploads }, entries) {
  const files = uploads.map((link) => ({ link, name: entries[link.number - 1].name, size: entries[link.number - 1].file.size }));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ job, page, files }));
  } catch {
    // No room in the browser: then this upload cannot be taken up again, but it goes on.
  }
}

/** Keep in mind that a file is sent. */
export function keepSent({ link }) {
  if (link && sessionStorage.getItem(KEPT)) sessionStorage.setItem(SENT, JSON.stringify([...sentNumbers(), link.number]));
}

export function forgetJob() {
  sessionStorage.removeItem(KEPT);
  sessionStorage.removeItem(SENT);
}

/** Whether there is one to look for. */
export const mayBeInterrupted = () => Boolean(sessionStorage.getItem(KEPT));

const sentNumbers = () => JSON.parse(sessionStorage.getItem(SENT) ?? "[]");

/** The interrupted job, its `missing` files [{link, name, size}] and how many have `arrived`; null if there is none. */
export async function interruptedJob() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  if (!kept) return null;
  const answer = await fetch(`/function/status/${kept.job}`, { cache: "no-store" }).catch(() => null);
  if (!answer) return null;
  const status = answer.ok ? await answer.json() : { images: [] };
  const waiting = new Set(status.images.filter(({ state }) => state === "waiting").map(({ number }) => number));
  for (const number of sentNumbers()) waiting.delete(number);
  const missing = kept.files.filter(({ link }) => waiting.has(link.number));
  if (missing.length) return { ...kept, missing, arrived: kept.files.length - missing.length };
  forgetJob();
  return null;
}

/** Those of the found files [{file, name}] that are missing, as entries with their links. */
export function matching({ missing }, found) {
  const links = new Map(missing.map(({ link, name, size }) => [`${name}|${size}`, link]));
  return found
    .map(({ file, name }) => ({ file, name, zip: false, sent: 0, state: "chosen", link: links.get(`${name}|${file.size}`) }))
    .filter(({ link }) => link);
}
