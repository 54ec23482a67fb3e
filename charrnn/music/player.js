"use strict";
// The player of a page of tunes, each an article as in page.py.
//
// Oscillators play the notes, scheduled on the audio clock a little ahead of time; the highlighted
// note and the slider follow the same clock. Positions are in whole notes.
const AHEAD = 1.5; // seconds; a hidden tab's timer ticks only once a second
const HARMONICS = new Float32Array([0, 1, 0.45, 0.28, 0.1, 0.08, 0.04, 0.02]);
const RATE = 44100; // samples per second of a file
const TAIL = 0.25; // seconds after the end of a note until its sound has died away
const LOUDNESS = 0.23; // of a note with the velocity LOUD
const LOUD = 92;

let playing = null; // the player that sounds, if any
let latest = null; // the player that the space bar starts

// A soft pluck: a quick attack, a decay to less than half, a short release.
class Instrument {
  constructor(context) {
    this.context = context;
    this.wave = context.createPeriodicWave(new Float32Array(HARMONICS.length), HARMONICS);
    this.volume = context.createGain();
    const filter = new BiquadFilterNode(context, { type: "lowpass", frequency: 3500 });
    this.volume.connect(filter).connect(context.destination);
    this.backing = context.createGain(); // for chords
    this.backing.connect(this.volume);
  }

  mute(muted) {
    this.backing.gain.value = muted ? 0 : 1;
  }

  // Play a note, or the notes of a chord, at a time in seconds, with this many whole notes a second.
  play({ pitches, sounds, velocity, chord }, begin, speed) {
    if (!sounds) return;
    const loudness = (LOUDNESS * velocity) / LOUD / (chord ? 2 : 1);
    const end = begin + (0.94 * sounds) / speed;
    const envelope = this.context.createGain();
    envelope.gain.setValueAtTime(0, begin);
    envelope.gain.linearRampToValueAtTime(loudness, begin + 0.01);
    envelope.gain.setTargetAtTime(0.4 * loudness, begin + 0.01, 0.25);
    envelope.gain.setTargetAtTime(0, Math.max(end, begin + 0.02), 0.03);
    envelope.connect(chord ? this.backing : this.volume);
    for (const pitch of pitches) {
      const oscillator = this.context.createOscillator();
      oscillator.setPeriodicWave(this.wave);
      oscillator.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
      oscillator.connect(envelope);
      oscillator.start(begin);
      oscillator.stop(end + TAIL);
    }
  }
}

class Player {
  constructor(article) {
    const find = (selector) => article.querySelector(selector);
    this.article = article;
    this.button = find(".play");
    this.title = find("h2").textContent;
    this.position = find(".position");
    this.tempo = find(".tempo input");
    this.output = find(".tempo output");
    this.length = Number(article.dataset.length);
    this.beat = Number(article.dataset.beat);
    this.chords = find(".chords"); // the button that mutes them, if any
    this.notes = JSON.parse(article.dataset.notes).map(
      ([number, pitch, start, duration, sounds, velocity]) =>
        ({ number, pitch, start, end: start + duration, sounds, velocity }));
    const strums = JSON.parse(article.dataset.strums ?? "[]").map(
      ([pitches, start, sounds, velocity]) => ({ pitches, start, sounds, velocity, chord: true }));
    this.sounds = [...this.notes.map((note) => ({ ...note, pitches: [note.pitch] })), ...strums]
      .sort((a, b) => a.start - b.start);
    this.lit = undefined; // the number of the highlighted note

    this.button.addEventListener("click", () => this.toggle());
    this.position.addEventListener("change", () => playing === this && this.play());
    this.chords?.addEventListener("click", () => this.mute());
    this.tempo.addEventListener("input", () => this.label());
    this.tempo.addEventListener("change", () => playing === this && this.play());
    find(".score").addEventListener("click", (event) => {
      const shape = event.target.closest("[data-note]");
      const note = shape && this.notes.find((note) => note.number === Number(shape.dataset.note));
      if (note) {
        this.position.value = note.start;
        this.play();
      }
    });
    this.label();
  }

