"use strict";
// Write: an editor in which the model continues at the cursor.

// ---- settings -----------------------------------------------------------------------------------

const DEFAULTS = {
  temperature: 0.8,
  top_k: null,
  top_p: null,
  min_p: null,
  seed: 1,
  stop_at_end: true,
  suggest: true,
};
const RANGES = {
  temperature: [0, 1.5],
  top_k: [1, 0x110000],
  top_p: [0, 1],
  min_p: [0, 1],
  seed: [0, 2 ** 32 - 1],
};
const WHOLE = ["top_k", "seed"];

const settings = { ...DEFAULTS };

// Set those of `values` that are settings. They may come from a link, so they may be anything.
function takeSettings(values) {
  for (const name of Object.keys(DEFAULTS)) {
    const value = values?.[name];
    if (typeof DEFAULTS[name] === "boolean") {
      if (typeof value === "boolean") settings[name] = value;
    } else if (typeof value === "number" && Number.isFinite(value)) {
      const [low, high] = RANGES[name];
      const inside = Math.min(high, Math.max(low, value));
      settings[name] = WHOLE.includes(name) ? Math.round(inside) : inside;
    } else if (value === null && DEFAULTS[name] === null) {
      settings[name] = null;
    }
  }
}

function showSettings() {
  for (const [name, value] of Object.entries(settings)) {
    const control = byId(name);
    if (control.type === "checkbox") control.checked = value;
    else if (control !== document.activeElement || control.type === "range") control.value = value ?? "";
  }
  byId("temperature-value").value = settings.temperature.toFixed(2);
}

function startSettings() {
  takeSettings(kept.load().settings);
  showSettings();
  byId("stop-row").hidden = description.terminator === "";
  const changed = (values) => {
    takeSettings(values);
    kept.save({ settings });
    showSettings();
    dismiss();
    if (run && !run.paced) { // continue with the new settings
      field.setSelectionRange(run.at, run.at);
      writeOn();
    }
  };
  byId("settings").addEventListener("input", ({ target }) => {
    const written = target.value === "" ? null : target.valueAsNumber;
    changed({ [target.id]: target.type === "checkbox" ? target.checked : written });
  });
  byId("settings").addEventListener("change", showSettings);
  byId("settings").addEventListener("submit", (event) => event.preventDefault());
  byId("dice").addEventListener("click", () => {
    changed({ seed: crypto.getRandomValues(new Uint32Array(1))[0] });
  });
}

// ---- the text and its history -------------------------------------------------------------------

const MERGED = 1000; // milliseconds between keystrokes that are undone together
const UNDONE = 1000; // changes that are kept

const field = byId("editor");
let text = ""; // the field's value
let ranges = []; // [start, end) of what the model wrote, in order
let past = []; // changes to undo: {at, removed, inserted, before, after, group, time}
let future = []; // changes to redo

// Replace `length` characters by others. Changes of one `group` are undone together. A change that a
// person made is in the field already.
function change(at, length, words, { byModel = false, group = null, inField = false } = {}) {
  const inserted = words.replace(/\r\n?/g, "\n"); // as the field does
  const removed = text.slice(at, at + length);
  const before = ranges;
  text = text.slice(0, at) + inserted + text.slice(at + length);
  ranges = shifted(before, at, length, inserted.length);
  if (byModel && inserted) ranges = joined([...ranges, [at, at + inserted.length]]);
  const last = past.at(-1);
  const time = performance.now();
  const continues = last && group !== null && last.group === group && (byModel || time - last.time < MERGED);
  if (continues && length === 0 && at === last.at + last.inserted.length) {
    Object.assign(last, { inserted: last.inserted + inserted, after: ranges, time });
  } else if (continues && inserted === "" && at + length === last.at && last.inserted === "") {
    Object.assign(last, { at, removed: removed + last.removed, after: ranges, time });
  } else {
    past.push({ at, removed, inserted, before, after: ranges, group, time });
    if (past.length > UNDONE) past.shift();
  }
  future = [];
  if (!inField) putInField(at, length, inserted);
  afterChange();
}

