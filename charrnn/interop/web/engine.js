"use strict";
// The arithmetic of a charrnn model: characters in, probabilities out. Nothing here knows about the
// page. docs/engine.md describes the equations and the layout of the weights.
//
// Letters as in the Python code: V characters in the alphabet, E numbers that stand for each, H hidden
// units, G gates, S states of a cell, L layers.

// ---- weights ------------------------------------------------------------------------------------

// Formats of the weights. Each function reads a tensor of a given shape at a given byte, and returns its
// numbers and the byte after it. Tensors begin at multiples of 4 bytes.
const WEIGHTS = {
  f32(buffer, at, shape) {
    const size = sizeOf(shape);
    return [new Float32Array(buffer, at, size), at + 4 * size];
  },

  f16(buffer, at, shape) {
    const halves = new Uint16Array(buffer, at, sizeOf(shape));
    const values = new Float32Array(halves.length);
    for (let k = 0; k < values.length; k++) values[k] = half(halves[k]);
    return [values, at + 2 * values.length];
  },

  // A matrix is a scale for each row, then its rows as integers from -127 to 127; a vector is as in f32.
  i8(buffer, at, shape) {
    if (shape.length === 1) return WEIGHTS.f32(buffer, at, shape);
    const [rows, columns] = shape;
    const scales = new Float32Array(buffer, at, rows);
    const whole = new Int8Array(buffer, at + 4 * rows, rows * columns);
    const values = new Float32Array(rows * columns);
    for (let row = 0, k = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, k++) values[k] = scales[row] * whole[k];
    }
    return [values, at + 4 * rows + rows * columns];
  },
};

function sizeOf(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

// The number that 16 bits stand for: a sign, 5 bits of exponent, 10 bits of fraction (IEEE 754).
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) + (exponent ? 1024 : 0);
  return (bits & 0x8000 ? -1 : 1) * UNITS[exponent] * fraction;
}

const UNITS = Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(1, exponent) - 25));

// All tensors of a model, by name.
function readWeights(model, buffer) {
  const weights = {};
  let at = 0;
  for (const [name, shape] of model.tensors) {
    [weights[name], at] = WEIGHTS[model.weights](buffer, at, shape);
    at = Math.ceil(at / 4) * 4;
  }
  return weights;
}

// ---- arithmetic ---------------------------------------------------------------------------------

// out = W x + b, with W row by row. Four rows at a time are two to three times as fast as one: their sums
// do not wait for each other, and each number of x is read once for all four.
function affine(W, x, b, out) {
  const rows = out.length;
  const columns = x.length;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const at = row * columns;
    const at1 = at + columns;
    const at2 = at1 + columns;
    const at3 = at2 + columns;
    let sum = b[row];
    let sum1 = b[row + 1];
    let sum2 = b[row + 2];
    let sum3 = b[row + 3];
    for (let j = 0; j < columns; j++) {
      const value = x[j];
      sum += W[at + j] * value;
      sum1 += W[at1 + j] * value;
      sum2 += W[at2 + j] * value;
      sum3 += W[at3 + j] * value;
    }
    out[row] = sum;
    out[row + 1] = sum1;
    out[row + 2] = sum2;
    out[row + 3] = sum3;
  }
  for (; row < rows; row++) {
    let sum = b[row];
    for (let j = 0; j < columns; j++) sum += W[row * columns + j] * x[j];
    out[row] = sum;
  }
  return out;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

