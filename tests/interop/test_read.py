"""Reading, and looking inside, in a model's page in a real browser."""

import json

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.records import HistoryEntry
from charrnn.inference.evaluate import evaluate
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from tests.helpers import random_checkpoint
from tests.inference.models import trained_on
from tests.tiny import TEXT

READ = """new Promise((done) => {
    own = %s;
    document.querySelector("#tab-read").click();
    readText(own, done);
})"""
TEXTS = "Array.from(%s, (element) => element.textContent)"
FOCUS = "document.activeElement.id"
SHOWN = "!document.querySelector('#likely').hidden"
CANDIDATES = TEXTS % "document.querySelectorAll('#likely .character')"


@pytest.fixture(scope="module")
def model(model_file):
    return load(model_file)


@pytest.fixture
def read(visit):
    """Open the page of a model, and let it read a text."""

    def read(checkpoint, text, **options):
        tab = visit(checkpoint, **options)
        tab.evaluate(READ % json.dumps(text))
        return tab

    return read


def figures(tab):
    """Return the numbers above the text, by their labels."""
    values = tab.evaluate(TEXTS % "document.querySelectorAll('#figures b')")
    labels = tab.evaluate(TEXTS % "document.querySelectorAll('#figures span')")
    numbers = [float(value.replace(",", "").rstrip(" %")) for value in values]
    return dict(zip(labels, numbers, strict=True))


def classes(tab, at):
    return tab.evaluate(f"reading.spans[{at}].className").split()


# ---- reading -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_figures_are_those_of_evaluate(read, model):
    text = (TEXT * 10)[:20_000]
    shown = figures(read(model, text))
    expected = evaluate(model, Corpus.from_texts(text))
    assert shown["bits per character"] == pytest.approx(expected.bits_per_char, abs=6e-4)
    assert shown["perplexity"] == pytest.approx(expected.perplexity, abs=6e-3)
    assert shown["guessed right"] == pytest.approx(100 * expected.accuracy, abs=0.06)
    assert shown["characters"] == expected.characters


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
def test_documents_begin_afresh_as_in_evaluate(read, documents):
    model = random_checkpoint(ModelConfig("gru", 6, 1, 3), "\nabc", training=trained_on(documents))
    text = {"lines": "ab\ncab\nbac\n", "paragraphs": "ab\nca\n\nbb\n\nbac\n\n"}[documents]
    tab = read(model, text)
    # A part of a corpus is divided into documents, as in training; "all" is one text.
    network = model.model()
    ids = model.tokenizer.encode(text)[:, None]
    ends = [
        text[: at + 1].endswith({"lines": "\n"}.get(documents, "\n\n")) for at in range(len(text))
    ]
    losses, _, _ = network.losses(
        ids[:-1], ids[1:], network.zero_state(1), np.array(ends)[:-1, None]
    )
    bits = tab.evaluate("reading.bits")
    np.testing.assert_allclose(bits[1:], losses[:, 0] / np.log(2), atol=1e-5)


@pytest.mark.parametrize(
    ("documents", "sparse", "dense"),
    [
        ("lines", "\n\nab\n\ncab\n", "ab\ncab\n"),
        ("paragraphs", "ab\n\n\n\ncab\n\n", "ab\n\ncab\n\n"),
    ],
)
def test_empty_documents_do_not_count(read, documents, sparse, dense):
    model = random_checkpoint(ModelConfig("gru", 6, 1, 3), "\nabc", training=trained_on(documents))
    assert figures(read(model, sparse)) == figures(read(model, dense))


def test_every_character_is_colored_by_surprise_or_rank(read, model):
    text = "The cat sat on mat 7, mhe dog\n"
    tab = read(model, text)
    ids = model.tokenizer.encode(text)[:, None]
    network = model.model()
    logits = network.logits(ids[:-1], network.zero_state(1))[0][:, 0]
    chosen = logits[np.arange(len(text) - 1), ids[1:, 0]]
    ranks = 1 + (logits > chosen[:, None]).sum(axis=1)
    losses = np.log(np.exp(logits).sum(axis=1)) - chosen
    colors = np.digitize(losses / np.log(2), [0.5, 1, 2, 3, 4.5, 6, 8])
    assert classes(tab, 0) == []
    for at, color in enumerate(colors, 1):
        assert f"s{color}" in classes(tab, at)
    tab.click("[value=rank] + span")
    for at, color in enumerate(np.digitize(ranks, [1, 5, 20], right=True), 1):
        assert f"r{color}" in classes(tab, at)
    assert set(ranks) > {1}


def test_pointing_at_a_character_shows_the_ten_likeliest(read, model):
    text = "The cat sat"
    tab = read(model, text)
    network = model.model()
    ids = model.tokenizer.encode(text)[:, None]
    logits = network.logits(ids, network.zero_state(1))[0][:, 0]
    tab.click("#surprises span:nth-child(5)")
    tab.until(SHOWN)
    likeliest = np.argsort(-logits[3], kind="stable")[:10]
    names = {" ": "␣", "\n": "↵"}
    expected = [model.tokenizer.alphabet[id] for id in likeliest]
    assert tab.evaluate(CANDIDATES) == [names.get(name, name) for name in expected]
    shares = np.exp(logits[3]) / np.exp(logits[3]).sum()
    shown = tab.evaluate("reading.shares[4]")
    np.testing.assert_allclose(shown, shares[likeliest], atol=1e-5)
    assert tab.evaluate("document.querySelector('.actual .character').textContent") == "c"


