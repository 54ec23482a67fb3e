"""Sampling equals a naive loop over CharRNN.logits, a softmax, and a cut at the stop text."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from charrnn.errors import ConfigError, UnknownCharacterError
from charrnn.inference.sampling import choose, generate, gumbel, stream
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharRNN, ModelConfig, Stepper
from charrnn.rng import SAMPLE, generator
from charrnn.text.corpus import Corpus
from tests.inference.draws import P, assert_drawn_from, frequencies
from tests.inference.models import ALPHABET, constant_model, random_model, trained_on

# ---- the network -----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_stepping_equals_reading_in_one_pass(cell, num_layers, embedding_size):
    T, B, V = 9, 4, 7
    network = CharRNN(ModelConfig(cell, 6, num_layers, embedding_size), V, dtype=np.float64)
    rng = np.random.default_rng(0)
    network.parameters.flat[:] = rng.normal(0, 0.7, network.parameters.flat.shape)
    ids = rng.integers(0, V, (T, B))
    state = rng.normal(0, 0.5, network.zero_state(B).shape)
    expected, _ = network.logits(ids, state)
    stepper = Stepper(network, state)
    stepped = [stepper.step(row).copy() for row in ids]
    np.testing.assert_allclose(stepped, expected, rtol=0, atol=1e-12)

    stepper, going = Stepper(network, state), [True, False, True, False]
    for row in ids[:5]:
        stepper.step(row)
    stepper.keep(going)
    stepped = [stepper.step(row[going]).copy() for row in ids[5:]]
    np.testing.assert_allclose(stepped, expected[5:][:, going], rtol=0, atol=1e-12)


def by_hand(checkpoint, prompt, length, pick):
    """Continue `prompt`, reading the whole text again for each character."""
    ids = checkpoint.tokenizer.encode(prompt).tolist()
    network = checkpoint.model()
    for _ in range(length):
        logits, _ = network.logits(np.array(ids)[:, None], network.zero_state(1))
        ids.append(int(pick(logits[-1])[0]))
    return checkpoint.tokenizer.decode(np.array(ids))[len(prompt) :]


@pytest.mark.parametrize("cell", CELLS)
def test_temperature_0_takes_the_most_likely_characters(cell):
    checkpoint = random_model(cell)
    expected = by_hand(checkpoint, "abc", 30, lambda logits: logits.argmax(axis=1))
    assert generate(checkpoint, "abc", length=30, temperature=0) == [expected]


def test_samples_follow_from_the_seed(model):
    noise = gumbel(generator(5, SAMPLE), (1, len(model.tokenizer)))
    expected = by_hand(model, "abc", 30, lambda logits: choose(logits, 0.7, next(noise), {}))
    assert generate(model, "abc", length=30, temperature=0.7, seed=5) == [expected]


def test_without_a_prompt_a_sample_starts_as_after_a_newline(model):
    assert generate(model, seed=1) == generate(model, "\n", seed=1)


def test_a_single_sample_uses_one_blas_thread(model):
    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(3, "blas"):
        texts = stream(model, "a", length=5)
        assert [threads() for _ in texts] == [{1}] * 5
        assert [threads() for _ in stream(model, "a", length=2, num_samples=2)] == [{3}] * 4
        assert threads() == {3}


def test_each_sample_can_have_its_own_prompt(model):
    prompts = ["a", "bcd", "a", "ee e"]
    alone = [generate(model, prompt, length=30, temperature=0)[0] for prompt in prompts]
    assert generate(model, prompts, length=30, num_samples=4, temperature=0) == alone
    with pytest.raises(ConfigError, match="prompt has 4 texts for 3 samples"):
        generate(model, prompts, length=30, num_samples=3)


def test_a_long_prompt_is_read_completely_with_the_state_carried(model):
    prompt = model.tokenizer.decode(np.random.default_rng(0).integers(0, len(ALPHABET), 5000))
    stepper = Stepper(model.model(), model.model().zero_state(1))
    for id in model.tokenizer.encode(prompt):
        logits = stepper.step(np.array([id]))
    expected = ""
    for _ in range(20):
        id = logits[0].argmax()
        expected += ALPHABET[id]
        logits = stepper.step(np.array([id]))
    assert generate(model, prompt, length=20, temperature=0) == [expected]


# ---- seeds and batches -----------------------------------------------------------------------


def test_the_same_seed_gives_the_same_text(model):
    assert generate(model, seed=3) == generate(model, seed=3)
    assert generate(model, seed=3) != generate(model, seed=4)


def test_the_samples_of_a_batch_differ(model):
    texts = generate(model, length=100, num_samples=8)
    assert len(set(texts)) == 8
    assert {len(text) for text in texts} == {100}


def test_each_sample_of_a_batch_continues_its_own_text(model):
    network = model.model()
    noise = gumbel(generator(2, SAMPLE), (3, len(model.tokenizer)))
    ids = np.repeat(model.tokenizer.encode("abc")[:, None], 3, axis=1)
    for _ in range(20):
        logits, _ = network.logits(ids, network.zero_state(3))
        ids = np.vstack([ids, choose(logits[-1], 1.0, next(noise), {})])
    expected = [model.tokenizer.decode(ids[3:, b]) for b in range(3)]
    assert generate(model, "abc", length=20, seed=2, num_samples=3) == expected


def test_greedy_samples_of_a_batch_are_equal(model):
    assert generate(model, temperature=0, num_samples=3) == 3 * generate(model, temperature=0)


def test_the_pieces_of_a_stream_join_to_the_generated_texts(model):
    pieces = list(stream(model, "abc", length=30, seed=1, num_samples=2))
    assert [index for index, _ in pieces] == [0, 1] * 30
    assert ["".join(text for i, text in pieces if i == index) for index in (0, 1)] == generate(
        model, "abc", length=30, seed=1, num_samples=2
    )


# ---- choosing --------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.25, 0.5, 1.0, 2.0, 100.0])
def test_temperature_divides_the_logits(temperature):
    powers = P ** (1 / temperature)
    assert_drawn_from(powers / powers.sum(), frequencies(P, temperature))


def test_choosing_does_not_change_the_logits():
    logits = np.log(np.tile(P, (3, 1)))
    before = logits.copy()
    choose(logits, 0.5, np.zeros((3, 4)), {"top_k": 2})
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-320])
def test_very_low_temperatures_are_greedy(temperature):
    np.testing.assert_array_equal(frequencies(P, temperature), [1, 0, 0, 0])


def test_huge_logits_do_not_overflow():
    logits = np.array([[1e30, 0.0, -1e30], [-1e30, -1e30, -1e38]], np.float32)
    noise = next(gumbel(np.random.default_rng(0), (100, 3)))
    ids = choose(np.tile(logits, (50, 1)), 1.0, noise, {})
    assert set(ids[::2]) == {0}
    assert set(ids[1::2]) <= {0, 1}


# ---- where a text ends -----------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 77])
def test_the_length_does_not_include_the_prompt(model, length):
    assert [len(text) for text in generate(model, "abc", length=length, num_samples=2)] == [
        length
    ] * 2


@pytest.mark.parametrize("start", [0, 1, 50, 297])
@pytest.mark.parametrize("size", [1, 3])
def test_a_sample_ends_before_the_stop_text(model, start, size):
    whole = generate(model, length=300, seed=1)[0]
    stop = whole[start : start + size]
    assert generate(model, length=300, seed=1, stop=stop) == [whole[: whole.index(stop)]]


def test_a_possible_start_of_the_stop_text_is_held_back(model):
    whole = generate(model, length=300, seed=1)[0]
    stop = whole[100:104]
    expected, shown = whole[: whole.index(stop)], ""
    for _, text in stream(model, length=300, seed=1, stop=stop):
        shown += text
        assert expected.startswith(shown)
    assert shown == expected


@pytest.mark.parametrize("beginning", [1, 2, 3])
def test_a_partial_stop_text_at_the_end_is_part_of_the_sample(model, beginning):
    whole = generate(model, length=50, seed=1)[0]
    assert generate(model, length=50, seed=1, stop=whole[-beginning:] + "§") == [whole]


def test_each_sample_of_a_batch_stops_separately(model):
    whole = generate(model, length=200, seed=1, num_samples=5)
    stopped = generate(model, length=200, seed=1, num_samples=5, stop="ab")
    assert stopped == [text.split("ab")[0] for text in whole]
    assert len({len(text) for text in stopped}) > 1


@pytest.mark.parametrize(
    ("documents", "end"), [("whole", None), ("lines", "\n"), ("paragraphs", "\n\n")]
)
def test_a_sample_ends_where_a_document_ends(documents, end):
    probabilities = [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]
    whole = generate(constant_model(probabilities), length=200, seed=1, num_samples=4)
    model = constant_model(probabilities, documents=documents)
    texts = generate(model, length=200, seed=1, num_samples=4)
    assert all("\n\n" in text for text in whole)
    assert texts == [text.split(end)[0] for text in whole] if end else whole


# ---- bad values ------------------------------------------------------------------------------


def test_unknown_characters_in_a_prompt_are_refused_or_skipped(model):
    with pytest.raises(UnknownCharacterError, match=r"U\+00E9"):
        generate(model, "aéb")
    assert generate(model, "aéb", unknown="skip") == generate(model, "ab")
    assert generate(model, "é", unknown="skip") == generate(model, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_k", 0),
        ("top_k", math.nan),
        ("top_p", 2),
        ("top_p", -0.1),
        ("top_p", math.nan),
        ("min_p", 1.1),
        ("num_samples", 0),
        ("num_samples", -1),
        ("length", -1),
        ("seed", -1),
        ("seed", 2**64),
        ("unknown", "maybe"),
    ],
)
def test_invalid_values_fail_before_anything_is_sampled(model, name, value):
    with pytest.raises(ConfigError, match=name):
        stream(model, **{name: value})
    with pytest.raises(ConfigError, match=name):
        generate(model, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checkpoint": "x.safetensors"}, r"checkpoint must be a Checkpoint, .*charrnn\.load"),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
        ({"prompt": None}, "prompt must be a string, a Corpus, or a list of these, got None"),
        ({"prompt": [1]}, "prompt must be a string, a Corpus, or a list of these, got 1"),
        ({"seed": 1.5}, r"seed must be an integer, got 1\.5"),
        ({"length": "long"}, "length must be an integer, got 'long'"),
        ({"num_samples": 2.0}, "num_samples must be an integer"),
        ({"top_k": "few"}, "top_k must be a number, got 'few'"),
        ({"topk": 5}, r"got an unexpected keyword argument 'topk'; did you mean 'top_k'\?"),
    ],
    ids=str,
)
def test_arguments_of_the_wrong_type_are_named(model, arguments, message):
    with pytest.raises(TypeError, match=message):
        generate(**{"checkpoint": model, **arguments})


@pytest.mark.parametrize("documents", ["whole", "lines", "paragraphs"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 1024])
def test_a_corpus_can_be_the_prompt(monkeypatch, documents, chunk):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", chunk)
    monkeypatch.setattr("charrnn.inference.sampling.PROMPT_CHUNK", chunk)
    model = random_model(documents=documents)
    for text in ("ab", "ab\n\ncd\ne", "\na", "\n\n\n", "a\n", "abc\n\n", "e" * 9, "a§\nb"):
        corpus = Corpus.from_texts(*text.partition("b"))
        expected = generate(model, text, length=9, seed=1, unknown="skip")
        assert generate(model, corpus, length=9, seed=1, unknown="skip") == expected


@pytest.mark.parametrize("documents", ["whole", "lines"])
def test_a_longer_prompt_needs_no_more_memory(monkeypatch, documents):
    monkeypatch.setattr("charrnn.text.spool.IN_MEMORY", 1 << 12)
    logits = lambda _, ids, state: (np.zeros((len(ids), len(ALPHABET), 1), np.float32), state)  # noqa: E731
    monkeypatch.setattr(CharRNN, "logits", logits)  # tracemalloc slows it down
    model, peaks = random_model(documents=documents), []
    for length in (2000, 10_000, 50_000):
        prompt = Corpus.from_texts("abcde" * (length // 5))
        tracemalloc.start()
        generate(model, prompt, length=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 10_000


@pytest.mark.parametrize(("documents", "end"), [("lines", "\n"), ("paragraphs", "\n\n")])
def test_a_prompt_is_read_like_documents_in_training(model, documents, end):
    """The state is reset at the last terminator, so earlier documents have no effect."""
    several = replace(model, training=trained_on(documents))
    greedy = {"length": 5, "temperature": 0, "stop": ""}
    expected = generate(several, "ab", **greedy)
    assert generate(several, f"cde{end}ab", **greedy) == expected
    whole = replace(model, training=trained_on("whole"))
    assert generate(whole, "\nab", **greedy)[0].split(end)[0] == expected[0]
