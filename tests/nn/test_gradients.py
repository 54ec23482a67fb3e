"""Every gradient equals central differences of the loss, in float64."""

import numpy as np
import pytest

import charrnn.nn.model
from charrnn.nn.cells import CELLS
from charrnn.nn.inputs import Embedded, InputTable
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.nn.recurrent import Recurrent, recurrent_shapes

T, B, V, E, H = 5, 2, 7, 3, 4
STEP = 1e-5
RESETS = np.array([[0, 1], [0, 0], [1, 0], [0, 0], [1, 1]], np.bool_)  # (T, B)

every_cell = pytest.mark.parametrize("cell", CELLS)
one_and_two_layers = pytest.mark.parametrize("num_layers", [1, 2])
dropout_off_and_on = pytest.mark.parametrize("dropout", [0.0, 0.4])


def random_model(cell, num_layers=2, embedding_size=E, dropout=0.0, vocabulary_size=V):
    config = ModelConfig(cell, H, num_layers, embedding_size, dropout, weight_dropout=dropout)
    model = CharRNN(config, vocabulary_size, dtype=np.float64)
    model.parameters.flat[:] = np.random.default_rng(0).normal(0, 0.6, model.parameters.flat.shape)
    return model


def random_chunk(model, steps=T):
    rng = np.random.default_rng(2)
    inputs, targets = rng.integers(0, model.vocabulary_size, (2, steps, B), np.uint8)
    return inputs, targets, rng.normal(0, 0.5, model.zero_state(B).shape)


def named_states(state):
    return {
        f"state {s} of layer {layer}": state[layer, s] for layer, s in np.ndindex(*state.shape[:2])
    }


def central_differences(loss, array):
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + STEP
        above = loss()
        array[index] = value - STEP
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_gradients(loss, arrays, gradients):
    assert arrays.keys() == gradients.keys()
    for name, array in arrays.items():
        expected = central_differences(loss, array)
        size = np.linalg.norm(expected)
        assert size > 1e-4, f"{name} has no influence"
        error = np.linalg.norm(gradients[name] - expected) / size
        assert error < 1e-6, f"{name} is off by {error:.1e}"


def assert_training_gradients(model, inputs, targets, state, resets=None):
    def train(gradients):
        rng = np.random.default_rng(1)
        return model.train(inputs, targets, state, gradients, resets=resets, rng=rng)

    gradients, others = model.new_gradients(), model.new_gradients()
    gradients.flat[:] = np.nan  # previous contents are overwritten
    d_state = train(gradients)[2]
    assert_gradients(
        lambda: train(others)[0],
        {**model.parameters, **named_states(state)},
        {**gradients, **named_states(d_state)},
    )


@every_cell
@one_and_two_layers
@dropout_off_and_on
@pytest.mark.parametrize("embedding_size", [E, 0], ids=["embedding", "onehot"])
def test_training_gradients(cell, num_layers, dropout, embedding_size):
    model = random_model(cell, num_layers, embedding_size, dropout)
    assert_training_gradients(model, *random_chunk(model))


@every_cell
@dropout_off_and_on
def test_training_gradients_with_resets(cell, dropout):
    model = random_model(cell, dropout=dropout)
    assert_training_gradients(model, *random_chunk(model), RESETS)


@every_cell
def test_training_gradients_of_a_single_step_with_a_reset(cell):
    model = random_model(cell)
    assert_training_gradients(model, *random_chunk(model, 1), RESETS[:1])


@every_cell
@one_and_two_layers
def test_training_gradients_with_an_alphabet_larger_than_the_chunk(cell, num_layers):
    model = random_model(cell, num_layers, vocabulary_size=T * B + 1)
    assert_training_gradients(model, *random_chunk(model), RESETS)


def test_onehot_training_gradients_with_an_alphabet_larger_than_the_chunk():
    model = random_model("gru", embedding_size=0, vocabulary_size=T * B + 1)
    assert_training_gradients(model, *random_chunk(model))


@pytest.mark.parametrize(
    ("vocabulary_size", "embedding_size", "expected"),
    [(T * B, E, True), (T * B + 1, E, False), (T * B + 1, 0, True)],
)
def test_the_table_serves_small_alphabets_and_onehot(vocabulary_size, embedding_size, expected):
    model = random_model("rnn", 1, embedding_size, vocabulary_size=vocabulary_size)
    (layer,) = model.recurrent.load(B)
    assert isinstance(model.inputs(layer, T * B), InputTable) == expected


