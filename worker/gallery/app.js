// The gallery: upload, look, search, delete. It speaks only to the site that served it, and only through the
// interface that every other client has (`POST /images`, `GET /images`, `GET|DELETE /images/{id}`).
//
// Whatever the site answers is put on the page as text, never as markup.
//
// Hooks that tests and scripts may rely on:
//   body[data-state]               loading | empty | nothing | ready | trouble
//   #upload                        the file input; #search the search field; #status what a screen reader is told
//   #uploads li[data-upload]       one a file being sent; data-state: waiting | sending | working | held | done | failed;
//                                  .name, .note (what went wrong, in words), progress,
//                                  button[data-action=retry], button[data-action=dismiss]
//   #photos li.photo               one a photo: data-image-id; data-resize, data-tag, and data-state for both:
//                                  pending | done | failed
//     button.open                  opens the viewer; img.thumb inside, with data-loaded once it shows
//     button.tag[data-tag-label]   searches for that tag; .tag-note says that tags are awaited or failed
//   #photos[data-query]            the search that the photos shown answer ("" for all); [aria-busy] while a page is awaited
//   #more                          the next page (also asked for by scrolling)
//   dialog#viewer[open]            [data-image-id]; #viewer-image, #viewer-tags li[data-tag-label][data-score],
//                                  a[data-role=original], #viewer-problem,
//                                  button[data-action=delete], then button[data-action=confirm-delete] or keep,
//                                  button[data-action=previous|next|close]

const PARALLEL_UPLOADS = 3;
const PAGE = 50;
const SEARCH_DELAY_MS = 180;
const POLL = { first: 400, factor: 1.6, longest: 12_000, batch: 8 };
const AUTOMATIC_TRIES = 4;
const PREVIEW_WIDTH = 480;
const LARGE_BYTES = 10_000_000;
const PREVIEW_MAX_BYTES = 40 * 1024 * 1024;
const SUGGESTIONS = ["animal", "bird", "food", "vehicle", "clothing", "furniture"];

const $ = (id) => document.getElementById(id);
const grid = $("photos");
const records = new Map(); // id -> the record as last heard
const tiles = new Map(); // id -> its <li>
const previews = new Map(); // id -> what this browser drew of the file itself, until the first rendition is there

// ---------------------------------------------------------------------------------------------------- elements

/** Makes an element; strings among the children become text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

let lastSaid;
/** Tells a screen reader; the same words twice are said twice. */
function say(words) {
  $("status").textContent = words === lastSaid ? `${words}\u00a0` : words;
  lastSaid = $("status").textContent;
}

function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

function formatBytes(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = bytes > 0 ? Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1) : 0;
  const digits = power > 1 ? 1 : 0;
  return new Intl.NumberFormat(undefined, {
    style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: digits,
  }).format(bytes / 1000 ** power);
}

function formatTime(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

// ------------------------------------------------------------------------------------------------- the interface

/** What the site refused, in people's words; `after` is set (milliseconds) where it asks to be tried again later. */
class Problem extends Error {
  constructor(status, title, detail, after) {
    super([title, detail].filter(Boolean).join(" "));
    Object.assign(this, { status, title, detail, after });
  }
}

const IN_WORDS = {
  0: "The connection was lost.",
  404: "That photo is no longer here.",
  413: "This photo is too large.",
  415: "This is not a kind of picture that the site takes.",
  422: "This file could not be read as a picture.",
  429: "The site is busy.",
  502: "The site did not answer.",
  503: "The site is busy.",
  504: "The site took too long to answer.",
};

/** The site's own words as a sentence. */
function sentence(words) {
  const text = words.trim();
  return text ? text[0].toLocaleUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : "";
}

function problemOf(status, body, retryAfter) {
  let detail = "";
  try {
    const problem = JSON.parse(body);
    detail = String(problem.detail ?? problem.title ?? "").replace(/\d{4,} bytes/, (bytes) => formatBytes(parseInt(bytes, 10)));
  } catch {
    // A proxy in between answers in its own words, which help nobody here.
  }
  const title = IN_WORDS[status] ?? (status >= 500 ? "The site could not do that." : "The site refused that.");
  // What is wrong with a file, the site says better than a title can.
  if (detail && (status === 415 || status === 422)) return new Problem(status, sentence(detail));
  return new Problem(status, title, sentence(detail), waitOf(retryAfter));
}

/** Retry-After is a number of seconds or a date. */
function waitOf(header) {
  if (!header) return undefined;
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), 10 * 60_000) : undefined;
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", headers: { Accept: "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problemOf(0, "");
  }
  const body = await response.text();
  if (!response.ok) throw problemOf(response.status, body, response.headers.get("Retry-After"));
  try {
    return body ? JSON.parse(body) : null;
  } catch {
    throw new Problem(response.status, "The site's answer could not be read.");
  }
}

