// The page of a job, live: progress, time left, a tile for each image, and what is to be done when it is ready.
// The server renders the page; this script keeps it fresh, and asks the server for the page's head anew when the job's state changes.

import "./page.js";
import { clock, loadTexts, moment, roughly, say, state } from "./texts.js";
import { watchTiles } from "./viewer.js";

const QUICK = 500; // milliseconds between two questions while something happens
const SLOW = 5000; // while nothing does
const HIDDEN = 15000; // while nobody looks: the tab's title goes on
const SHOWN = 120; // tiles at first, and how many more one press adds
const EDGE = 320; // pixels of a tile's picture, the longer side

const $ = (id) => document.getElementById(id);
const article = $("job");
const address = `/function/status/${article.dataset.job}`;
let title = document.title; // without the progress
let images = []; // those that have room, as the status gives them
let total = 0; // of all images
let pace = null; // {at, finished}: when the first image was seen finished, for the time left
let room = SHOWN; // tiles that may be shown
let interval = QUICK;
let tag = {}; // address -> ETag
let timer = 0;

// ---------------------------------------------------------------- asking

async function ask() {
  clearTimeout(timer);
  try {
    const job = await read(`${address}?first=${room}`);
    if (job) await update(job);
    interval = job ? QUICK : Math.min(SLOW, interval * 1.5);
    lost(false);
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error); // fetch's own means: no connection
    tag = {}; // what was read may not have been shown
    interval = Math.min(SLOW, interval * 1.5);
    lost(true);
  }
  if (!ended()) timer = setTimeout(ask, document.hidden ? HIDDEN : interval);
}

/** The status, or null if nothing has changed since it was last read. A job that is gone reloads the page, which says so. */
async function read(url) {
  const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json", ...(tag[url] && { "If-None-Match": tag[url] }) } });
  if (answer.status === 404 || answer.status === 410) location.reload();
  if (!answer.ok) {
    if (answer.status >= 500) throw new TypeError(answer.statusText);
    return null;
  }
  tag[url] = answer.headers.get("ETag");
  return answer.json();
}

const ended = () => ["ready", "failed"].includes(article.dataset.state);

function lost(on) {
  const line = $("connection");
  const text = on ? say("job.connection_lost") : "";
  if (line && line.textContent !== text) line.textContent = text;
}

// ---------------------------------------------------------------- showing

async function update(job) {
  images = job.images;
  total = job.total;
  showTiles();
  if (job.state !== article.dataset.state) await changeState(job);
  if (!ended()) showProgress(job);
}

function showProgress(job) {
  const finished = job.done + job.failed;
  $("progress").max = job.total || 1;
  $("progress").value = finished;
  $("counts").textContent = say("job.counts", { finished, count: job.total });
  document.title = job.total ? `${finished}/${job.total} – ${title}` : title;
  $("left").textContent = timeLeft(finished, job.total);
}

/** Said only when it can be believed: after some images and some seconds. */
function timeLeft(finished, total) {
  const now = performance.now();
  if (finished && !pace) pace = { at: now, finished };
  const seconds = pace ? (now - pace.at) / 1000 : 0;
  const since = pace ? finished - pace.finished : 0;
  if (seconds < 3 || since < 3 || finished >= total) return "";
  return say("job.time_left", { time: roughly((seconds / since) * (total - finished)) });
}

/** Fetch the page's head for the new state from the server, which knows how it reads. */
async function changeState(job) {
  const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
  if (answer.status >= 500) throw new TypeError(answer.statusText); // asked again later
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const had = $("state").contains(document.activeElement);
  $("state").replaceWith(page.getElementById("state"));
  $("failures")?.remove();
  if (page.getElementById("failures")) $("state").after(page.getElementById("failures"));
  article.dataset.state = page.getElementById("job").dataset.state;
  document.title = title = page.title;
  if (had) document.querySelector("#state h1").focus();
  enhance();
  if (job.state === "ready") tell();
}

