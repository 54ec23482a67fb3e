"""The page's arithmetic is the network's: engine.js in node beside NumPy."""

import subprocess

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.inference.evaluate import evaluate
from charrnn.inference.filters import FILTERS
from charrnn.inference.sampling import terminator
from charrnn.interop.weights import WEIGHTS, pack
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from tests.helpers import random_checkpoint
from tests.inference.models import trained_on
from tests.interop.node import NEEDS_NODE, WEB, in_node
from tests.tiny import TEXT

pytestmark = NEEDS_NODE
ALPHABET = "\n abcdeé€𝄞"

LOGITS = """
const engine = new Engine(model, readWeights(model, buffer));
return given.map((id) => Array.from(engine.step(id)));
"""
LOSS = """
const engine = new Engine(model, readWeights(model, buffer));
const ids = new Alphabet(model).encode(given);
let bits = 0;
ids.slice(0, -1).forEach((id, at) => {
  engine.step(id);
  bits += surprise(engine.logits, ids[at + 1]).bits;
});
return (bits * Math.LN2) / (ids.length - 1);
"""
DRAW = """
const engine = new Engine(model, readWeights(model, buffer));
const alphabet = new Alphabet(model);
let text = "";
for (const id of alphabet.prompt("")) engine.step(id);
for (let place = 0; place < 200; place++) {
  const id = choose(engine.logits, given, random(given.seed, 0, place));
  text += alphabet.characters[id];
  engine.step(id);
}
return text;
"""
SETTINGS = {"temperature": 1, "top_k": None, "top_p": None, "min_p": None, "seed": 1}


@pytest.mark.parametrize("path", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_javascript(path):
    subprocess.run(["node", "--check", path], check=True, capture_output=True)


@pytest.mark.parametrize("embedding_size", [0, 5], ids=["one-hot", "embedding"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_logits_are_those_of_the_network(cell, num_layers, embedding_size):
    config = ModelConfig(cell, 13, num_layers, embedding_size)
    checkpoint = random_checkpoint(config, ALPHABET, scale=0.3)
    ids = np.random.default_rng(0).integers(len(ALPHABET), size=60)
    network = checkpoint.model()
    expected = network.logits(ids[:, None], network.zero_state(1))[0][:, 0]
    logits = in_node(LOGITS, checkpoint, given=ids.tolist())
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize(("weights", "tolerance"), [("f32", 1e-5), ("f16", 1e-3), ("i8", 0.01)])
def test_the_loss_is_that_of_evaluate(model_file, weights, tolerance):
    checkpoint, text = load(model_file), (TEXT * 10)[:20_000]
    expected = evaluate(checkpoint, Corpus.from_texts(text)).nats_per_char
    assert in_node(LOSS, checkpoint, weights, text) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_are_read_as_they_were_rounded(weights):
    checkpoint = random_checkpoint(ModelConfig("gru", 7, 1, 3), ALPHABET)
    checkpoint.parameters["rnn.weight_hh_l0"][2] = 0
    checkpoint.parameters["head.bias"][:3] = [6e-8, -1e-6, 60_000]
    task = "return Object.entries(readWeights(model, buffer)).map(([k, v]) => [k, Array.from(v)]);"
    read = dict(in_node(task, checkpoint, weights))
    _, rounded = pack(checkpoint.parameters, weights)
    assert set(read) == set(rounded)
    for name, values in rounded.items():
        np.testing.assert_array_equal(np.float32(read[name]), values.ravel())


def test_every_half_is_read():
    bits = np.arange(1 << 16, dtype=np.uint16)
    halves = bits.view(np.float16)
    checkpoint = random_checkpoint(ModelConfig("rnn", 1), "ab")
    read = in_node("return given.map(half);", checkpoint, given=bits[np.isfinite(halves)].tolist())
    np.testing.assert_array_equal(np.float64(read), halves[np.isfinite(halves)])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7},
        {"top_k": 4},
        {"top_p": 0.75},
        {"top_p": 0},
        {"min_p": 0.3},
        {"temperature": 1.3, "top_k": 6, "top_p": 0.9, "min_p": 0.15},
    ],
    ids=str,
)
def test_filters_are_those_of_sampling(settings):
    logits = np.random.default_rng(1).normal(0, 2, (40, len(ALPHABET)))
    logits[0] = 1  # all alike: the first ones are kept
    checkpoint = random_checkpoint(ModelConfig("rnn", 1), ALPHABET)
    task = "return given.logits.map((row) => Array.from(filtered(row, given.settings)));"
    given = {"logits": logits.tolist(), "settings": SETTINGS | settings}
    kept = np.array(in_node(task, checkpoint, given=given))
    p = np.exp(logits / settings.get("temperature", 1))
    p /= p.sum(axis=1, keepdims=True)
    for name, filter in FILTERS.items():
        if name in settings:
            filter.apply(p, settings[name])
    np.testing.assert_allclose(kept, p, rtol=1e-12)


def test_a_seed_gives_the_same_text_again_and_another_gives_another():
    checkpoint = random_checkpoint(ModelConfig("lstm", 8, 1, 3), ALPHABET)
    first, again = (in_node(DRAW, checkpoint, given=SETTINGS) for _ in range(2))
    other = in_node(DRAW, checkpoint, given=SETTINGS | {"seed": 2})
    assert first == again
    assert first != other


def test_temperature_0_takes_the_likeliest_whatever_the_seed():
    checkpoint = random_checkpoint(ModelConfig("lstm", 8, 1, 3), ALPHABET)
    texts = {
        in_node(DRAW, checkpoint, given=SETTINGS | {"temperature": 0, "seed": seed})
        for seed in (1, 2)
    }
    assert len(texts) == 1


def test_characters_are_drawn_as_often_as_they_are_likely():
    task = """
    const logits = [0.5, 0.3, 0.2].map(Math.log);
    const counts = [0, 0, 0];
    for (let place = 0; place < 30000; place++) {
      counts[choose(logits, given, random(given.seed, place % 3, place))]++;
    }
    return counts;
    """
    checkpoint = random_checkpoint(ModelConfig("rnn", 1), "abc")
    counts = in_node(task, checkpoint, given=SETTINGS)
    np.testing.assert_allclose(np.array(counts) / 30000, [0.5, 0.3, 0.2], atol=0.01)


@pytest.mark.parametrize("documents", ["whole", "lines", "paragraphs"])
def test_a_prompt_begins_as_in_sampling(documents):
    """As `charrnn.inference.sampling` reads it: from the last document's beginning."""
    checkpoint = random_checkpoint(ModelConfig("rnn", 1), ALPHABET, training=trained_on(documents))
    prompts = ["", "ab", "ab\n", "ab\n\n", "a\n\nb\nc", "z", "ab€\n\nz𝄞"]
    read = in_node(
        "return given.map((text) => new Alphabet(model).prompt(text));", checkpoint, given=prompts
    )
    end = terminator(checkpoint)
    for prompt, ids in zip(prompts, read, strict=True):
        whole = end + prompt
        begin = whole.rfind(end) + len(end) - 1 if end else 0
        expected = checkpoint.tokenizer.encode(whole[begin:], "skip").tolist()
        assert ids == (expected or [0])