const imagePath = (id) => `/images/${encodeURIComponent(id)}`;

// -------------------------------------------------------------------------------------------- what a record says

const stateOf = (part) => part?.state ?? "pending";
const isPending = (record) => stateOf(record.resize) === "pending" || stateOf(record.tag) === "pending";
const renditionsOf = (record) => [...(record.resize?.renditions ?? [])].sort((a, b) => a.width - b.width);
const tagsOf = (record) => [...(record.tag?.tags ?? [])].sort((a, b) => b.score - a.score);
const nameOf = (record) => record.filename || "Photo without a name";

function altOf(record) {
  const labels = tagsOf(record).slice(0, 3).map((tag) => tag.label);
  return labels.length ? `${nameOf(record)}: ${labels.join(", ")}` : nameOf(record);
}

/** Width over height as shown: of a rendition if there is one, because it is turned the right way up. */
function ratioOf(record) {
  const [shown] = renditionsOf(record);
  const preview = previews.get(record.id);
  const { width, height } = shown ?? preview ?? record;
  return width > 0 && height > 0 ? Math.min(Math.max(width / height, 0.56), 2.6) : 1;
}

function srcsetOf(record) {
  const one = new Map(renditionsOf(record).map((rendition) => [rendition.width, rendition]));
  return [...one.values()].map((rendition) => `${rendition.url} ${rendition.width}w`).join(", ");
}

// ---------------------------------------------------------------------------------------------------------- tiles

function tileOf(record) {
  let tile = tiles.get(record.id);
  if (!tile) {
    tile = make("li", { class: "photo", "data-image-id": record.id },
      make("button", { class: "open", type: "button" }), make("div", { class: "tags" }));
    tiles.set(record.id, tile);
  }
  hear(record);
  return tile;
}

/** Takes in what the site says about a photo, and shows it wherever the photo is shown. */
function hear(record) {
  const before = JSON.stringify(records.get(record.id));
  records.set(record.id, record);
  watch(record);
  const changed = before !== JSON.stringify(record);
  const tile = tiles.get(record.id);
  if (tile && changed) paintTile(tile, record);
  if (changed && viewer.dataset.imageId === record.id) paintViewer(record);
  return changed;
}

function paintTile(tile, record) {
  tile.dataset.resize = stateOf(record.resize);
  tile.dataset.tag = stateOf(record.tag);
  tile.dataset.state = ["pending", "failed"].find((state) => [tile.dataset.resize, tile.dataset.tag].includes(state)) ?? "done";
  tile.style.setProperty("--ratio", ratioOf(record).toFixed(4));
  paintThumb(tile.querySelector(".open"), record);
  const labels = tagsOf(record).slice(0, 4).map((tag) => tagButton(tag.label));
  tile.querySelector(".tags").replaceChildren(...(labels.length ? labels : [tagNote(record)]));
}

function tagButton(label) {
  return make("button", { class: "tag", type: "button", "data-tag-label": label, title: `Photos with ${label}` }, label);
}

function tagNote(record) {
  const words = { pending: "Looking at it…", done: "No tags", failed: "Not tagged" }[stateOf(record.tag)] ?? "";
  return make("span", { class: "tag-note", title: record.tag?.reason }, words);
}

