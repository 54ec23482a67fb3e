"""An evaluation equals the sum over single steps, character by character."""

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import part_of
from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.inference.evaluate import (
    Evaluation,
    evaluate,
    evaluate_text,
    validate,
    validated_characters,
)
from charrnn.nn.model import CharRNN, ModelConfig, Reader
from charrnn.text.batches import Encoded
from charrnn.text.corpus import Corpus
from tests.helpers import random_checkpoint
from tests.inference.models import huge_model

V = 9


def make_model(cell="gru", embedding_size=3, dtype=np.float64):
    config = ModelConfig(cell, 4, 2, embedding_size, 0.5)
    model = CharRNN(config, V, dtype=dtype)
    model.parameters.flat[:] = np.random.default_rng(0).normal(0, 0.6, model.parameters.flat.shape)
    return model


def make_text(length, ends=(), seed=1):
    """Return a random text in which each character depends on the previous one."""
    steps = np.random.default_rng(seed).choice(3, length, p=[0.2, 0.6, 0.2])
    ids = (np.cumsum(steps) % V).astype(np.uint8)
    return Encoded(ids, np.array([*ends, length - 1], np.int64))


def naive(model, text, fresh=()):
    """Score step by step, resetting the state at each position in `fresh` and at document ends."""
    state = model.zero_state(1)
    nats = correct = 0
    for at in range(len(text) - 1):
        if at in fresh or at in text.ends:
            state = model.zero_state(1)
        logits, state = model.logits(text.ids[at : at + 1, None], state)
        z, target = logits[0, 0], text.ids[at + 1]
        nats += np.log(np.exp(z).sum()) - z[target]
        correct += z.argmax() == target
    count = len(text) - 1
    return Evaluation(nats / count, correct / count, count)


def assert_equal(actual, expected, tolerance=1e-12):
    assert actual.nats_per_char == pytest.approx(expected.nats_per_char, abs=tolerance)
    assert actual.accuracy == pytest.approx(expected.accuracy, abs=1e-12)
    assert actual.characters == expected.characters


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_one_stream_equals_the_sum_over_single_steps(cell, embedding_size):
    model, text = make_model(cell, embedding_size), make_text(300)
    assert_equal(evaluate_text(model, text), naive(model, text))


@pytest.mark.parametrize("length", [2, 3, 50, 2047, 2048, 2049, 2050, 4500])
def test_every_character_but_the_first_is_scored(length):
    model, text = make_model(), make_text(length)
    result = evaluate_text(model, text)
    assert result.characters == length - 1
    if length < 100:
        assert_equal(result, naive(model, text))


@pytest.mark.parametrize("chunk", [1, 7, 299, 300, 10_000])
def test_chunk_boundaries_do_not_change_the_result(monkeypatch, chunk):
    model, text = make_model(), make_text(300, ends=(0, 6, 100, 101))
    expected = evaluate_text(model, text)
    monkeypatch.setattr("charrnn.inference.evaluate.CHUNK", chunk)
    assert_equal(evaluate_text(model, text), expected)


@pytest.mark.parametrize("ends", [(1,), (40,), (0, 5, 6, 7, 298), range(299)])
def test_the_state_starts_fresh_with_each_document(ends):
    model, text = make_model(), make_text(300, ends)
    assert_equal(evaluate_text(model, text), naive(model, text))
    assert evaluate_text(model, text) != evaluate_text(model, make_text(300))


def test_float32_is_close_to_float64():
    text = make_text(3000)
    exact, rough = (
        evaluate_text(make_model(dtype=dtype), text) for dtype in (np.float64, np.float32)
    )
    assert rough.nats_per_char == pytest.approx(exact.nats_per_char, rel=1e-6)
    assert isinstance(rough.nats_per_char, float)


@pytest.mark.parametrize("streams", [2, 3, 64, 65, 200, 10**6])
def test_several_streams_score_every_character_and_are_close_to_exact(streams):
    model, text = make_model("lstm"), make_text(1500, ends=(70, 700))
    exact, approximate = evaluate_text(model, text), evaluate_text(model, text, streams=streams)
    assert approximate.characters == 1499
    assert approximate.nats_per_char == pytest.approx(exact.nats_per_char, rel=0.01)
    assert approximate.accuracy == pytest.approx(exact.accuracy, abs=0.01)


@pytest.mark.parametrize("streams", [2, 7])
def test_streams_with_a_long_warm_up_are_exact(monkeypatch, streams):
    monkeypatch.setattr("charrnn.inference.evaluate.WARM_UP", 1000)
    model, text = make_model(), make_text(1000)
    assert_equal(evaluate_text(model, text, streams=streams), evaluate_text(model, text), 1e-9)


