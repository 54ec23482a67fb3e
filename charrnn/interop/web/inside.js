"use strict";
// Look inside: the text that was read last, colored by one hidden unit, and the units ranked by what
// they track (Karpathy et al. 2015).

const STEPS = [-0.75, -0.5, -0.25, -0.08, 0.08, 0.25, 0.5, 0.75]; // the borders between colors
const LISTED = 300; // units

let correlations = null; // of all units with each feature, over the text `ranked`
let ranked = null;
let order = []; // the listed units, best first: {unit, feature, r}
let chosenUnit = 0; // its index in the order
let cells = []; // the element of each character

function unitName(unit) {
  const { num_layers: layers, hidden_size: size } = description.config;
  return (layers > 1 ? `Layer ${Math.floor(unit / size) + 1}, unit ` : "Unit ") + ((unit % size) + 1);
}

// Read the text if need be, and rank the units.
function lookInside() {
  const value = own ?? text;
  readText(value, () => {
    if (ranked === value) return;
    ranked = value;
    cells = reading.characters.map((character) => make("span", character === "\n" ? { class: "line" } : {}, character));
    byId("activations").replaceChildren(...cells);
    if (!cells.length) {
      byId("activations").append(make("p", { class: "empty" }, "No text yet: write something first, or choose a text under Read."));
    }
    model.start("rank", {}, (answer) => {
      correlations = answer.correlations;
      drawUnits();
    });
  });
}

function drawUnits() {
  const wanted = byId("feature").value;
  const names = wanted ? [wanted] : Object.keys(correlations);
  const count = correlations[names[0]].length;
  order = Array.from({ length: count }, (_, unit) => {
    const feature = names.reduce((best, name) =>
      (Math.abs(correlations[name][unit]) > Math.abs(correlations[best][unit]) ? name : best));
    return { unit, feature, r: correlations[feature][unit] };
  });
  order.sort((a, b) => Math.abs(b.r) - Math.abs(a.r) || a.unit - b.unit);
  order = order.slice(0, LISTED);
  byId("units").replaceChildren(...order.map(({ unit, feature, r }, place) => {
    const option = make(
      "div",
      { role: "option", id: `unit-${place}`, "aria-selected": false },
      make("b", {}, unitName(unit)),
      make("span", {}, feature),
      make("span", { class: "share" }, r.toFixed(2).replace("-", "−")),
    );
    option.addEventListener("click", () => chooseUnit(place));
    return option;
  }));
  chooseUnit(0);
}

function chooseUnit(place) {
  const options = byId("units").children;
  options[chosenUnit]?.setAttribute("aria-selected", false);
  chosenUnit = Math.min(Math.max(0, place), order.length - 1);
  const option = options[chosenUnit];
  option.setAttribute("aria-selected", true);
  byId("units").setAttribute("aria-activedescendant", option.id);
  // Scroll the list, and not the page.
  const list = byId("units");
  const above = option.offsetTop - list.offsetTop;
  if (above < list.scrollTop) list.scrollTop = above;
  const over = above + option.offsetHeight - list.clientHeight;
  if (over > list.scrollTop) list.scrollTop = over;
  const { unit, feature, r } = order[chosenUnit];
  byId("unit-name").textContent = `${unitName(unit)}: ${feature}, r = ${r.toFixed(2).replace("-", "−")}`;
  byId("unit-before").disabled = chosenUnit === 0;
  byId("unit-after").disabled = chosenUnit === order.length - 1;
  model.start("unit", { index: unit }, ({ values }) => {
    cells.forEach((cell, at) => {
      const value = values[at] / 127;
      const place = STEPS.findIndex((step) => value < step);
      const color = reading.known[at] ? ` a${place < 0 ? STEPS.length : place}` : " unknown";
      cell.className = (reading.characters[at] === "\n" ? "line" : "") + color;
      cell.title = value.toFixed(2);
    });
  });
}

function startInside() {
  opened.inside = lookInside;
  const { num_layers: layers, hidden_size: size } = description.config;
  byId("inside-lead").textContent =
    `While it reads, the model keeps everything it knows about the text in ${number(layers * size)} numbers, its hidden ` +
    "units. Nobody designed them, but some track something with a name: the position in a line, or whether " +
    "a quotation is open. Here one unit at a time colors the text, blue below zero and orange above.";
  const features = ["position in the line", "inside quotes", "inside brackets", "capitals", "line ends", "word ends"];
  byId("feature").append(make("option", { value: "" }, "what it tracks best"),
    ...features.map((name) => make("option", { value: name }, name)));
  byId("feature").addEventListener("change", () => correlations && drawUnits());
  byId("unit-legend").replaceChildren(
    make("li", {}, "−1"),
    ...Array.from({ length: STEPS.length + 1 }, (_, place) => make("li", { class: `swatch a${place}` })),
    make("li", {}, "+1"),
  );
  const keys = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key]
      ?? { Home: -LISTED, End: LISTED }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || !order.length) return;
    event.preventDefault();
    chooseUnit(chosenUnit + step);
  };
  byId("units").addEventListener("keydown", keys);
  byId("activations").addEventListener("keydown", keys);
  byId("unit-before").addEventListener("click", () => chooseUnit(chosenUnit - 1));
  byId("unit-after").addEventListener("click", () => chooseUnit(chosenUnit + 1));
}
