"""Named arrays are views of one flat vector, one after another."""

import numpy as np
import pytest

from charrnn.nn.parameters import Parameters, count

SHAPES = {"W": (2, 3), "b": (2,), "scale": (), "A": (1, 2, 2)}


def test_parameters_start_at_zero_in_float32():
    parameters = Parameters(SHAPES)
    assert parameters.flat.dtype == np.float32
    assert parameters.flat.shape == (13,)
    assert not parameters.flat.any()


def test_names_and_shapes_keep_their_order():
    parameters = Parameters(SHAPES)
    assert list(parameters) == list(SHAPES)
    assert len(parameters) == len(SHAPES)
    assert {name: array.shape for name, array in parameters.items()} == SHAPES
    assert parameters.shapes == SHAPES


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_views_of_the_flat_vector(dtype):
    parameters = Parameters(SHAPES, dtype)
    for array in parameters.values():
        assert array.dtype == dtype
        assert np.shares_memory(array, parameters.flat)
    parameters.flat[:] = np.arange(13)
    np.testing.assert_array_equal(parameters["W"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(parameters["b"], [6, 7])
    np.testing.assert_array_equal(parameters["scale"], 8)
    np.testing.assert_array_equal(parameters["A"], [[[9, 10], [11, 12]]])
    parameters["b"][...] = -1
    np.testing.assert_array_equal(parameters.flat[5:9], [5, -1, -1, 8])


def test_two_vectors_of_one_kind_share_nothing():
    assert not np.shares_memory(Parameters(SHAPES).flat, Parameters(SHAPES).flat)


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        Parameters(SHAPES)["bias"]


def test_count_is_the_sum_of_the_sizes():
    assert count(SHAPES) == 13
    assert count({}) == 0
    assert count({"W": (0, 5)}) == 0


def test_count_does_not_overflow():
    assert count({"W": (2**40, 2**40)}) == 2**80