@pytest.mark.parametrize("block_size", [1, 7, 100, 298, 299, 300, 5000])
def test_each_block_is_scored_from_a_zero_state(block_size):
    model, text = make_model(), make_text(300, ends=(33,))
    expected = naive(model, text, fresh=range(0, 300, block_size))
    assert_equal(evaluate_text(model, text, block_size=block_size), expected)


def test_a_huge_block_takes_a_single_pass(monkeypatch):
    model, text = make_model(), make_text(300)
    calls = []
    losses = Reader.losses
    monkeypatch.setattr(Reader, "losses", lambda *chunk: calls.append(1) or losses(*chunk))
    evaluate_text(model, text, block_size=10**5)
    assert len(calls) == 1


def test_bits_and_perplexity_follow_from_the_loss():
    evaluation = Evaluation(np.log(4), 0.5, 10)
    assert evaluation.bits_per_char == pytest.approx(2)
    assert evaluation.perplexity == pytest.approx(4)
    assert np.isfinite(Evaluation(1e6, 0.0, 1).perplexity)


@pytest.mark.parametrize("score", [evaluate_text, validate])
@pytest.mark.parametrize("length", [0, 1])
def test_a_text_too_short_is_refused(score, length):
    text = Encoded(np.zeros(length, np.uint8), np.arange(length))
    with pytest.raises(
        CorpusError, match=rf"the text has {length} characters?; evaluation needs at least 2"
    ):
        score(make_model(), text)


@pytest.mark.parametrize("option", ["streams", "block_size"])
@pytest.mark.parametrize("count", [0, -1])
def test_counts_below_one_are_refused(option, count):
    with pytest.raises(ConfigError, match=f"{option} must be at least 1, got {count}"):
        evaluate_text(make_model(), make_text(10), **{option: count})


# ---- while training ------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 100, 2047])
def test_validation_of_a_short_text_is_exact(length):
    model, text = make_model(), make_text(length)
    assert validate(model, text) == evaluate_text(model, text)


@pytest.mark.parametrize("length", [2048, 5000, 20_000])
def test_validation_scores_every_character_and_is_close_to_exact(length):
    model, text = make_model(), make_text(length)
    result, exact = validate(model, text), evaluate_text(model, text)
    assert result.characters == length - 1
    assert validated_characters(text) == length
    assert result.nats_per_char == pytest.approx(exact.nats_per_char, rel=0.01)


def test_validation_of_a_very_long_text_scores_a_part_of_each_stream(monkeypatch):
    monkeypatch.setattr("charrnn.inference.evaluate.MAX_LENGTH", 100)
    model, text = make_model(), make_text(8000)
    result = validate(model, text)
    assert result.characters == 7 * 100
    assert result.nats_per_char == pytest.approx(evaluate_text(model, text).nats_per_char, rel=0.1)


def test_validation_can_be_stopped(monkeypatch):
    monkeypatch.setattr("charrnn.inference.evaluate.CHUNK", 100)
    answers = iter([False, False, True, True])
    assert validate(make_model(), make_text(1000), lambda: next(answers)).characters == 200


def test_evaluation_does_not_change_the_model():
    model, text = make_model(), make_text(3000)
    before = model.parameters.flat.copy()
    results = [evaluate_text(model, text), validate(model, text), evaluate_text(model, text)]
    np.testing.assert_array_equal(model.parameters.flat, before)
    assert results[0] == results[2]


def test_a_checkpoint_can_be_evaluated_on_a_part_of_a_corpus():
    corpus = Corpus.from_texts("one fox\n\ntwo foxes\n" * 9, "three hens\nfour hens" * 7)
    checkpoint = random_checkpoint(make_model().config, "\n efhnorstuwx")
    text = part_of(checkpoint, corpus, "valid")
    assert evaluate(checkpoint, corpus, part="valid", streams=2) == evaluate_text(
        checkpoint.model(), text, 2
    )
    with pytest.raises(ConfigError, match="streams and block_size cannot be combined"):
        evaluate(checkpoint, corpus, streams=2, block_size=8)


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_loss_that_is_not_finite_is_an_error(dynamic):
    checkpoint = huge_model()
    with pytest.raises(CharRNNError, match=r"the loss is (nan|inf): the model's weights are too"):
        evaluate(checkpoint, Corpus.from_texts("abc cab\n" * 9), dynamic=dynamic)
