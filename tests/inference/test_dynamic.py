"""Dynamic evaluation: the weights of a copy adapt to the text while reading."""

import numpy as np
import pytest

from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.inference.dynamic import EPSILON, RATE, SEGMENT, adapt, read_and_learn, trainable_copy
from charrnn.inference.evaluate import evaluate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.corpus import Corpus
from tests.helpers import random_checkpoint
from tests.inference.models import huge_model

every_cell = pytest.mark.parametrize("cell", CELLS)


def make_model(cell):
    config = ModelConfig(cell, hidden_size=12, num_layers=2, embedding_size=4)
    return random_checkpoint(config, "\n abc", scale=0.3)


def encoded(model, *documents):
    return Corpus.from_texts(*documents).encode(model.tokenizer)


@every_cell
def test_each_segment_is_scored_before_the_model_trains_on_it(cell):
    model = make_model(cell)
    text = encoded(model, "abc cab " * 20)
    reading = read_and_learn(trainable_copy(model), text)
    plain = model.model()
    ids = text.ids[: SEGMENT + 1, None]
    losses, correct, _ = plain.losses(ids[:-1], ids[1:], plain.zero_state(1))
    first = next(reading)
    np.testing.assert_array_equal(first[0], losses[:, 0])
    np.testing.assert_array_equal(first[1], correct[:, 0])
    second = next(reading)
    ids = text.ids[SEGMENT : 2 * SEGMENT + 1, None]
    assert np.any(second[0] != plain.losses(ids[:-1], ids[1:], plain.zero_state(1))[0][:, 0])


def test_the_steps_follow_the_equations():
    """Compare with a naive twin: float64, one full gradient per segment, no buffers."""
    model = make_model("gru")
    text = encoded(model, "abc cab " * 20)
    network = trainable_copy(model)
    for _ in read_and_learn(network, text):
        pass
    twin = CharRNN(
        model.config,
        len(model.tokenizer),
        parameters=Parameters(model.parameters.shapes, np.float64),
    )
    w, gradients = twin.parameters.flat, twin.new_gradients()
    w[...] = model.parameters.flat
    state, squares = twin.zero_state(1), []
    for start in range(0, len(text) - 1, SEGMENT):
        ids = text.ids[start : start + SEGMENT + 1, None]
        _, state, _ = twin.train(ids[:-1], ids[1:], state, gradients)
        g = gradients.flat
        squares.append(g * g)
        w -= RATE * g / (np.sqrt(np.mean(squares, axis=0)) + EPSILON)
    np.testing.assert_allclose(network.parameters.flat, w, atol=1e-5)


def test_a_repetitive_text_is_predicted_better():
    model = make_model("gru")
    corpus = Corpus.from_texts("abcab cba " * 200)
    still, following = evaluate(model, corpus), evaluate(model, corpus, dynamic=True)
    assert following.nats_per_char < still.nats_per_char - 0.05
    assert following.characters == still.characters


def test_adapting_does_not_change_the_model():
    model = make_model("lstm")
    before = model.parameters.flat.copy()
    evaluate(model, Corpus.from_texts("abc " * 50), dynamic=True)
    adapted = adapt(model, Corpus.from_texts("abc " * 50))
    np.testing.assert_array_equal(model.parameters.flat, before)
    assert np.any(adapted.parameters.flat != before)
    assert adapted.tokenizer is model.tokenizer


def test_an_adapted_model_predicts_its_text_better():
    model = make_model("gru")
    text = "abcab cba " * 200
    adapted = adapt(model, Corpus.from_texts(text))
    assert evaluate(adapted, Corpus.from_texts(text)).nats_per_char < (
        evaluate(model, Corpus.from_texts(text)).nats_per_char - 0.05
    )


def test_the_state_starts_fresh_with_each_document():
    model = make_model("gru")
    together = encoded(model, "abc\n", "cab\n")
    losses, _ = next(read_and_learn(trainable_copy(model), together))
    alone, _ = next(read_and_learn(trainable_copy(model), encoded(model, "\n", "cab\n")))
    np.testing.assert_allclose(losses[3:], alone, atol=1e-6)


@pytest.mark.parametrize("options", [{"streams": 4}, {"block_size": 16}])
def test_dynamic_evaluation_is_a_single_pass(options):
    with pytest.raises(ConfigError, match=f"dynamic and {next(iter(options))} cannot be combined"):
        evaluate(make_model("gru"), Corpus.from_texts("abc " * 50), dynamic=True, **options)


def test_a_text_too_short_is_refused():
    model = make_model("gru")
    with pytest.raises(CorpusError, match="the text has 1 character; adaptation needs at least 2"):
        adapt(model, Corpus.from_texts("a"))
    with pytest.raises(CorpusError, match="the text has 1 character; evaluation needs at least 2"):
        evaluate(model, Corpus.from_texts("a"), dynamic=True)


def test_adapting_a_model_with_huge_weights_is_an_error():
    with pytest.raises(
        CharRNNError, match="the model's weights are too large to adapt; they became infinite"
    ):
        adapt(huge_model(), Corpus.from_texts("abc cab " * 20))