// Ranges after a change: an insertion divides the range around it.
function shifted(before, at, length, inserted) {
  const move = (place) => place - length + inserted;
  return before.flatMap(([start, end]) => {
    const parts = [];
    if (start < at) parts.push([start, Math.min(end, at)]);
    if (end > at + length) parts.push([move(Math.max(start, at + length)), move(end)]);
    return parts;
  });
}

// Ranges in order, adjacent ones merged.
function joined(parts) {
  const result = [];
  for (const [start, end] of parts.sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

// Change only a part of the field, so that it keeps its scroll position and selection.
function putInField(at, length, inserted) {
  const { selectionStart, selectionEnd } = field;
  field.setRangeText(inserted, at, at + length);
  const place = (old) => (old <= at ? old : Math.max(at, old - length) + inserted.length);
  field.setSelectionRange(place(selectionStart), place(selectionEnd));
}

function goBack() {
  stopWriting();
  const last = past.pop();
  if (!last) return;
  future.push(last);
  replaceRange(last.at, last.inserted.length, last.removed, last.before);
}

function goForward() {
  stopWriting();
  const next = future.pop();
  if (!next) return;
  past.push({ ...next, group: null });
  replaceRange(next.at, next.removed.length, next.inserted, next.after);
}

function replaceRange(at, length, inserted, itsRanges) {
  text = text.slice(0, at) + inserted + text.slice(at + length);
  ranges = itsRanges;
  putInField(at, length, inserted);
  field.setSelectionRange(at + inserted.length, at + inserted.length);
  afterChange();
}

// Record what a person changed in the field, and return what was inserted.
function recordChange(kind) {
  const now = field.value;
  const most = Math.min(text.length, now.length);
  let start = 0;
  while (start < most && text[start] === now[start]) start++;
  let end = 0;
  while (end < most - start && text.at(-1 - end) === now.at(-1 - end)) end++;
  const inserted = now.slice(start, now.length - end);
  const length = text.length - end - start;
  if (inserted === "" && length === 0) return "";
  const group = kind === "insertText" && !/\s/u.test(inserted) ? "typing"
    : kind === "deleteContentBackward" ? "deleting" : null;
  change(start, length, inserted, { group, inField: true });
  return inserted;
}

const whenChanged = []; // functions to call after each change of the text
let saving = 0; // timer

function afterChange() {
  lastRun = null;
  drawMirror();
  byId("undo").disabled = past.length === 0;
  byId("redo").disabled = future.length === 0;
  byId("again").disabled = true;
  clearTimeout(saving);
  saving = setTimeout(saveText, 300);
  for (const hear of whenChanged) hear();
}

function saveText() {
  clearTimeout(saving);
  kept.save({ text, ranges });
}

// Draw what is behind the field: the same text, transparent, with a tint where the model wrote it, and
// the suggestion. The mirror also gives the field its height.
function drawMirror() {
  const parts = [];
  const mark = (start, end) => make("mark", {}, text.slice(start, end));
  let at = 0;
  for (const [start, end] of ranges) {
    parts.push(text.slice(at, start));
    if (run && start < run.at && run.at <= end) {
      parts.push(mark(start, run.at), make("span", { class: "pen" }), mark(run.at, end));
    } else {
      parts.push(mark(start, end));
    }
    at = end;
  }
  parts.push(text.slice(at));
  const ghost = suggestion && atEnd(suggestion.at) ? suggestion.texts[suggestion.chosen] : "";
  if (ghost) parts.push(make("span", { class: "ghost" }, ghost.replace("\n", "↵\n")));
  parts.push("\u200b"); // gives an empty last line its height
  byId("mirror").replaceChildren(...parts);
}

// Whether nothing follows a place, so that a suggestion can be drawn there; elsewhere, the list shows it.
function atEnd(place) {
  return text.slice(place).trim() === "" && !text.slice(place).includes("\n");
}

function cursor() {
  return field.selectionEnd;
}

// Scroll to what is being written, if it is below the window.
function follow() {
  const pen = byId("mirror").querySelector(".pen");
  if (!pen) return;
  const below = pen.getBoundingClientRect().bottom - byId("dock").getBoundingClientRect().top;
  if (below > -24) scrollBy(0, below + 24);
}

// ---- suggestions --------------------------------------------------------------------------------

const PAUSE = 180; // milliseconds from the last keystroke to a suggestion

const narrow = matchMedia("(max-width: 52rem)");
let suggestion = null; // {at, texts, chosen}: alternatives for a place
let waiting = 0; // timer

function suggestSoon() {
  clearTimeout(waiting);
  if (settings.suggest) waiting = setTimeout(suggest, PAUSE);
}

function suggest() {
  dismiss();
  if (run || field.selectionStart !== field.selectionEnd) return;
  const at = cursor();
  model.start("suggest", { text: text.slice(0, at), settings }, ({ text: phrase }) => {
    if (phrase === undefined) return;
    suggestion ??= { at, texts: [], chosen: 0 };
    suggestion.texts.push(phrase);
    drawSuggestion();
    if (suggestion.texts.length === 1) announceSuggestion();
  });
}

function dismiss() {
  clearTimeout(waiting);
  model.stop("suggest");
  if (!suggestion) return;
  suggestion = null;
  drawSuggestion();
}

function accept(choice = suggestion.chosen) {
  const { at, texts } = suggestion;
  dismiss();
  change(at, 0, texts[choice], { byModel: true });
  const end = at + texts[choice].length;
  field.setSelectionRange(end, end);
  suggest();
}

function chooseAlternative(step) {
  const { texts } = suggestion;
  suggestion.chosen = (suggestion.chosen + step + texts.length) % texts.length;
  drawSuggestion();
  announceSuggestion();
}

// Keep the rest of a suggestion when a person types its beginning.
function typeThrough(before) {
  const typed = text.slice(suggestion.at, cursor());
  const grown = text.length - before.length;
  const fits = (phrase) => phrase.startsWith(typed) && phrase.length > typed.length;
  const chosen = suggestion.texts[suggestion.chosen];
  if (grown !== typed.length || grown < 1 || !fits(chosen)) return false;
  const texts = suggestion.texts.filter(fits);
  suggestion = {
    at: cursor(),
    texts: texts.map((phrase) => phrase.slice(typed.length)),
    chosen: texts.indexOf(chosen),
  };
  model.stop("suggest");
  drawSuggestion();
  return true;
}

function drawSuggestion() {
  drawMirror();
  const list = byId("alternatives");
  list.hidden = !suggestion;
  list.replaceChildren(...(suggestion?.texts ?? []).map((phrase, place) => {
    const button = make("button", { type: "button", tabindex: -1 }, phrase.replace(/^ /, "").replaceAll("\n", "↵"));
    button.addEventListener("mousedown", (event) => event.preventDefault()); // keep the cursor
    button.addEventListener("click", () => { accept(place); field.focus(); });
    const chosen = place === suggestion.chosen;
    return make("li", chosen ? { class: "chosen" } : {}, button);
  }));
  if (suggestion) placeAlternatives(list);
}

// The list is under the cursor's line, or above the buttons where the window is narrow.
function placeAlternatives(list) {
  if (narrow.matches) {
    byId("dock").prepend(list);
    list.querySelector(".chosen").scrollIntoView({ block: "nearest", inline: "nearest" });
    return;
  }
  byId("sheet").append(list);
  const { left, bottom } = boxAt(suggestion.at);
  const sheet = byId("sheet").getBoundingClientRect();
  list.style.left = `${Math.max(8, Math.min(left - sheet.left - 12, sheet.width - list.offsetWidth - 8))}px`;
  list.style.top = `${bottom - sheet.top + 8}px`;
}

// Return where a place of the text is in the window, or the suggestion if it is drawn there.
function boxAt(place) {
  const ghost = byId("mirror").querySelector(".ghost");
  if (ghost) return { left: ghost.getClientRects()[0].left, bottom: ghost.getBoundingClientRect().bottom };
  const walker = document.createTreeWalker(byId("mirror"), NodeFilter.SHOW_TEXT);
  let rest = place;
  while (walker.nextNode() && rest > walker.currentNode.length) rest -= walker.currentNode.length;
  const range = document.createRange();
  range.setStart(walker.currentNode, rest);
  return range.getBoundingClientRect();
}

function announceSuggestion() {
  const { texts, chosen } = suggestion;
  byId("heard").textContent = `Suggestion ${chosen + 1}: ${texts[chosen]}`;
}

// ---- writing on ---------------------------------------------------------------------------------

const LIMIT = 100_000; // characters
const OPENING = 420; // characters written for a first visitor
const PACE = 90; // of them per second

let run = null; // while the model writes: {at, start, paced, count, began, queue, ended}
let lastRun = null; // where the model wrote last, until the text changes: {start, end}
let runs = 0;

function writeOn({ limit = LIMIT, paced = false } = {}) {
  stopWriting();
  dismiss();
  const at = cursor();
  const mine = { at, start: at, paced, count: 0, began: performance.now(), queue: "", ended: false };
  const group = `run ${++runs}`;
  run = mine;
  byId("go").textContent = "Stop";
  byId("go").classList.add("running");
  say("");
  const put = (piece) => {
    const at = mine.at;
    const following = cursor() === at;
    mine.count += Array.from(piece).length;
    mine.at += piece.length;
    change(at, 0, piece, { byModel: true, group });
    if (following) field.setSelectionRange(mine.at, mine.at);
    if (following && !paced) follow(); // a first visitor should see the top of the page
  };
  model.start("write", { text: text.slice(0, at), settings, limit }, ({ text: piece, done }) => {
    mine.ended ||= Boolean(done);
    if (paced) {
      mine.queue += piece;
      return;
    }
    put(piece);
    if (done) stopWriting(done);
  });
  if (!paced) return;
  // Show the queue at a readable pace, or all at once with reduced motion.
  let before = performance.now();
  let due = 0;
  const frame = (now) => {
    if (run !== mine) return;
    due += ((now - before) * PACE) / 1000;
    before = now;
    const characters = Array.from(mine.queue);
    const count = calm.matches ? (mine.ended ? characters.length : 0) : Math.min(Math.floor(due), characters.length);
    due = Math.min(due - count, 2);
    if (count > 0) put(characters.splice(0, count).join(""));
    mine.queue = characters.join("");
    if (mine.ended && mine.queue === "") stopWriting("opening");
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function stopWriting(why = "") {
  if (!run) return;
  model.stop("write");
  const { at, start, count, began } = run;
  run = null;
  drawMirror();
  byId("go").textContent = "Continue";
  byId("go").classList.remove("running");
  lastRun = at > start ? { start, end: at } : null;
  byId("again").disabled = !lastRun;
  const speed = count / ((performance.now() - began) / 1000);
  const figures = count > 50 ? `${number(count)} characters, ${number(speed)} per second` : "";
  const reasons = {
    document: "The model ended the document.",
    limit: "Reached the limit.",
    opening: "The model has just written this. Edit it, or let the model continue.",
  };
  say([reasons[why], why === "opening" ? "" : figures].filter(Boolean).join(" "));
  saveText();
}

function writeAnother() {
  if (!lastRun) return;
  const { start, end } = lastRun;
  change(start, end - start, "");
  field.setSelectionRange(start, start);
  takeSettings({ seed: (settings.seed + 1) % 2 ** 32 });
  kept.save({ settings });
  showSettings();
  writeOn();
}

// Replace the text, and let the model continue it.
function continueFrom(beginning) {
  show(byId("tab-write"));
  setText(beginning);
  field.focus();
  writeOn({ limit: 300 });
}

function setText(value) {
  stopWriting();
  dismiss();
  change(0, text.length, value);
  field.setSelectionRange(value.length, value.length);
}

function say(message) {
  byId("status").textContent = message;
}

// ---- keys and buttons ---------------------------------------------------------------------------

function pressed(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
  const command = (event.ctrlKey || event.metaKey) && !event.altKey;
  const does = (() => {
    if (event.isComposing) return null;
    if (command && event.key === "Enter") return () => (run ? stopWriting() : writeOn());
    if (command && event.key === " ") return suggest;
    if (command && event.key.toLowerCase() === "z") return event.shiftKey ? goForward : goBack;
    if (command && event.key.toLowerCase() === "y") return goForward;
    if (!suggestion) return null;
    if (event.key === "Tab" && plain) return () => accept();
    if (event.key === "ArrowDown" && event.altKey) return () => chooseAlternative(1);
    if (event.key === "ArrowUp" && event.altKey) return () => chooseAlternative(-1);
    if (event.key === "Escape") return dismiss;
    return null;
  })();
  if (!does) return;
  event.preventDefault();
  does();
}

// Typing stops the model.
function typed(event) {
  const before = text;
  stopWriting();
  const inserted = recordChange(event.inputType);
  if (suggestion && typeThrough(before)) return;
  dismiss();
  const unknown = new Set(Array.from(inserted).filter((character) => !alphabet.has(character)));
  const some = Array.from(unknown).slice(0, 5).map(visible).join(" ");
  say(unknown.size ? `The model skips characters outside its alphabet: ${some}` : "");
  if (!event.isComposing) suggestSoon();
}

async function copyText(value, what) {
  try {
    await navigator.clipboard.writeText(value);
    say(`${what} copied.`);
  } catch {
    say("The browser does not allow copying; select the text and press Ctrl+C.");
  }
}

function download() {
  const link = make("a", { download: description.name + (description.tunes ? ".abc" : ".txt") });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const LONGEST = 8000; // characters in a link

function copyLink() {
  if (text.length > LONGEST) {
    say(`A link holds up to ${number(LONGEST)} characters; this text has ${number(text.length)}.`);
    return;
  }
  const link = new URL(location.href);
  link.hash = encodeURIComponent(JSON.stringify({ text, settings }));
  copyText(link.href, "Link");
}

// Take text and settings from the link that the page was opened with. A person's own text is set aside.
function openLink() {
  let shared;
  try {
    shared = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return false;
  }
  if (typeof shared?.text !== "string") return false;
  history.replaceState(null, "", location.pathname + location.search);
  takeSettings(shared.settings);
  showSettings();
  if (text) kept.save({ aside: kept.load().aside ?? text });
  setText(shared.text);
  say("Opened from a link.");
  return true;
}

function showAside() {
  byId("aside").hidden = typeof kept.load().aside !== "string";
}

function takeAside() {
  const { aside } = kept.load();
  kept.save({ aside: null });
  showAside();
  setText(aside);
}

// Ranges as they were stored, or none.
function storedRanges(value) {
  const valid = (range) =>
    Array.isArray(range) && range.every(Number.isInteger) && range[0] < range[1] && range[1] <= text.length;
  return Array.isArray(value) && value.every(valid) ? joined(value) : [];
}

const alphabet = new Set(description.alphabet);

function startWrite() {
  startSettings();
  const saved = kept.load();
  if (typeof saved.text === "string") {
    text = field.value = saved.text;
    ranges = storedRanges(saved.ranges);
  }
  afterChange();
  field.setSelectionRange(text.length, text.length);
  const linked = openLink();
  showAside();

  field.addEventListener("keydown", pressed);
  field.addEventListener("input", typed);
  field.addEventListener("compositionend", suggestSoon);
  field.addEventListener("beforeinput", (event) => {
    const does = { historyUndo: goBack, historyRedo: goForward }[event.inputType];
    if (!does) return;
    event.preventDefault();
    does();
  });
  field.addEventListener("blur", dismiss);
  field.addEventListener("mousedown", () => stopWriting());
  document.addEventListener("selectionchange", () => {
    const moved = field.selectionStart !== field.selectionEnd || cursor() !== suggestion?.at;
    if (suggestion && moved) dismiss();
  });

  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") stopWriting(); // wherever the focus is
  });

  byId("go").addEventListener("click", () => (run ? stopWriting() : writeOn()));
  byId("again").addEventListener("click", writeAnother);
  byId("undo").addEventListener("click", goBack);
  byId("redo").addEventListener("click", goForward);
  byId("new").addEventListener("click", () => { setText(""); field.focus(); });
  byId("aside").addEventListener("click", takeAside);
  byId("copy").addEventListener("click", () => copyText(text, "Text"));
  byId("download").addEventListener("click", download);
  byId("link").hidden = !location.protocol.startsWith("http");
  byId("link").addEventListener("click", copyLink);
  addEventListener("pagehide", saveText);

  if (saved.text === undefined && !linked) writeOn({ limit: OPENING, paced: true });
}
