"use strict";
// About: what the model is, how it was trained, and how to make one.

function startAbout() {
  const { config, history, cost, training } = description;
  const panel = byId("about");
  const characters = Array.from(description.alphabet);
  const input = config.embedding_size ? `an embedding of ${config.embedding_size} numbers` : "one-hot input";
  const kinds = { whole: "running text", lines: "lines", paragraphs: "paragraphs", tunes: "tunes" };
  const stored = { f32: "exactly, in 32 bits", f16: "in 16 bits", i8: "in 8 bits, with a scale for each row" };
  const facts = [
    ["Network", `${config.cell.toUpperCase()}, ${config.num_layers} × ${number(config.hidden_size)} units, ${input}`],
    ["Weights", `${number(description.parameters)}, stored ${stored[description.weights]}`],
    ...(cost
      ? [["Cost of rounding", `${number(cost.before, 4)} nats per character became ${number(cost.after, 4)}, measured on ${number(cost.characters)} characters`]]
      : []),
    ["Trained on", `${number(description.characters)} characters of ${kinds[description.documents] ?? description.documents}, ${number(description.steps)} steps`],
    ["Alphabet", `${number(characters.length)} characters`],
    ["charrnn", `${description.version}`],
  ];
  const parts = [
    make("h2", {}, "The model"),
    make("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
  ];
  const figure = make("figure");
  if (history.step.length > 1) parts.push(make("h2", {}, "How it learned"), figure);
  parts.push(
    make("details", {}, make("summary", {}, "Alphabet"),
      make("p", { class: "alphabet" }, ...characters.slice(0, 2000).map((character) => make("span", {}, visible(character))))),
    make("details", {}, make("summary", {}, "Training settings"),
      make("dl", { class: "facts" }, ...Object.entries(training).flatMap(([name, value]) =>
        [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, String(value))]))),
    make("h2", {}, "Good to know"),
    make("p", {}, "Everything happens in this page: nothing is sent anywhere, and it works without a network. " +
      "Your text stays in this browser until you delete it."),
    make("p", {}, "The model predicts one character at a time from those before it, and knows nothing else: what it " +
      "writes may be false. It may have memorized parts of its training text."),
  );
  if (description.tunes) {
    parts.push(make("p", {}, "In charrnn, the command ", make("code", {}, "compose"), " follows a grammar, so that the bars of a " +
      "tune add up. This page does not include the grammar, so a bar may be too short or too long."));
  }
  parts.push(
    make("h2", {}, "Make your own"),
    make("p", {}, "charrnn trains a model like this on your own text, on a laptop, in minutes:"),
    make("pre", {}, "pip install charrnn\ncharrnn train novel.txt --minutes 10\ncharrnn export novel.safetensors novel.html"),
  );
  panel.replaceChildren(...parts);
  // As wide as there is room, so that the letters keep their size.
  opened.about = () => {
    const width = Math.max(280, panel.clientWidth);
    if (history.step.length > 1) figure.replaceChildren(...curves(history, width));
  };
}

// The losses while training and in validation, over the steps.
function curves({ step, train, valid }, width) {
  const [height, left, bottom, right, top] = [260, 46, 34, 12, 12];
  const losses = [...train, ...valid];
  const low = Math.floor(Math.min(...losses) * 5) / 5;
  const high = Math.max(low + 0.2, Math.ceil(Math.min(Math.max(...losses), low + 3) * 5) / 5);
  const x = (value) => left + ((value - step[0]) / (step.at(-1) - step[0])) * (width - left - right);
  const y = (value) => top + ((high - Math.min(value, high)) / (high - low)) * (height - top - bottom);
  const label = (words, attributes) => makeSvg("text", attributes, words);
  const line = (values, name) =>
    makeSvg("polyline", { class: name, points: values.map((value, k) => `${x(step[k]).toFixed(1)},${y(value).toFixed(1)}`).join(" ") });
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
  const drawing = makeSvg("svg", {
    class: "curves",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Loss over ${step.at(-1)} steps: training from ${train[0].toFixed(2)} to ${train.at(-1).toFixed(2)}, validation from ${valid[0].toFixed(2)} to ${valid.at(-1).toFixed(2)} nats per character`,
  },
  ...grid.flatMap((value) => [
    makeSvg("path", { class: "grid", d: `M${left} ${y(value)}H${width - right}` }),
    label(value.toFixed(2), { x: left - 8, y: y(value) + 4, "text-anchor": "end" }),
  ]),
  label(number(step[0]), { x: left, y: height - 12 }),
  label(`${number(step.at(-1))} steps`, { x: width - right, y: height - 12, "text-anchor": "end" }),
  line(train, "train"),
  line(valid, "valid"));
  const caption = make("figcaption", {},
    make("span", { class: "train" }, "training"), make("span", { class: "valid" }, "validation"),
    ` loss in nats per character; best validation loss ${number(Math.min(...valid), 3)}`);
  return [drawing, caption];
}
