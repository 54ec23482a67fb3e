"use strict";
// Read: a text colored by how much each of its characters surprised the model.

const MOST = 20_000; // characters to read
const BITS = [0.5, 1, 2, 3, 4.5, 6, 8]; // the borders between colors of surprise
const RANKS = [1, 5, 20]; // the last ranks of all colors but one

// The text read last, character by character; Look inside uses it, too.
const reading = {
  text: null,
  characters: [],
  spans: [], // the element of each character
  bits: [], // NaN where nothing was predicted
  ranks: [],
  known: [],
  ids: [], // of the likeliest characters, and their probabilities
  shares: [],
  complete: false,
};

let own = null; // a text given in this tab, to read instead of the one in Write

// ---- reading ------------------------------------------------------------------------------------

// Read a text, unless it was the last one; call `done` when it is complete.
function readText(value, done = () => {}) {
  if (reading.text === value) {
    if (reading.complete) done();
    else reading.done.push(done);
    return;
  }
  hideLikely();
  const characters = Array.from(value).slice(0, MOST);
  Object.assign(reading, {
    text: value, characters, spans: [], bits: [], ranks: [], known: [], ids: [], shares: [],
    complete: false, done: [done],
  });
  byId("surprises").replaceChildren();
  if (characters.length === 0) {
    byId("surprises").append(make("p", { class: "empty" }, "No text yet: write something first, or read another text."));
  }
  model.start("read", { text: characters.join("") }, (block) => {
    for (const name of ["bits", "ranks", "known", "ids", "shares"]) {
      for (const value of block[name]) reading[name].push(value);
    }
    const fresh = reading.characters.slice(block.from, block.from + block.bits.length);
    const spans = fresh.map((character) => make("span", character === "\n" ? { class: "line" } : {}, character));
    for (const span of spans) reading.spans.push(span);
    spans.forEach((_, place) => paintSurprise(block.from + place));
    byId("surprises").append(...spans);
    showFigures();
    if (!block.done) return;
    reading.complete = true;
    for (const waits of reading.done) waits();
  });
}

// ---- colors and figures -------------------------------------------------------------------------

function scale() {
  return document.querySelector("[name=scale]:checked").value;
}

function classOf(value, limits, included) {
  const place = limits.findIndex((limit) => (included ? value <= limit : value < limit));
  return place < 0 ? limits.length : place;
}

function paintSurprise(at) {
  const span = reading.spans[at];
  const line = reading.characters[at] === "\n" ? "line " : "";
  if (!reading.known[at]) span.className = line + "unknown";
  else if (Number.isNaN(reading.bits[at])) span.className = line;
  else if (scale() === "bits") span.className = `${line}s${classOf(reading.bits[at], BITS, false)}`;
  else span.className = `${line}r${classOf(reading.ranks[at], RANKS, true)}`;
}

function drawLegend() {
  const entries = scale() === "bits"
    ? BITS.map((limit, place) => [`s${place}`, place ? `${BITS[place - 1]}` : "0"])
      .concat([[`s${BITS.length}`, `${BITS.at(-1)}+ bits`]])
    : [["r0", "rank 1"], ["r1", "2–5"], ["r2", "6–20"], ["r3", "above 20"]];
  byId("legend").replaceChildren(...entries.map(([name, label]) =>
    make("li", {}, make("span", { class: `swatch ${name}` }, scale() === "bits" ? "" : "a"), label)));
}

function showFigures() {
  const predicted = reading.bits.filter((bits) => !Number.isNaN(bits));
  const mean = predicted.reduce((x, y) => x + y, 0) / predicted.length;
  const right = reading.ranks.filter((rank) => rank === 1).length / predicted.length;
  const unknown = reading.known.filter((known) => !known).length;
  const figures = predicted.length
    ? [
      [number(mean, 3), "bits per character"],
      [number(2 ** mean, 2), "perplexity"],
      [`${number(100 * right, 1)}%`, "guessed right"],
      [number(predicted.length), "characters"],
    ]
    : [];
  if (unknown) figures.push([number(unknown), "skipped: not in the alphabet"]);
  const all = Array.from(reading.text).length;
  if (all > MOST) figures.push([number(all - MOST), `beyond the first ${number(MOST)}: not read`]);
  byId("figures").replaceChildren(
    ...figures.map(([value, label]) => make("div", {}, make("b", {}, value), make("span", {}, label))));
}

// ---- what the model expected --------------------------------------------------------------------

let shown = -1; // the character whose alternatives are shown
let pinned = false; // whether they stay until closed
let later = 0; // timer

function hideLikely() {
  clearTimeout(later);
  reading.spans[shown]?.classList.remove("current");
  shown = -1;
  pinned = false;
  byId("likely").hidden = true;
}

function showLikely(at) {
  clearTimeout(later);
  reading.spans[shown]?.classList.remove("current");
  shown = at;
  reading.spans[at].classList.add("current");
  const box = byId("likely");
  box.replaceChildren(make("p", { class: "small" }, ...describe(at)), ...candidates(at));
  box.hidden = false;
  const { left, bottom, top } = reading.spans[at].getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const across = Math.min(Math.max(8, left - 24), document.documentElement.clientWidth - width - 8);
  const below = bottom + height + 8 < innerHeight || top < height + 8;
  box.style.left = `${across + scrollX}px`;
  box.style.top = `${(below ? bottom + 2 : top - height - 2) + scrollY}px`;
}