// The cells: how h, and c if there is one, follow from the input part a = W_ih x + b_ih and the
// recurrent part u = W_hh h + b_hh, the gates one after another in torch's order.
const CELLS = {
  rnn: {
    gates: 1,
    states: 1,
    step(a, u, h) {
      for (let i = 0; i < h.length; i++) h[i] = Math.tanh(a[i] + u[i]);
    },
  },

  lstm: {
    gates: 4,
    states: 2,
    step(a, u, h, c) {
      const H = h.length;
      for (let i = 0; i < H; i++) {
        const input = sigmoid(a[i] + u[i]);
        const forget = sigmoid(a[H + i] + u[H + i]);
        const candidate = Math.tanh(a[2 * H + i] + u[2 * H + i]);
        const output = sigmoid(a[3 * H + i] + u[3 * H + i]);
        c[i] = forget * c[i] + input * candidate;
        h[i] = output * Math.tanh(c[i]);
      }
    },
  },

  gru: {
    gates: 3,
    states: 1,
    step(a, u, h) {
      const H = h.length;
      for (let i = 0; i < H; i++) {
        const reset = sigmoid(a[i] + u[i]);
        const update = sigmoid(a[H + i] + u[H + i]);
        const candidate = Math.tanh(a[2 * H + i] + reset * u[2 * H + i]);
        h[i] = candidate + update * (h[i] - candidate);
      }
    },
  },
};

// A model that reads one character at a time. `state` is all that it remembers, (L, S, H): copy it with
// `slice` to return to it later with `set`. Several engines may share weights, and the first layer's
// `inputs`: its input part for each character, worked out when it is first read.
class Engine {
  constructor(model, weights, inputs = []) {
    const { cell, hidden_size: H, num_layers: L, embedding_size: E } = model.config;
    this.weights = weights;
    this.inputs = inputs;
    this.cell = CELLS[cell];
    this.V = this.weights["head.bias"].length;
    this.E = E;
    const { gates, states } = this.cell;
    this.state = new Float32Array(L * states * H);
    this.layers = Array.from({ length: L }, (_, layer) => ({
      W_ih: this.weights[`rnn.weight_ih_l${layer}`],
      W_hh: this.weights[`rnn.weight_hh_l${layer}`],
      b_ih: this.weights[`rnn.bias_ih_l${layer}`],
      b_hh: this.weights[`rnn.bias_hh_l${layer}`],
      // Views of the state: h, then c if the cell has one.
      states: Array.from({ length: states }, (_, k) => {
        const start = (layer * states + k) * H;
        return this.state.subarray(start, start + H);
      }),
    }));
    this.a = new Float32Array(gates * H);
    this.u = new Float32Array(gates * H);
    this.logits = new Float32Array(this.V);
  }

  // The output of a layer, (H,): a view, as it is now.
  hidden(layer) {
    return this.layers[layer].states[0];
  }

  // Read a character; `logits`, (V,), are then those of what follows.
  step(id) {
    let x;
    for (const layer of this.layers) {
      const h = layer.states[0];
      const a = x ? affine(layer.W_ih, x, layer.b_ih, this.a) : this.input(id);
      const u = affine(layer.W_hh, h, layer.b_hh, this.u);
      this.cell.step(a, u, ...layer.states);
      x = h;
    }
    return affine(this.weights["head.weight"], x, this.weights["head.bias"], this.logits);
  }

  // The first layer's W_ih x + b_ih for a character.
  input(id) {
    this.inputs[id] ??= this.inputOf(id);
    return this.inputs[id];
  }

  inputOf(id) {
    const { W_ih, b_ih } = this.layers[0];
    const a = new Float32Array(b_ih.length);
    if (this.E) {
      const embedding = this.weights["embedding.weight"];
      return affine(W_ih, embedding.subarray(id * this.E, (id + 1) * this.E), b_ih, a);
    }
    return a.map((_, row) => W_ih[row * this.V + id] + b_ih[row]); // x is 1 at id, 0 elsewhere
  }
}

// ---- probabilities ------------------------------------------------------------------------------

// softmax(logits / temperature), (V,).
function softmax(logits, temperature = 1) {
  const p = new Float64Array(logits.length);
  const most = logits.reduce((x, y) => Math.max(x, y), -Infinity);
  const divisor = Math.max(temperature, 1e-30);
  let total = 0;
  for (let id = 0; id < p.length; id++) total += p[id] = Math.exp((logits[id] - most) / divisor);
  for (let id = 0; id < p.length; id++) p[id] /= total;
  return p;
}