function paintThumb(open, record) {
  const srcset = srcsetOf(record);
  const image = open.querySelector("img");
  if (srcset) {
    if (image?.getAttribute("srcset") === srcset) image.alt = altOf(record);
    else showThumb(open, record, srcset);
  } else if (stateOf(record.resize) === "failed") {
    open.replaceChildren(failedPicture(record));
  } else if (previews.has(record.id)) {
    if (!open.querySelector("canvas")) open.replaceChildren(drawn(record.id));
    open.firstElementChild.setAttribute("aria-label", nameOf(record));
  } else {
    open.replaceChildren(make("span", { class: "waiting" }, `Making sizes of ${nameOf(record)}…`));
  }
}

function showThumb(open, record, srcset) {
  const { url } = renditionsOf(record).at(-1);
  const image = make("img", { class: "thumb", alt: altOf(record), decoding: "async", draggable: "false" });
  let tries = 0;
  image.addEventListener("load", () => {
    image.dataset.loaded = "";
    open.querySelector("canvas")?.remove();
    previews.get(record.id)?.close();
    previews.delete(record.id);
  });
  image.addEventListener("error", () => {
    // One more try: a rendition may be asked for in the moment in which its worker is replaced.
    if (tries++ === 0) setTimeout(() => { image.srcset = ""; image.srcset = srcset; }, 3000);
    else open.replaceChildren(failedPicture({ ...record, resize: { reason: "It could not be loaded." } }));
  });
  const canvas = open.querySelector("canvas");
  open.replaceChildren(...(canvas ? [canvas, image] : [image]));
  image.loading = "lazy";
  image.sizes = `(max-width: 40rem) 60vw, ${Math.round(ratioOf(record) * 260)}px`;
  image.srcset = srcset;
  image.src = url;
}

function drawn(id) {
  const bitmap = previews.get(id);
  const canvas = make("canvas", { width: bitmap.width, height: bitmap.height, role: "img" });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}

function failedPicture(record) {
  return make("span", { class: "broken" },
    make("strong", {}, "No picture to show"),
    make("span", { class: "reason" }, sentence(record.resize?.reason || "Its sizes could not be made")),
    make("span", { class: "name" }, nameOf(record)));
}

function forget(id) {
  tiles.get(id)?.remove();
  tiles.delete(id);
  records.delete(id);
  pending.delete(id);
  previews.get(id)?.close();
  previews.delete(id);
}

/** Takes a photo that is no longer there off the page. */
function remove(id) {
  forget(id);
  if (!grid.children.length && document.body.dataset.state === "ready") load();
}

// ------------------------------------------------------------------------- photos that are still being worked on

const pending = new Set(); // ids, least recently asked first
let pollTimer = 0;
let pollDelay = POLL.first;
let asking = false;

function watch(record) {
  if (!isPending(record)) pending.delete(record.id);
  else if (!pending.has(record.id)) {
    pending.add(record.id);
    pollDelay = POLL.first;
    schedulePoll(true);
  }
}

function schedulePoll(sooner = false) {
  if (sooner) clearTimeout(pollTimer), (pollTimer = 0);
  if (pollTimer || asking || document.hidden || !pending.size) return;
  pollTimer = setTimeout(poll, pollDelay);
}

async function poll() {
  pollTimer = 0;
  asking = true;
  const answers = await Promise.all([...pending].slice(0, POLL.batch).map(refresh));
  asking = false;
  pollDelay = answers.includes(true) ? POLL.first : Math.min(pollDelay * POLL.factor, POLL.longest);
  schedulePoll();
}

/** Asks for one photo again; true when something about it changed. */
async function refresh(id) {
  try {
    const record = await call(imagePath(id));
    if (!records.has(id)) return false; // deleted here in the meantime
    if (pending.delete(id)) pending.add(id);
    return hear(record);
  } catch (problem) {
    if (problem.status === 404) remove(id);
    return false;
  }
}

document.addEventListener("visibilitychange", () => {
  pollDelay = POLL.first;
  schedulePoll(true);
});

// ---------------------------------------------------------------------------------------------- pages and search

