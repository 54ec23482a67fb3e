"use strict";
// The frame of the page: the model in its worker, the browser's storage, and the tabs. Text by people and
// models is inserted as text, never as markup.

// ---- elements -----------------------------------------------------------------------------------

function byId(id) {
  return document.getElementById(id);
}

// Make an element with attributes and children.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Return a visible form of a character.
function visible(character) {
  return { " ": "␣", "\n": "↵", "\t": "⇥" }[character] ?? (/[\p{C}\p{Z}]/u.test(character)
    ? "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")
    : character);
}

function number(value, digits = 0) {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---- the model ----------------------------------------------------------------------------------

const description = JSON.parse(byId("description").textContent);

// The worker and its jobs, at most one of each kind.
class Model {
  constructor() {
    const source = new Blob([byId("worker").textContent], { type: "text/javascript" });
    this.worker = new Worker(URL.createObjectURL(source));
    this.jobs = {};
    this.last = 0;
    this.ready = new Promise((resolve) => { this.jobs.load = { hear: resolve }; });
    this.worker.onmessage = ({ data }) => {
      const job = this.jobs[data.kind];
      if (job && job.id === data.id) job.hear(data); // answers of stopped jobs are ignored
    };
    this.worker.onerror = () => say("The model has stopped; reload the page.");
    this.worker.postMessage({ kind: "load", description, base64: byId("weights").textContent });
    byId("weights").remove();
  }

  // Start a job, replacing one of its kind; `hear` gets its answers until it is stopped or replaced.
  start(kind, details, hear) {
    const id = ++this.last;
    this.jobs[kind] = { id, hear };
    this.worker.postMessage({ kind, id, ...details });
  }

  stop(kind) {
    if (!this.jobs[kind]) return;
    delete this.jobs[kind];
    this.worker.postMessage({ kind: "stop", job: kind });
  }
}

const model = new Model();

// ---- storage ------------------------------------------------------------------------------------

// The text and settings for this model, in the browser's storage if that is available.
const kept = {
  key: `charrnn ${description.id}`,

  load() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  },

  save(changes) {
    try {
      localStorage.setItem(this.key, JSON.stringify({ ...this.load(), ...changes }));
    } catch {
      // Storage is full or forbidden: the page works without it.
    }
  },
};

// ---- tabs ---------------------------------------------------------------------------------------

const tabs = Array.from(byId("tabs").children);
const opened = {}; // functions to call when a tab is shown, by the id of its panel

function show(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  const panel = tab.getAttribute("aria-controls");
  kept.save({ tab: panel });
  scrollTo(0, 0);
  opened[panel]?.();
}

function startTabs() {
  for (const tab of tabs) tab.addEventListener("click", () => show(tab));
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const place = { Home: 0, End: tabs.length - 1 }[event.key]
      ?? (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
    if (!Number.isInteger(place)) return;
    event.preventDefault();
    tabs[place].focus();
    show(tabs[place]);
  });
  show(byId(`tab-${kept.load().tab}`) ?? tabs[0]);
}

// ---- the header ---------------------------------------------------------------------------------

function startHeader() {
  const { cell, num_layers: layers, hidden_size: size } = description.config;
  const many = description.parameters;
  const weights = many >= 1e6 ? `${number(many / 1e6, 1)} million` : number(many);
  byId("summary").textContent =
    `${cell.toUpperCase()}, ${layers > 1 ? `${layers} × ` : ""}${size} units, ${weights} weights. ` +
    "It writes one character at a time, in your browser.";
  // Music and source code are set in type of equal width.
  const code = Array.from("{}()=;").every((character) => description.alphabet.includes(character));
  document.body.classList.toggle("code", description.tunes || code);
}
