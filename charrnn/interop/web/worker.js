"use strict";
// The worker runs the model off the page's thread. Each job is a generator that yields after every
// character. Jobs run for a few milliseconds at a time, so that messages are handled in between: stopping a
// job takes effect at once.
//
// The message {kind, id, ...} starts a job and replaces the last one of its kind; {kind: "stop", job} ends
// it. Answers carry the kind and id of their job.

const SLICE = 12; // milliseconds
const STRIDE = 16; // characters between states that are kept
const WINDOW = 2048; // characters of context: a long text is continued from its last 1 to 2 windows
const ALTERNATIVES = 5;
const TRIES = 12; // draws of alternatives; some may be equal
const SCALE = 127; // hidden outputs are stored as integers from -127 to 127
const TOP = 10; // likeliest characters to report

let model, alphabet, engineOf;
let activations = null; // of the text read last: {width, characters, values}, a row per character

// The most urgent first.
const JOBS = { write, suggest, read, rank, unit };
const EDITING = ["write", "suggest"]; // they share a memory, so one ends the other
const running = new Map(); // kind to generator

// A message posted here arrives after those that are already waiting.
const turn = new MessageChannel();
let waiting = false;
turn.port1.onmessage = work;

onmessage = ({ data }) => {
  if (data.kind === "load") load(data);
  else if (data.kind === "stop") running.delete(data.job);
  else {
    const answer = (content) => postMessage({ kind: data.kind, id: data.id, ...content });
    if (EDITING.includes(data.kind)) for (const kind of EDITING) running.delete(kind);
    running.set(data.kind, JOBS[data.kind](data, answer));
    takeTurns();
  }
};

function takeTurns() {
  if (!waiting) turn.port2.postMessage(null);
  waiting = true;
}

function work() {
  waiting = false;
  const until = performance.now() + SLICE;
  for (const kind of Object.keys(JOBS)) {
    while (running.has(kind) && performance.now() < until) {
      if (running.get(kind).next().done) running.delete(kind);
    }
  }
  if (running.size) takeTurns();
}

function load({ description, base64 }) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  model = description;
  alphabet = new Alphabet(model);
  const weights = readWeights(model, bytes.buffer);
  const inputs = [];
  engineOf = () => new Engine(model, weights, inputs);
  memory = new Memory();
  postMessage({ kind: "load" });
}

// ---- writing ------------------------------------------------------------------------------------

// An engine and what it has read, with its state every few characters: after a change of the text, it
// reads on from there.
class Memory {
  constructor() {
    this.engine = engineOf();
    this.ids = [];
    this.states = [this.engine.state.slice()];
  }

  get logits() {
    return this.engine.logits;
  }

  get state() {
    return this.engine.state;
  }

  // Read these ids, from where they differ from the last ones.
  *read(ids) {
    let same = 0;
    while (same < ids.length - 1 && ids[same] === this.ids[same]) same++;
    const kept = Math.floor(same / STRIDE);
    this.states.length = kept + 1;
    this.ids = ids.slice(0, kept * STRIDE);
    this.engine.state.set(this.states[kept]);
    for (const id of ids.slice(kept * STRIDE)) {
      this.step(id);
      yield;
    }
  }

  // Read one more id.
  step(id) {
    this.engine.step(id);
    if (this.ids.push(id) % STRIDE === 0) this.states.push(this.engine.state.slice());
  }
}

let memory; // of the text in the editor

// Read the end of a text, and return the number of its characters, the place of the next random number. The
// window moves in leaps, so that most of what was read before can be reused.
function* readPrompt(text) {
  const ids = alphabet.prompt(text);
  const begin = Math.max(0, Math.floor(ids.length / WINDOW) - 1) * WINDOW;
  yield* memory.read(ids.slice(begin));
  return Array.from(text).length;
}

// The last characters of a text; slice(-0) would be all of it.
function lastOf(text, count) {
  return count ? text.slice(-count) : "";
}

