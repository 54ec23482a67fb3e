"""The input parts of characters, in both forms, and sums by id equal their loops."""

import numpy as np
import pytest

from charrnn.nn.cells import LSTM
from charrnn.nn.inputs import Embedded, InputTable, sum_by_id
from charrnn.nn.layer import Layer, Weights

G, H, E, V, T, B = 4, 3, 2, 9, 6, 4

every_id_type = pytest.mark.parametrize(
    ("dtype", "vocabulary_size"),
    [(np.uint8, 256), (np.uint16, 300), (np.uint32, 70_000), (np.int64, 9)],
)


def random_ids(dtype, vocabulary_size, shape):
    """Draw ids: one is repeated, the largest is present, and most are missing."""
    ids = np.random.default_rng(0).integers(0, vocabulary_size, shape).astype(dtype)
    ids.flat[-1] = vocabulary_size - 1
    ids.flat[:3] = vocabulary_size // 2
    return ids


def random_layer(input_size):
    rng = np.random.default_rng(1)
    shapes = (G, H, input_size), (G, H, H), (G, H), (G, H)
    return Layer(LSTM, Weights(*(rng.normal(0, 1, shape) for shape in shapes)), B)


def naive_input_part(layer, x):
    """What the cell expects of one character's x (I,): (G, H), sigmoid gates halved."""
    w = layer.weights
    return [scale * (w.W_ih[g] @ x + w.b_ih[g] + w.b_hh[g]) for g, scale in enumerate(LSTM.scale)]


@pytest.mark.parametrize("form", [InputTable, Embedded])
def test_the_input_part_of_each_character(form):
    layer, embedding = random_layer(E), np.random.default_rng(2).normal(0, 1, (V, E))
    ids, out = random_ids(np.uint8, V, (T, B)), np.full((G, T, B, H), np.nan)
    form(layer, embedding).forward(ids, out)
    for t, b in np.ndindex(T, B):
        expected = naive_input_part(layer, embedding[ids[t, b]])
        np.testing.assert_allclose(out[:, t, b], expected, rtol=0, atol=1e-14)


def test_the_input_part_of_onehot_input():
    layer = random_layer(V)
    ids, out = random_ids(np.uint8, V, (T, B)), np.full((G, T, B, H), np.nan)
    InputTable(layer, None).forward(ids, out)
    for t, b in np.ndindex(T, B):
        expected = naive_input_part(layer, np.eye(V)[ids[t, b]])
        np.testing.assert_allclose(out[:, t, b], expected, rtol=0, atol=1e-14)


@every_id_type
def test_sum_by_id_adds_up_the_rows_of_each_id(dtype, vocabulary_size):
    rows = np.random.default_rng(1).normal(0, 1, (2, T * B, H))
    ids = random_ids(dtype, vocabulary_size, T * B)
    expected = np.zeros((2, vocabulary_size, H))
    for n, v in enumerate(ids):
        expected[:, v] += rows[:, n]
    out = np.full(expected.shape, np.nan)
    sum_by_id(rows, ids, out)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("number", [0, 2])
def test_sum_by_id_of_a_single_id(number):
    out = np.full((3, H), np.nan)
    sum_by_id(np.ones((5, H)), np.full(5, number, np.uint8), out)
    np.testing.assert_array_equal(out, 5 * np.eye(3)[:, [number] * H])
