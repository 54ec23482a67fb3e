"use strict";
// Tunes that the model writes, drawn as a piano roll and played. The parser reads the ABC that charrnn
// trains on (charrnn/music/abc_writer.py: canonical) and ignores everything else.
//
// Times are in whole notes. A tune is {title, meter, key, bars, complete}, a bar {notes, opens, repeats,
// closes, ending}, a note {pitch, duration, tied}, its pitch null for a rest.

// ---- reading ABC --------------------------------------------------------------------------------

const LETTERS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const FIFTHS = "FCGDAEB"; // the order in which letters become sharp; flat in reverse
const MODES = { maj: 0, min: -3, dor: -2, phr: -4, lyd: 1, mix: -1, loc: -5 };
const MODE_NAMES = {
  maj: "major", min: "minor", dor: "dorian", phr: "phrygian", lyd: "lydian", mix: "mixolydian", loc: "locrian",
};
const ACCIDENTALS = { "^^": 2, "^": 1, "=": 0, _: -1, __: -2 };
const TOKENS = new RegExp([
  /(?<bar>:\|+:|::|:\|\]?|\|+:|\|\]|\|\||\[\||\|)(?: *\[?(?<ending>[12])(?!\d))?/,
  /\[(?<field>[MK]):(?<value>[^\]\n]*)\]/,
  /\((?<tuplet>\d)(?::(?<q>\d?))?(?::(?<r>\d?))?/,
  /(?<accidental>\^\^|\^|__|_|=)?(?<note>[A-Ga-gzx])(?<octaves>[',]*)(?<over>\d*)(?<slash>\/*)(?<under>\d*)(?<tie>-?)/,
  /"[^"\n]*"|![^!\n]*!|\{[^}\n]*\}/,
].map((part) => part.source).join("|"), "g");

// The tune in a piece of ABC, or null if there is no bar of music in it.
function readTune(abc) {
  const tune = { title: "", meter: [4, 4], key: keyOf("C"), bars: [] };
  const music = abc.replace(/^([A-Za-z]):(.*)$/gm, (_, name, value) => {
    if (name === "T") tune.title ||= value.trim();
    if (name === "M") tune.meter = meterOf(value);
    if (name === "K") tune.key = keyOf(value.trim()) ?? tune.key;
    return "";
  });
  let { meter, key } = tune;
  let bar = emptyBar();
  let heard = {}; // accidentals of the bar, by letter and octave
  let tuplet = { left: 0, factor: 1 };
  let last = "";
  for (const { groups, 0: token } of music.matchAll(TOKENS)) {
    last = groups.bar ?? "";
    if (groups.bar) {
      const [repeats, opens] = [token.startsWith(":"), groups.bar.endsWith(":")];
      const before = bar.notes.length ? bar : tune.bars.at(-1);
      if (before) Object.assign(before, { repeats: before.repeats || repeats, closes: /\|\||\]/.test(groups.bar) });
      if (bar.notes.length) {
        tune.bars.push(bar);
        bar = emptyBar();
      }
      Object.assign(bar, { opens: bar.opens || opens, ending: Number(groups.ending ?? 0) });
      heard = {};
    } else if (groups.field === "M") {
      bar.meter = meter = meterOf(groups.value);
    } else if (groups.field === "K") {
      key = keyOf(groups.value.trim()) ?? key;
    } else if (groups.tuplet) {
      const p = Number(groups.tuplet);
      const usual = { 2: 3, 3: 2, 4: 3, 8: 3 }[p] ?? (meter && meter[0] % 3 === 0 && meter[1] === 8 ? 3 : 2);
      tuplet = { left: Number(groups.r || p), factor: Number(groups.q || usual) / p };
    } else if (groups.note) {
      const factor = tuplet.left-- > 0 ? tuplet.factor : 1;
      bar.notes.push({
        pitch: pitchOf(groups, key, heard),
        duration: (lengthOf(groups) * factor) / 8,
        tied: groups.tie === "-",
      });
    }
  }
  if (bar.notes.length) tune.bars.push(bar);
  if (!tune.bars.length || !music.includes("|")) return null;
  return { ...tune, complete: last === "|]" || last.startsWith(":|") };
}