  label() {
    this.output.value = this.tempo.value + " bpm";
    this.button.setAttribute("aria-label", (playing === this ? "Stop " : "Play ") + this.title);
  }

  get muted() {
    return this.chords?.getAttribute("aria-pressed") === "false";
  }

  mute() {
    this.chords.setAttribute("aria-pressed", this.muted);
    if (playing === this) this.instrument.mute(this.muted);
  }

  wholeNotesPerSecond() {
    return (this.tempo.value * this.beat) / 60;
  }

  toggle() {
    if (playing === this) this.stop();
    else this.play();
  }

  // Play from the slider's position.
  play() {
    playing?.silence();
    playing = latest = this;
    this.from = Number(this.position.value);
    if (this.from >= this.length) this.from = 0;
    this.speed = this.wholeNotesPerSecond();
    this.next = this.sounds.findIndex(({ start }) => start >= this.from);
    if (this.next < 0) this.next = this.sounds.length;
    this.context = new AudioContext();
    this.context.resume();
    this.instrument = new Instrument(this.context);
    this.instrument.mute(this.muted);
    this.began = this.context.currentTime + 0.08;
    this.timer = setInterval(() => this.schedule(), 200);
    this.schedule();
    this.article.classList.add("playing");
    this.label();
    this.follow();
  }

  stop() {
    this.silence();
    this.position.value = 0;
  }

  // Stop and keep the position.
  silence() {
    const { context, instrument } = this;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    instrument.volume.gain.setTargetAtTime(0, context.currentTime, 0.01); // without a click
    setTimeout(() => context.close(), 100);
    playing = null;
    this.light(null);
    this.article.classList.remove("playing");
    this.label();
  }

  time(position) {
    return this.began + (position - this.from) / this.speed;
  }

  schedule() {
    const until = this.context.currentTime + AHEAD;
    for (; this.next < this.sounds.length; this.next++) {
      const sound = this.sounds[this.next];
      if (this.time(sound.start) > until) return;
      this.instrument.play(sound, this.time(sound.start), this.speed);
    }
  }

  // The tune at the current tempo, as samples between -1 and 1.
  async samples() {
    const speed = this.wholeNotesPerSecond();
    const seconds = this.length / speed + TAIL;
    const context = new OfflineAudioContext(1, Math.ceil(seconds * RATE), RATE);
    const instrument = new Instrument(context);
    instrument.mute(this.muted);
    for (const sound of this.sounds) instrument.play(sound, sound.start / speed, speed);
    return (await context.startRendering()).getChannelData(0);
  }

  // Follow the sound until the tune ends.
  follow() {
    const heard = this.context.currentTime - (this.context.outputLatency || 0);
    const position = this.from + Math.max(0, heard - this.began) * this.speed;
    if (position >= this.length) {
      this.stop();
      return;
    }
    if (!this.position.matches(":active")) this.position.value = position;
    this.light(this.notes.find(({ start, end }) => start <= position && position < end));
    this.frame = requestAnimationFrame(() => this.follow());
  }

  // A note may be drawn as several, tied.
  light(note) {
    if (note?.number === this.lit) return;
    for (const shape of this.article.querySelectorAll(".lit")) shape.classList.remove("lit");
    this.lit = note?.number;
    for (const shape of this.article.querySelectorAll(`[data-note="${this.lit}"]`)) {
      shape.classList.add("lit");
    }
  }
}

const players = Array.from(document.querySelectorAll("article"), (article) => new Player(article));
latest = players[0];
document.addEventListener("keydown", (event) => {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
  if (event.code === "Space" && plain && latest && !event.target.closest("a, button, input, select, summary, textarea")) {
    event.preventDefault();
    (playing ?? latest).toggle();
  }
});
