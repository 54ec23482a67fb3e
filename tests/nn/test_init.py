"""Initial values of the parameters."""

import numpy as np
import pytest

from charrnn.nn.cells import CELLS
from charrnn.nn.init import INITS, initialise
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Parameters

H, V = 6, 9
every_cell = pytest.mark.parametrize("cell", CELLS)


def initialised(init="orthogonal", seed=0, cell="gru", vocabulary_size=V):
    config = ModelConfig(cell, hidden_size=H, num_layers=2, embedding_size=4)
    parameters = Parameters(config.shapes(vocabulary_size))
    initialise(parameters, config, init, seed)
    return parameters


@every_cell
def test_recurrent_blocks_are_orthogonal(cell):
    for layer in (0, 1):
        blocks = initialised(cell=cell)[f"rnn.weight_hh_l{layer}"].reshape(-1, H, H)
        assert len(blocks) == CELLS[cell].gates
        for block in blocks:
            np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-6)


@every_cell
def test_input_blocks_and_the_head_are_within_the_bound_of_glorot(cell):
    parameters = initialised(cell=cell)
    for name, sizes in (("rnn.weight_ih_l0", (H, 4)), ("head.weight", (V, H))):
        bound = np.sqrt(6 / sum(sizes))
        assert 0.5 * bound < abs(parameters[name]).max() <= bound


def test_biases_are_zero_except_an_open_forget_gate():
    biases = initialised(cell="lstm")["rnn.bias_ih_l0"].reshape(4, H)
    np.testing.assert_array_equal(biases, np.repeat([[0.0], [1], [0], [0]], H, axis=1))
    assert not initialised(cell="lstm")["rnn.bias_hh_l0"].any()
    assert not initialised()["head.bias"].any()


def test_torch_draws_all_but_the_embedding_from_one_interval():
    for name, values in initialised("torch").items():
        if name != "embedding.weight":
            assert 0 < abs(values).max() <= 1 / np.sqrt(H)


@pytest.mark.parametrize("init", INITS)
def test_the_seed_decides_the_numbers(init):
    np.testing.assert_array_equal(initialised(init, 3).flat, initialised(init, 3).flat)
    assert np.any(initialised(init, 3).flat != initialised(init, 4).flat)


@pytest.mark.parametrize("init", INITS)
def test_a_larger_alphabet_does_not_change_other_tensors(init):
    small, large = initialised(init), initialised(init, vocabulary_size=V + 3)
    for name in small:
        if small[name].shape == large[name].shape:
            np.testing.assert_array_equal(small[name], large[name])
