"""Look-up by id and its gradient equal their loops."""

import numpy as np
import pytest

from charrnn.nn.embedding import look_up, sum_by_id

T, B, F = 6, 4, 3
every_id_type = pytest.mark.parametrize(
    ("dtype", "V"), [(np.uint8, 256), (np.uint16, 300), (np.uint32, 70_000), (np.int64, 9)]
)


def random_ids(dtype, V, shape):
    """Draw ids of which one is repeated, the largest is present and most are missing."""
    ids = np.random.default_rng(0).integers(0, V, shape).astype(dtype)
    ids.flat[-1] = V - 1
    ids.flat[:3] = V // 2
    return ids


@every_id_type
def test_look_up_writes_the_column_of_each_id(dtype, V):
    table = np.random.default_rng(1).normal(0, 1, (F, V))
    ids = random_ids(dtype, V, T * B)
    out = np.full((F, T * B), np.nan)
    look_up(table, ids, out)
    for n, v in enumerate(ids):
        np.testing.assert_array_equal(out[:, n], table[:, v])
    one = np.full((F, 1), np.nan)
    look_up(table, ids[:1], one)
    np.testing.assert_array_equal(one, table[:, ids[:1]])


@every_id_type
def test_sum_by_id_adds_up_the_columns_of_each_id(dtype, V):
    columns = np.random.default_rng(1).normal(0, 1, (F, T * B))
    ids = random_ids(dtype, V, T * B)
    expected = np.zeros((F, V))
    for n, v in enumerate(ids):
        expected[:, v] += columns[:, n]
    out = np.full((F, V), np.nan)
    sum_by_id(columns, ids, out)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14)


def test_sum_by_id_writes_through_a_transposed_view():
    columns = np.arange(6.0).reshape(2, 3)
    gradient = np.full((4, 2), np.nan)
    sum_by_id(columns, np.array([3, 1, 3]), gradient.T)
    np.testing.assert_array_equal(gradient, [[0, 0], [1, 4], [0, 0], [0 + 2, 3 + 5]])


@pytest.mark.parametrize("number", [0, 2])
def test_one_id_alone(number):
    out = np.empty((F, 3))
    sum_by_id(np.ones((F, 5)), np.full(5, number, np.uint8), out)
    np.testing.assert_array_equal(out, 5 * np.eye(3)[[number] * F])