// Yield the characters that continue `text`, which the reader (an engine or a memory) has read. `first` is
// the first one's id, if given. The state starts afresh at the end of a document, as in training.
function* drawn(reader, settings, stream, place, text, first) {
  const end = alphabet.terminator;
  let tail = lastOf(text, end.length);
  for (let at = place; ; at++) {
    let id = at === place ? first : undefined;
    id ??= choose(reader.logits, settings, random(settings.seed, stream, at));
    const character = alphabet.characters[id];
    tail = lastOf(tail + character, end.length);
    const complete = end !== "" && tail === end;
    yield { character, complete };
    if (complete) reader.state.fill(0);
    reader.step(id);
  }
}

// Continue a text until the job is stopped, for `limit` characters, or to the end of a document.
function* write({ text, settings, limit }, answer) {
  const place = yield* readPrompt(text);
  let written = "";
  let count = 0;
  let posted = -Infinity;
  for (const { character, complete } of drawn(memory, settings, 0, place, text)) {
    written += character;
    const ended = complete && settings.stop_at_end;
    if (ended || ++count === limit) {
      answer({ text: written, done: ended ? "document" : "limit" });
      return;
    }
    if (performance.now() - posted > SLICE) {
      answer({ text: written });
      written = "";
      posted = performance.now();
    }
    yield;
  }
}

// Draw alternative continuations of a few words. If too many are equal, force different first characters,
// the likeliest first.
function* suggest({ text, settings }, answer) {
  const place = yield* readPrompt(text);
  const { engine } = memory;
  const state = engine.state.slice();
  const logits = engine.logits.slice();
  const likeliest = largest(logits, TRIES);
  const found = new Set();
  for (let stream = 1; found.size < ALTERNATIVES && stream <= 2 * TRIES; stream++) {
    engine.state.set(state);
    engine.logits.set(logits);
    const first = likeliest[stream - TRIES - 1];
    const phrase = yield* drawPhrase(drawn(engine, settings, stream, place, text, first));
    if (phrase && !found.has(phrase)) {
      found.add(phrase);
      answer({ text: phrase });
    }
  }
  answer({ done: true });
}

const SHORT = 8; // characters that are too few to end a phrase
const LONG = 20; // characters after which a phrase ends with a word
const LONGEST = 48;

// Return a few words: up to the end of a line, a bar or a document, or of a word if they are long enough.
function* drawPhrase(characters) {
  let phrase = "";
  for (const { character, complete } of characters) {
    const length = phrase.trim().length;
    if (length >= SHORT && (character === "\n" || (length >= LONG && /\s/u.test(character)))) break;
    phrase += character;
    if (complete || phrase.length >= LONGEST || (length >= SHORT && "|;。".includes(character))) break;
    yield;
  }
  return phrase;
}

// ---- reading ------------------------------------------------------------------------------------

// Read a text as `charrnn evaluate` does: one pass from a zero state, which starts afresh at the end of a
// document. The first character is not predicted; characters outside the alphabet, and line ends that would
// make an empty document, are skipped.
function* read({ text }, answer) {
  const engine = engineOf();
  const end = alphabet.terminator;
  let started = end === ""; // whether the current document has a character
  const characters = Array.from(text);
  const width = model.config.num_layers * model.config.hidden_size;
  activations = { width, characters, values: new Int8Array(characters.length * width) };
  let block = new Block(0);
  let predicted = false;
  let tail = "";
  for (const [at, character] of characters.entries()) {
    const id = alphabet.ids.get(character);
    const reads = id !== undefined && (started || character !== "\n");
    block.add(reads && predicted ? engine.logits : null, id);
    if (reads) {
      tail = lastOf(tail + character, end.length);
      if (end !== "" && tail === end) engine.state.fill(0);
      started = end === "" || tail !== end;
      engine.step(id);
      predicted = true;
      remember(engine, at);
    }
    if (performance.now() - block.began > 4 * SLICE) {
      answer(block.content());
      block = new Block(at + 1);
    }
    yield;
  }
  answer({ ...block.content(), done: true });
}