let query = "";
let cursor = null;
let loading = null; // the AbortController of the request whose answer counts
let arrivals = []; // photos that were uploaded while a page was under way

function show(state) {
  document.body.dataset.state = state;
  $("heading").textContent = query ? `Photos with ${query}` : "All photos";
  document.title = query ? `${query} · decouple` : "Photos · decouple";
  $("found").hidden = !(query && state === "ready");
  $("found-term").textContent = query;
  $("nothing-term").textContent = `“${query}”`;
  $("more").hidden = !(state === "ready" && cursor);
}

async function load({ more = false } = {}) {
  loading?.abort();
  const mine = (loading = new AbortController());
  const parameters = new URLSearchParams({ limit: PAGE });
  if (query) parameters.set("q", query);
  if (more) parameters.set("cursor", cursor);
  if (!more) arrivals = [];
  $("more").disabled = true;
  grid.setAttribute("aria-busy", "true");
  try {
    const page = await call(`/images?${parameters}`, { signal: mine.signal });
    if (mine === loading) place(page, more);
  } catch (problem) {
    if (mine === loading && problem.name !== "AbortError") failLoad(problem, more);
  } finally {
    if (mine === loading) {
      loading = null;
      $("more").disabled = false;
      grid.removeAttribute("aria-busy");
      askForMore();
    }
  }
}

function place(page, more) {
  cursor = page.next ?? null;
  const found = page.images.map(tileOf);
  if (more) grid.append(...found);
  else grid.replaceChildren(...found);
  if (!query) grid.prepend(...arrivals.filter((id) => tiles.has(id) && !tiles.get(id).isConnected).map((id) => tiles.get(id)));
  if (!more) dropUnseen();
  grid.dataset.query = query;
  const shown = grid.children.length;
  show(shown ? "ready" : query ? "nothing" : "empty");
  if (query || more) say(shown ? `${count(shown, "photo")}${cursor ? " so far" : ""}${query ? ` with ${query}` : ""}` : `No photo with ${query}`);
}

/** Forgets photos that the page no longer shows, so that neither they nor their polling pile up. */
function dropUnseen() {
  for (const [id, tile] of tiles) {
    if (!tile.isConnected && id !== viewer.dataset.imageId) forget(id);
  }
}

function failLoad(problem, more) {
  if (more) {
    $("more").textContent = "Try again";
    $("more").hidden = false;
    $("more").dataset.failed = "";
    say(problem.message);
    return;
  }
  grid.replaceChildren(); // they answer another search
  cursor = null;
  show("trouble");
  $("trouble-detail").textContent = problem.message;
}

function loadMore() {
  delete $("more").dataset.failed;
  $("more").textContent = "More photos";
  if (!loading && cursor !== null) load({ more: true });
}

// The button is there for the keyboard and for when the network fails; scrolling presses it too.
const nearEnd = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && cursor && !("failed" in $("more").dataset)) loadMore();
}, { rootMargin: "600px" });

/** An observer tells of changes only: observing anew tells again while the end is still in sight. */
function askForMore() {
  nearEnd.unobserve($("more"));
  if (cursor) nearEnd.observe($("more"));
}

let searchTimer = 0;

/** Changes the search; `settled` when it is a choice rather than a keystroke, and so a step to go back to. */
function search(term, { settled = true, history: record = true } = {}) {
  clearTimeout(searchTimer);
  const next = term.trim();
  if (settled || !next) $("search").value = term;
  if (next === query && document.body.dataset.state !== "trouble") return;
  const step = settled || !query || !next;
  query = next;
  if (record) history[step ? "pushState" : "replaceState"](null, "", next ? `/?${new URLSearchParams({ q: next })}` : "/");
  cursor = null;
  load();
  if (settled) window.scrollTo({ top: 0 });
}

$("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => search($("search").value, { settled: false }), SEARCH_DELAY_MS);
});
document.querySelector("form.search").addEventListener("submit", (event) => {
  event.preventDefault();
  search($("search").value);
});
$("suggestions").append(...SUGGESTIONS.map(tagButton));