@every_cell
def test_looking_up_embeddings_equals_the_table(monkeypatch, cell):
    model = random_model(cell)
    chunk = random_chunk(model)
    results = []
    embedding = model.parameters["embedding.weight"]
    for inputs in (InputTable, Embedded):
        gradients = model.new_gradients()
        monkeypatch.setattr(model, "inputs", lambda layer, _, form=inputs: form(layer, embedding))
        results.append([*model.train(*chunk, gradients), gradients.flat])
    for table, embedded in zip(*results, strict=True):
        np.testing.assert_allclose(embedded, table, rtol=0, atol=1e-12)


def test_a_character_that_does_not_occur_has_no_embedding_gradient():
    for vocabulary_size in (V, T * B + 1):
        model = random_model("gru", vocabulary_size=vocabulary_size)
        inputs, targets, state = random_chunk(model)
        inputs[inputs == 3] = 2
        gradients = model.new_gradients()
        model.train(inputs, targets, state, gradients)
        present = np.any(gradients["embedding.weight"] != 0, axis=1)
        assert set(np.flatnonzero(present)) == set(inputs.flat)


@pytest.mark.parametrize("head_block", [1, 2 * V * B])
def test_the_head_in_blocks_equals_one_block(monkeypatch, head_block):
    model = random_model("lstm", dropout=0.4)
    inputs, targets, state = random_chunk(model)

    def results():
        gradients, rng = model.new_gradients(), np.random.default_rng(1)
        trained = model.train(inputs, targets, state, gradients, resets=RESETS, rng=rng)
        return [*trained, gradients.flat, *model.losses(inputs, targets, state, RESETS)]

    whole = results()
    monkeypatch.setattr(charrnn.nn.model, "HEAD_BLOCK", head_block)
    for in_blocks, in_one in zip(results(), whole, strict=True):
        np.testing.assert_allclose(in_blocks, in_one, rtol=0, atol=1e-12)


def test_a_reset_before_the_first_step_trains_as_the_zero_state_does():
    model = random_model("lstm")
    inputs, targets, state = random_chunk(model)
    zero = model.zero_state(B)
    resets = np.zeros((T, B), np.bool_)
    resets[0] = True
    gradients = model.new_gradients()
    loss, _, d_state = model.train(inputs, targets, state, gradients, resets=resets)
    assert loss == model.train(inputs, targets, zero, gradients)[0]
    assert not d_state.any()
    losses = model.losses(inputs, targets, state, resets)[0]
    np.testing.assert_array_equal(losses, model.losses(inputs, targets, zero)[0])


def test_training_drops_out_as_the_rng_decides():
    model = random_model("lstm", dropout=0.4)
    chunk = random_chunk(model)
    rngs = [None, *(np.random.default_rng(seed) for seed in (1, 1, 2))]
    gradients = model.new_gradients()
    without, one, same, other = (model.train(*chunk, gradients, rng=rng)[0] for rng in rngs)
    assert one == same
    assert len({without, one, other}) == 3


@every_cell
def test_the_training_loss_is_the_mean_of_the_losses(cell):
    model = random_model(cell, dropout=0.4)
    inputs, targets, state = random_chunk(model)
    losses, _, final = model.losses(inputs, targets, state, RESETS)
    gradients = model.new_gradients()
    loss, final_in_training, _ = model.train(inputs, targets, state, gradients, resets=RESETS)
    assert loss == pytest.approx(losses.mean(), abs=1e-12)
    np.testing.assert_array_equal(final_in_training, final)


@every_cell
@one_and_two_layers
@dropout_off_and_on
@pytest.mark.parametrize("resets", [None, RESETS], ids=["no resets", "resets"])
def test_recurrent_gradients_of_real_valued_inputs(cell, num_layers, dropout, resets):
    rng = np.random.default_rng(0)
    shapes = recurrent_shapes(cell, E, H, num_layers)
    weights, gradients = Parameters(shapes, np.float64), Parameters(shapes, np.float64)
    weights.flat[:] = rng.normal(0, 0.6, weights.flat.shape)
    recurrent = Recurrent(cell, weights, dropout=dropout, weight_dropout=dropout)
    x = rng.normal(0, 1, (T, B, E))
    state = rng.normal(0, 0.5, recurrent.zero_state(B).shape)
    share = rng.normal(0, 1, (T, B, H))

    def forward():
        return recurrent.forward(x, state, resets, np.random.default_rng(1))

    d_x, d_state = recurrent.backward(forward()[-1], share, gradients)
    assert_gradients(
        lambda: float(np.sum(forward()[0] * share)),
        {"x": x, **weights, **named_states(state)},
        {"x": d_x, **{k: v.copy() for k, v in gradients.items()}, **named_states(d_state)},
    )