// How a character was predicted: its loss in bits, and its rank, 1 if none was likelier.
function surprise(logits, id) {
  const most = logits.reduce((x, y) => Math.max(x, y), -Infinity);
  let total = 0;
  let rank = 1;
  for (let k = 0; k < logits.length; k++) {
    total += Math.exp(logits[k] - most);
    if (logits[k] > logits[id]) rank++;
  }
  return { bits: (Math.log(total) - (logits[id] - most)) / Math.LN2, rank };
}

// The ids of the `count` largest numbers, the largest first; the first of equals.
function largest(values, count) {
  const ids = [];
  for (let id = 0; id < values.length; id++) {
    if (ids.length === count && !(values[id] > values[ids[count - 1]])) continue;
    let place = Math.min(ids.length, count - 1);
    for (; place > 0 && values[id] > values[ids[place - 1]]; place--) ids[place] = ids[place - 1];
    ids[place] = id;
  }
  return ids;
}

// ---- choosing a character -----------------------------------------------------------------------

// Filters set the probabilities of unlikely characters to zero. They apply in this order; a filter whose
// value is null is off.
const FILTERS = {
  // The k likeliest characters.
  top_k(p, k) {
    for (const id of likeliestFirst(p).slice(k)) p[id] = 0;
  },

  // The fewest characters that together have at least this share.
  top_p(p, share) {
    const wanted = share * p.reduce((x, y) => x + y, 0);
    let before = 0;
    likeliestFirst(p).forEach((id, place) => {
      const own = p[id];
      if (place > 0 && before >= wanted) p[id] = 0;
      before += own;
    });
  },

  // Characters at least this share as likely as the likeliest.
  min_p(p, share) {
    const least = share * p.reduce((x, y) => Math.max(x, y), 0);
    for (let id = 0; id < p.length; id++) if (p[id] < least) p[id] = 0;
  },
};

function likeliestFirst(p) {
  return Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
}

// The probabilities that a character is drawn with, under a temperature above 0 and filters.
function filtered(logits, settings) {
  const p = softmax(logits, settings.temperature);
  for (const name of Object.keys(FILTERS)) {
    if (settings[name] !== null) FILTERS[name](p, settings[name]);
  }
  return p;
}

// Draw a character's id with a number from [0, 1). At temperature 0 it is the likeliest.
function choose(logits, settings, number) {
  if (settings.temperature === 0) return largest(logits, 1)[0];
  const p = filtered(logits, settings);
  let rest = number * p.reduce((x, y) => x + y, 0);
  let last = 0;
  for (let id = 0; id < p.length; id++) {
    if (p[id] === 0) continue;
    last = id;
    rest -= p[id];
    if (rest < 0) break;
  }
  return last;
}

// The random number in [0, 1) for a seed, a stream and a place in the text. It depends on nothing else, so
// there is no state to keep.
function random(seed, stream, place) {
  let bits = mix(seed);
  bits = mix(bits ^ Math.imul(stream + 1, 0x9e3779b9));
  bits = mix(bits ^ Math.imul(place + 1, 0x85ebca6b));
  return (bits >>> 0) / 2 ** 32;
}

// Make each bit depend on all others (the finalizer of MurmurHash3, Appleby 2011).
function mix(bits) {
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

// ---- text ---------------------------------------------------------------------------------------

// The alphabet of a model, and what ends its documents ("" if nothing does).
class Alphabet {
  constructor(model) {
    this.characters = Array.from(model.alphabet);
    this.terminator = model.terminator;
    this.ids = new Map(this.characters.map((character, id) => [character, id]));
  }

  // The ids of a text; characters outside the alphabet are skipped.
  encode(text) {
    return Array.from(text, (character) => this.ids.get(character)).filter((id) => id !== undefined);
  }

  // The ids to read, from a zero state, before continuing `text`: its last document and the character
  // before it. An empty text begins after a newline.
  prompt(text) {
    const end = this.terminator;
    const whole = end + text;
    const ids = this.encode(end ? whole.slice(whole.lastIndexOf(end) + end.length - 1) : whole);
    return ids.length ? ids : [this.ids.get("\n") ?? 0];
  }
}
