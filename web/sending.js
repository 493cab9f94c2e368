// Sending a job: a list of names and sizes gets one signed link for each file, and the files go straight to the store,
// several at once, each tried again until it is there. A ZIP has to be opened by the server, so a job with one goes there whole.

import { say } from "./texts.js";

const AT_ONCE = 4;
const ATTEMPTS = 8;
const LONGEST_PAUSE = 30_000; // milliseconds

/** The server's refusal: a problem document (RFC 9457). */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || String(status));
    this.status = status;
    this.problem = problem;
  }
}

/** No answer, or the connection broke off. */
export class NoAnswer extends Error {}

/** Ask for a job. @returns {Promise<object>} its `job`, `page`, `status` and `uploads` */
export async function createJob(entries, options, signal) {
  const files = entries.map(({ name, file }) => ({ name, size: file.size }));
  let answer;
  try {
    answer = await fetch("/function/upload", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ files, options }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new NoAnswer();
  }
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => null));
  return answer.json();
}

/**
 * Send each entry to its `link`. The entries' `state` and `sent` (bytes) tell how far each is; `changed(entry)` is called after every change.
 * Ends when each is sent or given up; one given up can be sent again with the same link.
 */
export async function sendFiles(entries, signal, changed) {
  const waiting = entries.filter(({ state }) => state !== "sent");
  const worker = async () => {
    for (let entry; (entry = waiting.shift()) && !signal.aborted; ) await sendFile(entry, signal, changed);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function sendFile(entry, signal, changed) {
  const update = (state, sent) => {
    Object.assign(entry, { state, sent });
    changed(entry);
  };
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    update("sending", 0);
    try {
      await request(entry.link.method, entry.link.url, entry.file, signal, (bytes) => update("sending", bytes));
      return update("sent", entry.file.size);
    } catch (error) {
      if (signal.aborted) return update("chosen", 0);
      if (isFinal(error) || attempt === ATTEMPTS) return update("unsent", 0);
      update("stalled", 0);
      await pause(attempt, signal);
    }
  }
}

/** Whether another try would end the same. */
const isFinal = (error) => error instanceof Refusal && error.status < 500 && ![408, 429].includes(error.status);

/** Wait longer after each attempt, and at once go on when the connection is back. */
function pause(attempt, signal) {
  const longest = Math.min(LONGEST_PAUSE, 500 * 2 ** attempt);
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, longest * (0.75 + Math.random() / 2));
    for (const [target, event] of [[window, "online"], [signal, "abort"]]) {
      target.addEventListener(event, () => (clearTimeout(timer), resolve()), { once: true });
    }
  });
}

/** Send a job in one request, ZIPs included. @returns {Promise<object>} its `job`, `page` and `status` */
export async function sendWhole(entries, options, signal, progress) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  for (const { name, file } of entries) form.append("files", file, name);
  return JSON.parse(await request("POST", "/function/upload", form, signal, progress));
}

/** One request that tells how much of its body is sent (fetch cannot). @returns {Promise<string>} the answer's body */
function request(method, url, body, signal, progress) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open(method, url);
    call.setRequestHeader("Accept", "application/json");
    call.upload.onprogress = (event) => progress(event.loaded);
    call.onerror = () => reject(new NoAnswer());
    call.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    call.onload = () => (call.status < 300 ? resolve(call.responseText) : reject(new Refusal(call.status, parsed(call.responseText))));
    const abort = () => call.abort();
    signal.addEventListener("abort", abort);
    call.onloadend = () => signal.removeEventListener("abort", abort);
    call.send(body);
  });
}

/** The words for what went wrong. */
export function explain(error) {
  if (error instanceof NoAnswer) return say("sending.no_answer");
  if (!(error instanceof Refusal)) throw error;
  const fields = (error.problem?.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return [say("sending.error"), ...(fields.length ? fields : [error.message])].join(" ");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
