// The demo's page. Shows the chosen viewer's albums, and runs the intruder's attempts from this very browser.
"use strict";

const byId = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// ---- the gallery ----

async function showGallery() {
  const state = await (await fetch("/demo/albums")).json();
  const seen = state.albums.reduce((sum, album) => sum + album.photos.length, 0);
  byId("viewers").replaceChildren(...state.viewers.map((viewer) => {
    const button = element("button", { type: "button", textContent: viewer.name, title: viewer.about });
    button.setAttribute("aria-pressed", String(viewer.name === state.viewer));
    button.addEventListener("click", () => become(viewer.name));
    return button;
  }));
  const me = state.viewers.find((viewer) => viewer.name === state.viewer);
  byId("about").replaceChildren(
    element("strong", { textContent: me.name }), `: ${me.about}. Sees `,
    element("strong", { textContent: `${seen} of ${state.total}` }), " pictures.");
  document.body.dataset.viewer = state.viewer;
  document.body.dataset.seen = String(seen);
  byId("albums").replaceChildren(...state.albums.map((album) => album.photos.length ? openAlbum(album) : closedAlbum(album)));
}

async function become(name) {
  await fetch("/demo/viewer", { method: "POST", body: name });
  await showGallery();
}

function openAlbum(album) {
  const hidden = album.count - album.photos.length;
  return element("section", { className: "album" },
    element("h3", { textContent: album.name }),
    element("p", { textContent: album.about }),
    element("ul", { className: "photos" }, ...album.photos.map(photoItem)),
    hidden ? element("p", { className: "hidden-note", textContent: `and ${hidden} that this viewer does not get` }) : null);
}

function photoItem(photo) {
  const image = element("img", { src: photo.thumbnail, alt: photo.name, loading: "lazy", decoding: "async" });
  const frame = element("span", { className: "frame" }, image, photo.film ? element("span", { className: "play" }) : null);
  const button = element("button", { type: "button" }, frame,
    element("span", { className: "name", textContent: photo.name }),
    element("span", { className: "note", textContent: [photo.size, photo.note].filter(Boolean).join(" · ") }));
  button.addEventListener("click", () => openLightbox(photo));
  return element("li", {}, button);
}

const LOCK = "M6 10V8a6 6 0 0 1 12 0v2h1v11H5V10zm2 0h8V8a4 4 0 0 0-8 0z";

function closedAlbum(album) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("width", "20");
  icon.setAttribute("fill", "currentColor");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", LOCK);
  icon.append(path);
  return element("div", { className: "closed" }, icon,
    element("span", {}, element("strong", { textContent: album.name }),
      ` (${album.about}): nothing for this viewer, ${album.count} pictures`));
}

// ---- one picture, large ----

async function openLightbox(photo) {
  const film = photo.film !== null;
  const view = film
    ? element("video", { src: photo.film, controls: true, autoplay: true, muted: true })
    : element("img", { src: photo.large, alt: photo.name });
  byId("stage").replaceChildren(view);
  byId("caption").textContent = photo.name;
  byId("proof").textContent = "";
  byId("lightbox").showModal();
  const answer = await fetch(film ? photo.film : photo.large, { method: "HEAD" });
  const address = new URL(answer.url).pathname;
  byId("proof").textContent = `${address.slice(0, 44)}…  X-Pwgserve: ${answer.headers.get("X-Pwgserve")}  ` +
    `${answer.headers.get("Cache-Control")}`;
}

byId("close").addEventListener("click", () => byId("lightbox").close());
byId("lightbox").addEventListener("close", () => byId("stage").replaceChildren());
byId("lightbox").addEventListener("click", (event) => { if (event.target === byId("lightbox")) byId("lightbox").close(); });

// ---- the intruder ----

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function tryIt(attempt) {
  await sleep(attempt.wait);
  const answer = await fetch(attempt.url, { credentials: "omit", cache: "no-store" });
  const kind = answer.headers.get("Content-Type") || "";
  const body = await answer.arrayBuffer();
  return { status: answer.status, kind, text: kind.startsWith("text/") ? new TextDecoder().decode(body) : "", bytes: body.byteLength };
}

function verdict(attempt, result) {
  const got = result.status === 200;
  if (attempt.control) return got && result.kind.startsWith("image/") ? ["good", "works"] : ["bad", "broken"];
  return got ? ["bad", "LEAKED"] : ["good", "refused"];
}

function inWords(attempt, result) {
  if (result.status === 200) return `200, ${result.kind}, ${Math.round(result.bytes / 1024)} KB`;
  return `${result.status}, “${result.text.trim()}”`;
}

async function runIntruder() {
  const summary = byId("intruder-summary");
  summary.className = "summary";
  summary.textContent = "Running …";
  for (const key of Object.keys(summary.dataset)) delete summary.dataset[key];
  const attempts = await (await fetch("/demo/attempts", { method: "POST" })).json();
  const badges = attempts.map((attempt) => {
    const badge = element("span", { className: "badge", textContent: attempt.wait ? "waiting" : "trying" });
    const result = element("p", { className: "result" });
    const item = element("li", { title: attempt.why },
      element("div", { className: "row" }, element("span", { className: "title", textContent: attempt.title }), badge),
      element("code", { textContent: `GET ${attempt.url}` }), result);
    return { badge, result, item };
  });
  byId("attempts").replaceChildren(...badges.map((one) => one.item));
  const counts = { refused: 0, leaked: 0, control: 0 };
  const answers = new Set();
  await Promise.all(attempts.map(async (attempt, index) => {
    const { badge, result } = badges[index];
    const answer = await tryIt(attempt);
    const [quality, word] = verdict(attempt, answer);
    badge.classList.add(quality);
    badge.textContent = word;
    result.textContent = inWords(attempt, answer) + (attempt.control ? "" : `. ${attempt.why}`);
    if (attempt.control) counts.control += quality === "good" ? 1 : 0;
    else counts[quality === "good" ? "refused" : "leaked"] += 1;
    if (!attempt.control) answers.add(`${answer.status} ${answer.kind} ${answer.text}`);
  }));
  const total = attempts.length - 1;
  const fine = counts.refused === total && counts.control === 1;
  summary.classList.add(fine ? "good" : "bad");
  summary.textContent = fine
    ? `${counts.refused} of ${total} refused` + (answers.size === 1 ? ", each with the very same answer" : "")
    : `${counts.leaked} of ${total} leaked` + (counts.control ? "" : ", and the control does not work");
  Object.assign(summary.dataset, { refused: counts.refused, leaked: counts.leaked, total, control: counts.control, answers: answers.size });
}

byId("again").addEventListener("click", runIntruder);
showGallery();
runIntruder();