function describe(at) {
  const name = make("b", {}, visible(reading.characters[at]));
  if (!reading.known[at]) return [name, " is not in the alphabet; the model skipped it."];
  if (Number.isNaN(reading.bits[at])) return [name, " is the first character: nothing predicts it."];
  return [name, `: ${number(reading.bits[at], 2)} bits, rank ${number(reading.ranks[at])}. Expected:`];
}

function candidates(at) {
  return reading.ids[at].map((id, place) => {
    const character = characterOf(id);
    const share = reading.shares[at][place];
    const button = make(
      "button",
      { type: "button", title: "Continue from here" },
      make("span", { class: "character" }, visible(character)),
      makeSvg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": true },
        makeSvg("rect", { width: 100 * share, height: 8 })),
      make("span", { class: "share" }, percent(share)),
    );
    if (character === reading.characters[at]) button.classList.add("actual");
    button.addEventListener("click", () => {
      hideLikely();
      continueFrom(reading.characters.slice(0, at).join("") + character);
    });
    return button;
  });
}

function percent(share) {
  return share < 0.0005 ? "< 0.1 %" : `${number(100 * share, share < 0.0995 ? 1 : 0)} %`;
}

const characters = Array.from(description.alphabet);

function characterOf(id) {
  return characters[id];
}

function placeOf(element) {
  return element instanceof HTMLSpanElement && element.parentNode === byId("surprises")
    ? reading.spans.indexOf(element)
    : -1;
}

// Return the next character for an arrow key; up and down go to the nearest one in the next line.
function neighbor(at, key) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[key];
  if (key === "ArrowLeft" || key === "ArrowRight") return at + step;
  const from = reading.spans[at].getBoundingClientRect();
  let best = at;
  let line = null;
  for (let place = at + step; place >= 0 && place < reading.spans.length; place += step) {
    const { left, top, width } = reading.spans[place].getBoundingClientRect();
    if (Math.abs(top - from.top) < 4) continue;
    line ??= top;
    if (Math.abs(top - line) > 4) break;
    const distance = (to) => Math.abs(to.left - from.left);
    if (width >= 0 && (best === at || distance({ left }) <= distance(reading.spans[best].getBoundingClientRect()))) best = place;
  }
  return best;
}

function moved(event) {
  if (event.key === "Escape") {
    hideLikely();
    return;
  }
  if (event.key === "Enter" && shown >= 0) {
    event.preventDefault();
    pinned = true;
    byId("likely").querySelector("button")?.focus();
    return;
  }
  if (!/^Arrow/.test(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
  if (!reading.spans.length) return;
  event.preventDefault();
  const at = shown < 0 ? 0 : Math.min(Math.max(0, neighbor(shown, event.key)), reading.spans.length - 1);
  reading.spans[at].scrollIntoView({ block: "nearest" });
  showLikely(at);
  byId("heard").textContent = byId("likely").innerText.replaceAll("\n", " ");
}

// Keys in the list of candidates: up, down, and Escape back to the text.
function movedInList(event) {
  const buttons = Array.from(byId("likely").querySelectorAll("button"));
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.key === "Escape") {
    byId("surprises").focus();
    pinned = false;
  } else if (step) {
    event.preventDefault();
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  }
}

function startRead() {
  opened.read = () => readText(own ?? text);
  const surprises = byId("surprises");
  const box = byId("likely");
  surprises.addEventListener("pointerover", ({ target, pointerType }) => {
    const at = placeOf(target);
    if (at < 0 || pinned || pointerType !== "mouse") return;
    clearTimeout(later);
    later = setTimeout(() => showLikely(at), 60);
  });
  surprises.addEventListener("pointerleave", () => {
    clearTimeout(later);
    if (!pinned) later = setTimeout(hideLikely, 250);
  });
  box.addEventListener("pointerenter", () => clearTimeout(later));
  box.addEventListener("pointerleave", () => {
    if (!pinned) later = setTimeout(hideLikely, 250);
  });
  surprises.addEventListener("click", ({ target }) => {
    const at = placeOf(target);
    if (at < 0) return;
    pinned = true;
    showLikely(at);
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (pinned && !box.contains(target) && !surprises.contains(target)) hideLikely();
  });
  surprises.addEventListener("keydown", moved);
  box.addEventListener("keydown", movedInList);

  for (const choice of document.querySelectorAll("[name=scale]")) {
    choice.addEventListener("change", () => {
      drawLegend();
      reading.spans.forEach((_, at) => paintSurprise(at));
    });
  }
  drawLegend();

  const give = (value) => {
    own = value;
    readText(own ?? text);
  };
  byId("source-read").addEventListener("click", () => give(byId("source-text").value));
  byId("source-write").addEventListener("click", () => {
    byId("source-text").value = text;
    byId("source").open = false;
    give(null);
  });
  byId("source").addEventListener("toggle", () => {
    if (byId("source").open && byId("source-text").value === "") byId("source-text").value = own ?? text;
  });
}