// --------------------------------------------------------------------------------------------------------- viewer

const viewer = $("viewer");

async function openViewer(id, { push = true } = {}) {
  let record = records.get(id);
  if (!record) {
    try {
      record = await call(imagePath(id));
    } catch (problem) {
      history.replaceState(null, "", location.pathname + location.search);
      return say(problem.message);
    }
    records.set(id, record);
  }
  const url = `${location.pathname}${location.search}#photo=${encodeURIComponent(id)}`;
  if (viewer.open) history.replaceState(history.state, "", url);
  else if (push) history.pushState({ viewer: true }, "", url);
  viewer.dataset.imageId = id;
  $("viewer-problem").textContent = "";
  askDelete(false);
  paintViewer(record);
  watch(record);
  if (!viewer.open) viewer.showModal();
}

function paintViewer(record) {
  const renditions = renditionsOf(record);
  const image = $("viewer-image");
  const srcset = srcsetOf(record);
  $("viewer-name").textContent = nameOf(record);
  $("viewer-facts").textContent = [
    record.width && record.height ? `${record.width} × ${record.height}` : "",
    record.bytes >= 0 ? formatBytes(record.bytes) : "",
    record.uploaded_at ? formatTime(record.uploaded_at) : "",
  ].filter(Boolean).join(" · ");
  if (image.getAttribute("srcset") !== srcset) {
    // Taken out first: until the next photo is there, the last one would be shown under its name.
    image.removeAttribute("src");
    image.removeAttribute("srcset");
    delete image.dataset.loaded;
    if (srcset) Object.assign(image, { sizes: "(max-width: 56rem) 100vw, 75vw", srcset, src: renditions.at(-1).url });
  }
  const largest = renditions.at(-1);
  image.width = largest?.width ?? record.width ?? 0;
  image.height = largest?.height ?? record.height ?? 0;
  image.hidden = !srcset;
  image.alt = altOf(record);
  $("viewer-wait").textContent = srcset ? ""
    : stateOf(record.resize) === "failed" ? `No picture to show. ${sentence(record.resize?.reason ?? "")}` : "Its sizes are being made…";
  $("viewer-original").href = `${imagePath(record.id)}/original`;
  $("viewer-sizes-block").hidden = !srcset;
  const sizes = new Map(renditions.map((rendition) => [rendition.width, rendition]));
  $("viewer-sizes").replaceChildren(...[...sizes.values()].map((rendition) =>
    make("a", { href: rendition.url, target: "_blank", rel: "noopener" }, `${rendition.width} × ${rendition.height}`)));
  paintScores(record);
  const tile = tiles.get(record.id);
  viewer.querySelector("[data-action=previous]").hidden = !tile?.previousElementSibling;
  viewer.querySelector("[data-action=next]").hidden = !tile?.nextElementSibling;
}

function paintScores(record) {
  const tags = tagsOf(record);
  $("viewer-tag-state").textContent = tags.length ? "" : {
    pending: "Still being looked at.",
    done: "The model is not sure of anything in it.",
    failed: `It could not be tagged. ${sentence(record.tag?.reason ?? "")}`,
  }[stateOf(record.tag)] ?? "";
  $("viewer-tags").replaceChildren(...tags.map(({ label, score }) => {
    const percent = new Intl.NumberFormat(undefined, { style: "percent" }).format(score);
    return make("li", { "data-tag-label": label, "data-score": score }, tagButton(label),
      make("meter", { min: 0, max: 1, value: score, "aria-label": `${label}: ${percent} sure` }),
      make("span", { class: "percent", "aria-hidden": "true" }, percent));
  }));
}

function stepViewer(direction) {
  const tile = tiles.get(viewer.dataset.imageId);
  const next = direction < 0 ? tile?.previousElementSibling : tile?.nextElementSibling;
  if (!next) return;
  openViewer(next.dataset.imageId);
  // Looking through the photos reaches the end of the page as scrolling does.
  if (!next.nextElementSibling && cursor) loadMore();
}