def test_choosing_a_candidate_continues_from_there(read, model):
    tab = read(model, "The cat sat")
    tab.click("#surprises span:nth-child(5)")
    tab.until(SHOWN)
    character = tab.evaluate("characterOf(reading.ids[4][1])")
    tab.click("#likely button:nth-of-type(2)")
    tab.until("!run")
    text = tab.evaluate("document.querySelector('#editor').value")
    assert text.startswith("The " + character)
    assert len(text) == 305
    assert not tab.evaluate("document.querySelector('#write').hidden")


def test_reading_by_keyboard(read, model):
    tab = read(model, "The cat\nsat on")
    tab.evaluate("document.body.classList.add('code')")  # letters of equal width
    tab.evaluate("document.querySelector('#surprises').focus()")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        tab.press(key, key)
    assert tab.evaluate("shown") == 9
    assert "bits, rank" in tab.evaluate("document.querySelector('#heard').textContent")
    tab.press("Enter", "Enter", 13)
    tab.press("ArrowDown", "ArrowDown", 40)
    assert tab.evaluate("document.activeElement === document.querySelectorAll('#likely button')[1]")
    tab.press("Escape", "Escape", 27)
    assert tab.evaluate(FOCUS) == "surprises"
    tab.press("Escape", "Escape", 27)
    assert not tab.evaluate(SHOWN)


def test_unknown_characters_are_skipped_and_counted(read, model):
    tab = read(model, "The Ωcat")
    assert figures(tab)["skipped: not in the alphabet"] == 1
    assert "unknown" in classes(tab, 4)
    with_it = tab.evaluate("reading.bits")
    tab.evaluate(READ % json.dumps("The cat"))
    without = tab.evaluate("reading.bits")
    assert with_it[5:] == without[4:]


def test_of_a_long_text_the_beginning_is_read(read, model):
    tab = read(model, "The cat sat. " * 1600)
    assert figures(tab)["beyond the first 20,000: not read"] == 800


def test_the_text_from_write_is_read_unless_another_is_given(visit, model):
    tab = visit(model)
    tab.click("#editor")
    tab.type("The cat")
    tab.click("#tab-read")
    tab.until("reading.complete")
    assert tab.evaluate("document.querySelector('#surprises').textContent") == "The cat"
    tab.click("#source summary")
    tab.evaluate("document.querySelector('#source-text').value = 'A dog'")
    tab.click("#source-read")
    tab.until("reading.complete && reading.text === 'A dog'")
    tab.click("#source-write")
    tab.until("reading.complete && reading.text === 'The cat'")


# ---- looking inside ------------------------------------------------------------------------------


def tracking_model():
    """Return a model whose third unit is 1 after a capital and -1 after anything else."""
    model = random_checkpoint(ModelConfig("rnn", 5, 1, 0), "\n .ABab", scale=0.3)
    weights = model.parameters
    weights["rnn.weight_hh_l0"][2] = 0
    weights["rnn.weight_ih_l0"][2] = [-9, -9, -9, 9, 9, -9, -9]
    return model


def test_units_are_ranked_by_what_they_track(read):
    tab = read(tracking_model(), "Aab Ba. bAb\nBab aa. Ab" * 4)
    tab.click("#tab-inside")
    tab.until("document.querySelectorAll('#units [role=option]').length === 5")
    first = TEXTS % "document.querySelector('#units [aria-selected=true]').children"
    assert tab.evaluate(first) == ["Unit 3", "capitals", "1.00"]
    tab.until("document.querySelector('#activations .a8')")
    colored = TEXTS % "document.querySelectorAll('#activations .a8')"
    assert set(tab.evaluate(colored)) == {"A", "B"}


def test_arrow_keys_move_between_units(read):
    tab = read(tracking_model(), "Aab Ba. bAb\nBab aa. Ab" * 4)
    tab.click("#tab-inside")
    tab.until("document.querySelectorAll('#units [role=option]').length === 5")
    name = "document.querySelector('#unit-name').textContent"
    names = [tab.evaluate(name)]
    for selector in ("#units", "#activations"):
        tab.evaluate(f"document.querySelector('{selector}').focus()")
        tab.press("ArrowDown", "ArrowDown", 40)
        names.append(tab.evaluate(name))
    assert len(set(names)) == 3
    tab.press("ArrowUp", "ArrowUp", 38)
    assert tab.evaluate(name) == names[1]


def test_units_of_all_layers_are_listed(read):
    model = random_checkpoint(ModelConfig("lstm", 4, 2, 3), "\n abT")
    tab = read(model, "Tab\nab aT b")
    tab.click("#tab-inside")
    tab.until("document.querySelectorAll('#units [role=option]').length === 8")
    names = tab.evaluate(TEXTS % "document.querySelectorAll('#units b')")
    assert set(names) == {
        f"Layer {layer}, unit {unit}" for layer in (1, 2) for unit in (1, 2, 3, 4)
    }


# ---- about ---------------------------------------------------------------------------------------


def test_about_says_what_the_model_is(visit):
    history = [HistoryEntry(10, 2.5, 2.25), HistoryEntry(20, 1.5, 1.25)]
    model = random_checkpoint(
        ModelConfig("lstm", 16, 2, 4), "\nab<", history=history, training=trained_on("lines")
    )
    tab = visit(model, weights="i8")
    tab.click("#tab-about")
    about = tab.evaluate("document.querySelector('#about').innerText")
    for words in (
        "LSTM, 2 × 16 units",
        "in 8 bits",
        "lines",
        "4 characters",
        "best validation loss 1.250",
    ):
        assert words in about
    label = tab.evaluate("document.querySelector('.curves').getAttribute('aria-label')")
    assert "validation from 2.25 to 1.25" in label