// The results for a run of characters; bits are NaN where nothing was predicted.
class Block {
  constructor(from) {
    Object.assign(this, { from, bits: [], ranks: [], known: [], ids: [], shares: [] });
    this.began = performance.now();
  }

  add(logits, id) {
    const { bits, rank } = logits ? surprise(logits, id) : { bits: NaN, rank: 0 };
    this.bits.push(bits);
    this.ranks.push(rank);
    this.known.push(id !== undefined);
    const p = logits && softmax(logits);
    const top = logits ? largest(logits, TOP) : [];
    this.ids.push(top);
    this.shares.push(top.map((likely) => p[likely]));
  }

  content() {
    const { from, bits, ranks, known, ids, shares } = this;
    return { from, bits, ranks, known, ids, shares };
  }
}

// ---- looking inside -----------------------------------------------------------------------------

// Store the outputs of all hidden units after a character.
function remember(engine, at) {
  const { num_layers: L, hidden_size: H } = model.config;
  for (let layer = 0; layer < L; layer++) {
    const h = engine.hidden(layer);
    const start = at * activations.width + layer * H;
    for (let i = 0; i < H; i++) activations.values[start + i] = Math.round(SCALE * h[i]);
  }
}

// What a unit may track: a number for each character, when it has just been read.
const FEATURES = {
  "position in the line": (characters) => {
    let column = 0;
    return characters.map((character) => (character === "\n" ? (column = 0) : ++column));
  },
  "inside quotes": (characters) => {
    let inside = 0;
    return characters.map((character, at) => {
      if (character === '"') inside = 1 - inside;
      else if ("“«„".includes(character)) inside = 1;
      else if ("”»".includes(character)) inside = 0;
      else if (character === "\n" && characters[at - 1] === "\n") inside = 0;
      return inside;
    });
  },
  "inside brackets": (characters) => {
    let depth = 0;
    return characters.map((character) => {
      if ("([{".includes(character)) depth++;
      else if (")]}".includes(character)) depth = Math.max(0, depth - 1);
      return Math.min(depth, 1);
    });
  },
  "capitals": (characters) => characters.map((character) => Number(/\p{Lu}/u.test(character))),
  "line ends": (characters) => characters.map((_, at) => Number(characters[at + 1] === "\n")),
  "word ends": (characters) => {
    const letter = (character) => /[\p{L}\p{N}]/u.test(character ?? "");
    return characters.map((character, at) =>
      Number(letter(character) && !letter(characters[at + 1])));
  },
};

// Pearson's correlation of every unit with every feature, over the text read last.
function* rank(_, answer) {
  const { width, characters, values } = activations;
  const correlations = {};
  for (const [name, feature] of Object.entries(FEATURES)) {
    const numbers = feature(characters);
    const mean = numbers.reduce((x, y) => x + y, 0) / numbers.length;
    const [sum, squares, products] = [0, 1, 2].map(() => new Float64Array(width));
    let variance = 0;
    for (let at = 0; at < numbers.length; at++) {
      const difference = numbers[at] - mean;
      variance += difference * difference;
      for (let unit = 0, k = at * width; unit < width; unit++, k++) {
        sum[unit] += values[k];
        squares[unit] += values[k] * values[k];
        products[unit] += values[k] * difference;
      }
      if (at % 64 === 0) yield;
    }
    correlations[name] = sum.map((total, unit) => {
      const spread = (squares[unit] - (total * total) / numbers.length) * variance;
      return spread > 0 ? products[unit] / Math.sqrt(spread) : 0;
    });
  }
  answer({ correlations });
}

// The outputs of one unit over the text read last, from -127 to 127.
function* unit({ index }, answer) {
  const { width, characters, values } = activations;
  answer({ index, values: Int8Array.from(characters, (_, at) => values[at * width + index]) });
}