function tell() {
  $("said").textContent = say("job.say_ready");
  if (document.hidden && window.Notification?.permission === "granted") {
    try {
      new Notification(document.title, { body: say("job.say_ready"), icon: "/logo.svg" });
    } catch {
      // Browsers on phones allow it to service workers alone; the tab's title says it too.
    }
  }
}

// ---------------------------------------------------------------- tiles

function showTiles() {
  const list = $("tiles");
  if (!list) return images.length && location.reload(); // the page was rendered before the first image came
  const byNumber = new Map(images.map((image) => [image.number, image]));
  for (const tile of list.children) showTile(tile, byNumber.get(Number(tile.dataset.number)));
  fill(list);
}

/** Make tiles for images that have none yet, as far as there is room. */
function fill(list) {
  for (const image of images.slice(list.children.length, room)) {
    const tile = list.children[0].cloneNode(true);
    tile.dataset.number = image.number;
    tile.className = "tile";
    const picture = Object.assign(document.createElement("span"), { className: "picture" });
    tile.querySelector(".picture").replaceWith(picture);
    Object.assign(tile.querySelector(".name"), { textContent: image.name, title: image.name });
    list.append(tile);
    showTile(tile, image);
  }
  const count = total - list.children.length;
  $("hidden").hidden = $("more").hidden = count <= 0;
  $("hidden").textContent = say("job.more_hidden", { count });
}

async function showMore() {
  const list = $("tiles");
  const from = list.children.length;
  room += SHOWN;
  await ask();
  list.children[from]?.querySelector("a")?.focus();
}

function showTile(tile, image) {
  if (!image || tile.classList.contains(image.state)) return; // as the server has rendered it, or as it is already
  tile.className = `tile ${image.state}`;
  tile.querySelector(".state").textContent = state(image);
  if (!image.result) return;
  const picture = Object.assign(document.createElement("a"), { className: "picture", href: image.result.url });
  picture.setAttribute("aria-label", say("job.open", { name: image.name }));
  const src = `${image.result.url}/small?longest=${EDGE}`;
  picture.append(Object.assign(new Image(), { alt: "", loading: "lazy", decoding: "async", src }));
  tile.querySelector(".picture").replaceWith(picture);
}

// ---------------------------------------------------------------- the ready job

function enhance() {
  for (const time of document.querySelectorAll("time")) time.textContent = moment(time.dateTime);
  const copy = $("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.onclick = async () => {
      await navigator.clipboard.writeText(location.origin + location.pathname);
      $("said").textContent = copy.textContent = say("job.copied");
      setTimeout(() => (copy.textContent = say("job.copy")), 3000);
    };
  }
  const toPhone = $("to-phone");
  if (toPhone) Object.assign(toPhone, { hidden: false, onclick: showCode });
  const notify = $("notify");
  if (notify && window.Notification?.permission === "default") {
    notify.hidden = false;
    notify.onclick = async () => (notify.hidden = (await Notification.requestPermission()) !== "default");
  }
  countDown();
}

/** Show the page's address as a QR code, for a phone's camera. */
async function showCode() {
  const { generate } = await import("./vendor/lean-qr.js");
  generate(location.origin + location.pathname).toCanvas($("phone-code"));
  $("phone").showModal();
}

function countDown() {
  const line = $("countdown");
  if (!line) return;
  // The server's clock counts: the difference to this computer's is found once.
  const ahead = Date.parse(line.dataset.now) - Date.now();
  const until = Date.parse(line.dataset.expires);
  const tick = () => {
    const seconds = (until - Date.now() - ahead) / 1000;
    line.textContent = say("job.countdown", { time: clock(seconds) });
    if (seconds < -2) location.reload();
    else setTimeout(tick, 1000);
  };
  tick();
}

// ---------------------------------------------------------------- start

async function start() {
  await loadTexts();
  enhance();
  $("more")?.addEventListener("click", showMore);
  document.addEventListener("visibilitychange", () => document.hidden || ended() || ask());
  await ask();
}

const known = start();
if ($("tiles")) watchTiles($("tiles"), () => images, known);
