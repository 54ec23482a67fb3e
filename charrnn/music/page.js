// What a page of tunes does besides playing them: files to download, and tunes to keep or discard.
//
// All files are made here, so that the page needs no others: opened from a disk, a browser does not
// let it download its neighbors.
const LONGEST = 600; // seconds of sound in a file
const PEAK = 0.8; // the loudest sample

const tunes = players.map((player) => ({
  player,
  article: player.article,
  name: player.article.dataset.name,
  abc: player.article.querySelector("pre").textContent,
}));

// ---- files --------------------------------------------------------------------------------------

const FORMATS = {
  abc: async ({ abc }) => new Blob([abc], { type: "text/vnd.abc" }),
  mid: async ({ article }) => new Blob([bytesOf(article.dataset.midi)], { type: "audio/midi" }),
  wav: async ({ player }) => new Blob([wave(await player.samples())], { type: "audio/wav" }),
};

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// A WAV file: 16 bits, mono.
function wave(samples) {
  const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const scale = loudest ? (PEAK * 32767) / loudest : 0;
  const size = 2 * samples.length;
  const file = new DataView(new ArrayBuffer(44 + size));
  const text = (at, letters) => [...letters].forEach((letter, n) => file.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true); // bytes of what follows
  file.setUint16(20, 1, true); // PCM
  file.setUint16(22, 1, true); // channels
  file.setUint32(24, RATE, true);
  file.setUint32(28, 2 * RATE, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, size, true);
  samples.forEach((sample, n) => file.setInt16(44 + 2 * n, Math.round(scale * sample), true));
  return file;
}

async function download(tune, format, button) {
  if (format === "wav" && tune.player.length / tune.player.wholeNotesPerSecond() > LONGEST) {
    say(button, "too long");
    return;
  }
  button.disabled = true;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await FORMATS[format](tune));
  link.download = `${tune.name}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  button.disabled = false;
}

// ---- keep and discard ---------------------------------------------------------------------------

const kept = document.querySelector("#kept");
const memory = `charrnn ${document.querySelector("main").dataset.id}`;
let choices = remembered(); // "keep" or "discard" by name of a tune

function remembered() {
  try {
    return Object(JSON.parse(localStorage.getItem(memory)) ?? {});
  } catch { // not allowed, or not ours
    return {};
  }
}

function choose({ name, player }, choice) {
  if (choices[name] === choice) delete choices[name];
  else choices[name] = choice;
  if (choices[name] === "discard" && playing === player) player.stop();
  try {
    localStorage.setItem(memory, JSON.stringify(choices));
  } catch {} // not allowed: the choices last as long as the page
  showChoices();
}

function showChoices() {
  for (const { name, article } of tunes) {
    for (const choice of ["keep", "discard"]) {
      article.querySelector(`.${choice}`).setAttribute("aria-pressed", choices[name] === choice);
    }
    article.classList.toggle("discarded", choices[name] === "discard");
  }
  const chosen = tunes.filter(({ name }) => choices[name] === "keep");
  const [list, book] = kept.querySelectorAll("pre");
  list.textContent = chosen.map(({ name, player }) => `${name} ${player.title}\n`).join("");
  book.textContent = chosen.map(({ abc }, n) => abc.trim().replace(/^X:.*$/m, `X:${n + 1}`) + "\n").join("\n");
  kept.hidden = !chosen.length;
}

// ---- buttons ------------------------------------------------------------------------------------

async function copy(button) {
  const source = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(source.textContent);
    say(button, "Copied");
  } catch { // not allowed: select the text for the keyboard
    getSelection().selectAllChildren(source);
  }
}

// Show a word on a button for a moment.
function say(button, word) {
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = word;
  setTimeout(() => { button.textContent = label; }, 1500);
}

for (const tune of tunes) {
  const { article } = tune;
  article.querySelector(".keep").addEventListener("click", () => choose(tune, "keep"));
  article.querySelector(".discard").addEventListener("click", () => choose(tune, "discard"));
  for (const button of article.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => download(tune, button.dataset.format, button));
  }
}
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", () => copy(button));
}
showChoices();