function emptyBar() {
  return { notes: [], opens: false, repeats: false, closes: false, ending: 0, meter: null };
}

function meterOf(value) {
  const found = /(\d+)\/(\d+)/.exec(value);
  return found && Number(found[2]) ? [Number(found[1]), Number(found[2])] : null;
}

// A key's tonic, its pitch class, its scale, and what its signature does to each letter.
function keyOf(value) {
  const found = /^([A-G])([#b]?)([a-z]{0,3})/.exec(value);
  if (!found) return null;
  const [, letter, accidental, word] = found;
  const mode = { "": "maj", m: "min" }[word] ?? word;
  if (!(mode in MODES)) return null;
  const shift = { "#": 1, b: -1, "": 0 }[accidental];
  const sharps = FIFTHS.indexOf(letter) - 1 + 7 * shift + MODES[mode];
  const signature = {};
  for (const sharp of FIFTHS.slice(0, Math.max(0, sharps))) signature[sharp] = 1;
  for (const flat of [...FIFTHS].reverse().slice(0, Math.max(0, -sharps))) signature[flat] = -1;
  return {
    name: `${letter}${{ "#": "♯", b: "♭", "": "" }[accidental]} ${MODE_NAMES[mode]}`,
    tonic: (LETTERS[letter] + shift + 12) % 12,
    scale: new Set(Object.keys(LETTERS).map((name) => (LETTERS[name] + (signature[name] ?? 0) + 12) % 12)),
    signature,
  };
}

function pitchOf({ note, octaves, accidental }, key, heard) {
  if (/[zx]/.test(note)) return null;
  const letter = note.toUpperCase();
  let octave = note === letter ? 0 : 1;
  for (const mark of octaves) octave += mark === "'" ? 1 : -1;
  const place = letter + octave;
  if (accidental) heard[place] = ACCIDENTALS[accidental];
  return 60 + 12 * octave + LETTERS[letter] + (heard[place] ?? key.signature[letter] ?? 0);
}

// A note's length in units: 3/2, 2, /, /4.
function lengthOf({ over, slash, under }) {
  return Number(over || 1) / (under ? Number(under) : 2 ** slash.length);
}

// ---- playing order ------------------------------------------------------------------------------

// The indices of the bars as they are played, as in charrnn/music/tune.py: Tune.played.
function playedBars(bars) {
  const order = [];
  let begin = 0; // where the section being played begins
  let again = false; // the second time, and until the next section opens
  for (let index = 0; index < bars.length;) {
    const bar = bars[index];
    if (bar.opens && index !== begin) [begin, again] = [index, false];
    if (bar.ending === 1 && again) {
      while (index < bars.length && !bars[index].repeats) index++;
      index++;
      continue;
    }
    order.push(index);
    if (bar.repeats && !again) {
      again = true;
      index = begin;
      continue;
    }
    if (bar.repeats) [again, begin] = [false, index + 1];
    index++;
  }
  return order;
}

// The bars as they are written, with what holds in each: its notes' offsets, its meter, what is missing
// before it if it is a pick-up, and the number of its first note.
function measuresOf(tune) {
  let { meter } = tune;
  let number = 0;
  let before = { closes: true };
  return tune.bars.map((bar, index) => {
    meter = bar.meter ?? meter;
    const begins = bar.opens || before.closes || (before.repeats && !bar.ending);
    const duration = bar.notes.reduce((sum, note) => sum + note.duration, 0);
    const full = meter ? meter[0] / meter[1] : duration;
    const missing = begins ? Math.max(0, full - duration) : 0;
    let offset = 0;
    const notes = [];
    for (const note of bar.notes) {
      notes.push({ ...note, offset, number: note.pitch === null ? null : number++ });
      offset += note.duration;
    }
    before = bar;
    return { bar, index, begins, duration, missing, meter, notes };
  });
}

// How long a beat is: in 6/8, 9/8 and 12/8 three eighths.
function beatOf(meter) {
  if (!meter) return 1 / 4;
  const [beats, unit] = meter;
  return (beats > 3 && beats % 3 === 0 ? 3 : 1) / unit;
}

const VELOCITIES = [70, 78, 92]; // of a note off the beat, on it, at the beginning of a bar

// The notes as the player takes them: [number, pitch, start, duration, sounds, velocity], as in
// charrnn/music/performance.py, but without its phrases.
function performanceOf(tune) {
  const measures = measuresOf(tune);
  const played = [];
  let now = 0;
  let tied = null; // the note that sounds on
  for (const index of playedBars(tune.bars)) {
    const { notes, duration, missing, meter } = measures[index];
    for (const { number, pitch, offset, duration: length, tied: ties } of notes) {
      const beats = (missing + offset) / beatOf(meter);
      const onBeat = meter ? Math.abs(beats - Math.round(beats)) < 1e-6 : offset === 0;
      const stress = !onBeat ? 0 : offset > 1e-6 || missing > 1e-6 ? 1 : 2;
      if (pitch === null) {
        tied = null;
        continue;
      }
      const joins = tied !== null && tied[1] === pitch;
      const note = [number, pitch, now + offset, length, joins ? 0 : length, VELOCITIES[stress]];
      if (joins) tied[4] += length;
      played.push(note);
      tied = ties ? (joins ? tied : note) : null;
    }
    now += duration;
  }
  return { played, length: now };
}

// ---- drawing ------------------------------------------------------------------------------------

const ROLL = { left: 12, right: 14, top: 20, gap: 14, height: 120, least: 2, most: 7 };

// Bars in lines: a section begins a line, and a line has about four bars, or eight short ones; half as
// many where the window is narrow.
function linesOf(measures) {
  const bars = narrow.matches ? 2 : 4;
  const lines = [];
  let room = 0;
  for (const measure of measures) {
    const full = measure.meter ? measure.meter[0] / measure.meter[1] : 1;
    const length = measure.missing ? 0 : measure.duration;
    if (measure.begins || length > room + 1e-6) {
      lines.push([]);
      room = full * bars * (full <= 1 / 2 ? 2 : 1);
    }
    lines.at(-1).push(measure);
    room -= length;
  }
  return lines;
}

// The piano roll: time to the right, a row for each semitone, those outside the scale shaded.
function rollOf(tune) {
  const measures = measuresOf(tune);
  const lines = linesOf(measures);
  const pitches = measures.flatMap(({ notes }) => notes.map(({ pitch }) => pitch)).filter((pitch) => pitch !== null);
  const [low, high] = pitches.length ? [Math.min(...pitches) - 1, Math.max(...pitches) + 1] : [59, 73];
  const rows = high - low + 1;
  const row = Math.min(ROLL.most, Math.max(ROLL.least, ROLL.height / rows));
  const lengths = lines.map((line) => line.reduce((sum, { duration }) => sum + duration, 0));
  const width = narrow.matches ? 500 : 1000;
  const scale = Math.min((width - ROLL.left - ROLL.right) / Math.max(...lengths, 0.25), 320);
  const svg = makeSvg("svg", { class: "roll", role: "img", "aria-label": `Piano roll in ${tune.key.name}` });
  let top = 0;
  for (const line of lines) {
    top += ROLL.top;
    const y = (pitch) => top + (high - pitch) * row;
    let x = ROLL.left;
    const end = x + line.reduce((sum, { duration }) => sum + duration, 0) * scale;
    for (let pitch = low; pitch <= high; pitch++) {
      const class_ = pitch % 12 === tune.key.tonic ? "tonic" : tune.key.scale.has(pitch % 12) ? "" : "outside";
      if (class_) svg.append(makeSvg("rect", { class: class_, x, y: y(pitch), width: end - x, height: row }));
    }
    svg.append(makeSvg("path", { class: "line", d: `M${x} ${top}v${rows * row}` }));
    for (const { bar, notes, duration, index } of line) {
      if (bar.ending) svg.append(makeSvg("text", { x: x + 4, y: top - 5 }, `${bar.ending}.`));
      if (bar.opens) svg.append(...dots(x + 5, top, rows * row));
      for (const { pitch, offset, number, duration: length, tied } of notes) {
        if (pitch === null) continue;
        svg.append(makeSvg("rect", {
          class: "note", "data-note": number, x: x + offset * scale + 0.7, y: y(pitch), rx: 2, height: row,
          width: Math.max(1, length * scale - (tied ? 0 : 1.4)),
        }));
      }
      x += duration * scale;
      if (bar.repeats) svg.append(...dots(x - 5, top, rows * row));
      const thick = bar.repeats || index === measures.length - 1;
      svg.append(makeSvg("path", { class: thick ? "line thick" : "line", d: `M${x} ${top}v${rows * row}` }));
    }
    top += rows * row + ROLL.gap;
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${top}`);
  return svg;
}

function dots(x, top, height) {
  return [0.4, 0.6].map((share) => makeSvg("circle", { class: "dot", cx: x, cy: top + share * height, r: 2 }));
}

// ---- in the page --------------------------------------------------------------------------------

const LONGEST_TUNE = 10_000; // characters
const REDRAWN = 150; // milliseconds between drawings while the text changes

let drawnTune = ""; // the ABC that is drawn
let drawing = 0;

// The piece of the text between blank lines in which the cursor is, or the last one with music before it.
function tuneAtCursor() {
  const pieces = text.slice(0, LONGEST_TUNE * 10).split("\n\n");
  let end = 0;
  let found = "";
  for (const piece of pieces) {
    if (/\|/.test(piece) && piece.length <= LONGEST_TUNE) found = piece;
    end += piece.length + 2;
    if (end > cursor() && found) break;
  }
  return found;
}

function drawTune() {
  drawing = 0;
  const abc = tuneAtCursor();
  if (abc === drawnTune) return;
  drawnTune = abc;
  playing?.silence();
  latest = null;
  const tune = readTune(abc);
  byId("tune").hidden = !tune;
  if (!tune) return;
  const { played, length } = performanceOf(tune);
  const beat = beatOf(tune.meter);
  const title = tune.title || "The tune";
  const tempo = Math.round(tempoOf(tune.meter) / (4 * beat));
  const article = make("article", {
    "data-length": length, "data-beat": beat, "data-notes": JSON.stringify(played),
  },
  make("h2", {}, title),
  make("p", { class: "settings" }, [
    tune.key.name, tune.meter ? tune.meter.join("/") : "free meter", `${tune.bars.length} ${tune.bars.length === 1 ? "bar" : "bars"}`,
    ...(tune.complete ? [] : ["unfinished"]),
  ].join(", ")),
  make("div", { class: "controls" },
    make("button", { type: "button", class: "play" }),
    make("input", { type: "range", class: "position", min: 0, max: length, step: "any", value: 0, "aria-label": `Position in ${title}` }),
    make("label", { class: "tempo" }, "Tempo ",
      make("input", { type: "range", min: Math.min(40, tempo), max: Math.max(240, tempo), value: tempo }), make("output"))),
  make("div", { class: "score" }, rollOf(tune)));
  byId("tune").replaceChildren(article);
  latest = new Player(article);
}

// Quarter notes per minute that suit dances of a meter, as in charrnn/music/tune.py: tempo_of.
function tempoOf(meter) {
  const [beats, unit] = meter ?? [4, 4];
  if (unit >= 8 && beats % 3 === 0) return 168;
  return unit === 4 ? { 2: 120, 3: 132 }[beats] ?? 160 : 160;
}

function startTunes() {
  whenChanged.push(() => { drawing ||= setTimeout(drawTune, REDRAWN); });
  field.addEventListener("click", () => { drawing ||= setTimeout(drawTune, REDRAWN); });
}