function askDelete(asked) {
  $("viewer-confirm").hidden = !asked;
  $("viewer-actions").hidden = asked;
  if (asked) viewer.querySelector("[data-action=keep]").focus();
}

async function deletePhoto() {
  const id = viewer.dataset.imageId;
  const button = viewer.querySelector("[data-action=confirm-delete]");
  const tile = tiles.get(id);
  const neighbour = tile?.nextElementSibling ?? tile?.previousElementSibling;
  button.disabled = true;
  try {
    await call(imagePath(id), { method: "DELETE" });
  } catch (problem) {
    if (problem.status !== 404) {
      $("viewer-problem").textContent = `It was not deleted. ${problem.message}`;
      return;
    }
  } finally {
    button.disabled = false;
  }
  viewer.close();
  remove(id);
  say("Photo deleted");
  (neighbour?.querySelector(".open") ?? $("upload")).focus();
}

$("viewer-image").addEventListener("load", (event) => { event.target.dataset.loaded = ""; });
viewer.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close(); // the backdrop
});
viewer.addEventListener("keydown", (event) => {
  const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (direction && !event.altKey && !event.ctrlKey && !event.metaKey) stepViewer(direction);
});
viewer.addEventListener("close", () => {
  const tile = tiles.get(viewer.dataset.imageId);
  delete viewer.dataset.imageId;
  if (location.hash.startsWith("#photo=")) {
    if (history.state?.viewer) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }
  tile?.querySelector(".open").focus();
});

// --------------------------------------------------------------------------------------------------------- uploads

const uploads = []; // everything in the tray, oldest first
let drawing = Promise.resolve();

function addFiles(files) {
  for (const file of files) uploads.push(startUpload(file));
  if (!files.length) return;
  $("upload-list").append(...uploads.filter((upload) => !upload.row.isConnected).map((upload) => upload.row));
  paintTray();
  pump();
}

function startUpload(file) {
  const row = make("li", { "data-upload": true, class: "upload" },
    make("span", { class: "mini", "aria-hidden": "true" }),
    make("div", { class: "what" }, make("span", { class: "name" }, file.name),
      make("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` }), make("span", { class: "note" })),
    make("button", { class: "button quiet", type: "button", "data-action": "retry", hidden: true }, "Try again"),
    make("button", { class: "round small", type: "button", "data-action": "dismiss", "aria-label": `Remove ${file.name} from the list`, title: "Remove" }, "×"));
  const upload = { file, row, state: "waiting", tries: 0, bitmap: null };
  row.querySelector("[data-action=retry]").addEventListener("click", () => again(upload));
  row.querySelector("[data-action=dismiss]").addEventListener("click", () => dismiss(upload));
  turn(upload, "waiting", "Waiting");
  if (file.type && !file.type.startsWith("image/")) turn(upload, "failed", IN_WORDS[415]);
  else drawing = drawing.then(() => preview(upload)); // one at a time: each is decoded whole
  return upload;
}

/** Draws the file itself, small: there is something to see before the site has made anything. */
async function preview(upload) {
  if (upload.file.size > PREVIEW_MAX_BYTES || upload.state === "failed") return;
  try {
    upload.bitmap = await createImageBitmap(upload.file, { resizeWidth: PREVIEW_WIDTH, resizeQuality: "medium" });
  } catch {
    return; // not a format that this browser draws; the site may well
  }
  const canvas = make("canvas", { width: 88, height: 88 });
  const side = Math.min(upload.bitmap.width, upload.bitmap.height);
  const [left, top] = [(upload.bitmap.width - side) / 2, (upload.bitmap.height - side) / 2];
  canvas.getContext("2d").drawImage(upload.bitmap, left, top, side, side, 0, 0, 88, 88);
  upload.row.querySelector(".mini").replaceChildren(canvas);
  if (upload.record) keepPreview(upload);
}

function keepPreview(upload) {
  const { id } = upload.record;
  if (!upload.bitmap || !records.has(id) || renditionsOf(records.get(id)).length) return;
  previews.set(id, upload.bitmap);
  if (tiles.has(id)) paintTile(tiles.get(id), records.get(id));
}

function turn(upload, state, note = "") {
  upload.state = state;
  upload.row.dataset.state = state;
  upload.row.querySelector(".note").textContent = note;
  upload.row.querySelector("[data-action=retry]").hidden = !(state === "failed" && upload.retryable);
}

function pump() {
  const busy = uploads.filter((upload) => upload.state === "sending" || upload.state === "working").length;
  const next = uploads.filter((upload) => upload.state === "waiting").slice(0, Math.max(0, PARALLEL_UPLOADS - busy));
  next.forEach(send);
  paintTray();
}

function send(upload) {
  const { file, row } = upload;
  const request = (upload.request = new XMLHttpRequest()); // fetch() does not tell how much has been sent
  const bar = row.querySelector("progress");
  bar.value = 0;
  upload.tries += 1;
  turn(upload, "sending", formatBytes(file.size));
  request.open("POST", "/images");
  request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
  request.setRequestHeader("X-Filename", encodeURIComponent(file.name));
  // Sent again after a lost answer, it is the same photo and not a second one.
  upload.key ??= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  request.setRequestHeader("Idempotency-Key", upload.key);
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
  request.upload.addEventListener("load", () => {
    bar.value = 1;
    if (upload.state === "sending") turn(upload, "working", "Sent, waiting for the site");
  });
  request.addEventListener("load", () => answered(upload, request));
  request.addEventListener("error", () => refused(upload, lost(file)));
  request.send(file);
}

/** A site that refuses a large body may end the connection before the browser has read why. */
function lost(file) {
  const detail = file.size > LARGE_BYTES ? `Or the photo is too large: it has ${formatBytes(file.size)}.` : "";
  return new Problem(0, IN_WORDS[0], detail);
}

function answered(upload, request) {
  if (request.status < 200 || request.status > 299) {
    return refused(upload, problemOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
  }
  try {
    upload.record = JSON.parse(request.responseText);
  } catch {
    return refused(upload, new Problem(request.status, "The site's answer could not be read."));
  }
  turn(upload, "done", "Uploaded");
  arrive(upload);
  setTimeout(() => dismiss(upload), 1600);
  pump();
}

function arrive(upload) {
  const { record } = upload;
  arrivals.push(record.id);
  if (!query) {
    grid.prepend(tileOf(record));
    show("ready");
    keepPreview(upload);
  }
}

function refused(upload, problem) {
  const busy = problem.status === 503 || problem.status === 429;
  // After a lost connection the photo may have arrived all the same, so only a person sends it again.
  upload.retryable = busy || problem.status === 0 || problem.status >= 500;
  if (busy && upload.tries < AUTOMATIC_TRIES) hold(upload, problem);
  else {
    turn(upload, "failed", problem.message);
    say(`${upload.file.name}: ${problem.message}`);
  }
  pump();
}

/** The site said when to come again: not sooner, and with the seconds shown. */
function hold(upload, problem) {
  const due = Date.now() + (problem.after ?? 1000 * 2 ** upload.tries);
  const tick = () => {
    if (upload.state !== "held") return;
    const seconds = Math.ceil((due - Date.now()) / 1000);
    if (seconds <= 0) return again(upload);
    turn(upload, "held", `${problem.title} Trying again in ${seconds} s`);
    upload.timer = setTimeout(tick, Math.min(1000, due - Date.now()));
  };
  upload.state = "held";
  tick();
}

function again(upload) {
  if (upload.state === "failed") upload.tries = 0;
  turn(upload, "waiting", "Waiting");
  pump();
}

function dismiss(upload) {
  const place = uploads.indexOf(upload);
  if (place < 0) return;
  uploads.splice(place, 1);
  clearTimeout(upload.timer);
  if (upload.state !== "done") upload.request?.abort();
  if (upload.bitmap && !previews.has(upload.record?.id)) upload.bitmap.close();
  upload.row.remove();
  pump();
}

let batch = { sent: 0, failed: 0, open: false };

function paintTray() {
  const of = (...states) => uploads.filter((upload) => states.includes(upload.state)).length;
  const left = of("waiting", "sending", "working", "held");
  const failed = of("failed");
  $("uploads").hidden = !uploads.length;
  $("uploads-summary").textContent = left ? `Uploading ${count(left, "photo")}`
    : failed ? `${count(failed, "photo")} not uploaded` : "All uploaded";
  document.querySelector("[data-action=clear-uploads]").hidden = left > 0 || !failed;
  if (left) batch = { open: true };
  else if (batch.open) {
    batch = { open: false };
    say(failed ? `${count(failed, "photo")} not uploaded` : "All photos are uploaded");
  }
}

window.addEventListener("beforeunload", (event) => {
  if (uploads.some((upload) => ["waiting", "sending", "working", "held"].includes(upload.state))) event.preventDefault();
});
$("upload").addEventListener("change", (event) => {
  addFiles([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => addFiles([...(event.clipboardData?.files ?? [])]));

// ---------------------------------------------------------------------------------------------------- drag and drop

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
let dragDepth = 0; // enter and leave fire for every element on the way

for (const [name, change] of [["dragenter", 1], ["dragleave", -1]]) {
  document.addEventListener(name, (event) => {
    if (!carriesFiles(event)) return;
    dragDepth = Math.max(0, dragDepth + change);
    document.body.classList.toggle("dragging", dragDepth > 0);
  });
}
document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
document.addEventListener("drop", async (event) => {
  dragDepth = 0;
  document.body.classList.remove("dragging");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  // The entries must be taken before the first await: the list is emptied when the event is over.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...event.dataTransfer.files];
  addFiles(entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(filesIn))).flat() : files);
});

async function filesIn(entry) {
  if (entry.isFile) return new Promise((done) => entry.file((file) => done([file]), () => done([])));
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader hands out its entries in portions
    const portion = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!portion.length) break;
    found.push(...(await Promise.all(portion.map(filesIn))).flat());
  }
  return found.filter((file) => file.type.startsWith("image/")); // a folder has other things in it too
}

// ---------------------------------------------------------------------------------------------- clicks and address

const ACTIONS = {
  "clear-search": () => search(""),
  "clear-uploads": () => uploads.filter((upload) => upload.state === "failed").forEach(dismiss),
  reload: () => { show("loading"); load(); },
  close: () => viewer.close(),
  previous: () => stepViewer(-1),
  next: () => stepViewer(1),
  delete: () => askDelete(true),
  keep: () => { askDelete(false); viewer.querySelector("[data-action=delete]").focus(); },
  "confirm-delete": deletePhoto,
};

document.addEventListener("click", (event) => {
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const action = event.target.closest("[data-action]")?.dataset.action;
  const tag = event.target.closest("button.tag");
  const open = event.target.closest("button.open");
  if (action) ACTIONS[action]?.();
  else if (tag) searchFromTag(tag.dataset.tagLabel);
  else if (open) openViewer(open.closest("[data-image-id]").dataset.imageId);
  else if (event.target.closest("a.brand") && plain) {
    event.preventDefault();
    search("");
    window.scrollTo({ top: 0 });
  }
});

function searchFromTag(label) {
  if (!viewer.open) return search(label);
  // Closing steps back in history, which ends later: the new search must come after it.
  if (history.state?.viewer) window.addEventListener("popstate", () => search(label), { once: true });
  else setTimeout(() => search(label));
  viewer.close();
}

$("more").addEventListener("click", loadMore);

/** Follows the address: at the start, and on back and forward. */
function follow() {
  const term = new URLSearchParams(location.search).get("q") ?? "";
  const photo = /^#photo=(.+)$/.exec(location.hash)?.[1];
  $("search").value = term;
  search(term, { history: false });
  if (photo) openViewer(safelyDecoded(photo), { push: false });
  else if (viewer.open) viewer.close();
}

function safelyDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

window.addEventListener("popstate", follow);
query = (new URLSearchParams(location.search).get("q") ?? "").trim();
follow();
load();
