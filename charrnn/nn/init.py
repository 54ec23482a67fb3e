"""Initial values of the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array, Parameters
from charrnn.rng import INITIAL, Rng, generator

Initialiser = Callable[[str, tuple[int, ...], ModelConfig, Rng], Array]


def initialise(parameters: Parameters, config: ModelConfig, init: str, seed: int) -> None:
    """Fill `parameters` by the scheme `init`; each tensor depends only on `seed`, its position and
    its shape.
    """
    for index, (name, values) in enumerate(parameters.items()):
        values[...] = INITS[init](name, values.shape, config, generator(seed, INITIAL, index))


def orthogonal(name: str, shape: tuple[int, ...], config: ModelConfig, rng: Rng) -> Array:
    """Orthogonal recurrent blocks (Saxe et al. 2014), Glorot input blocks (Glorot and Bengio
    2010), zero biases except the cell's own (an open forget gate).
    """
    cell, H = CELLS[config.cell], config.hidden_size
    if "weight_hh" in name:
        return np.concatenate([_orthogonal_block(H, rng) for _ in range(cell.gates)])
    if "weight_ih" in name:
        bound = math.sqrt(6 / (H + shape[1]))
        return rng.uniform(-bound, bound, shape)
    if "bias_ih" in name:
        return np.repeat(cell.bias, H)
    if "bias" in name:
        return np.zeros(shape)
    if name == "embedding.weight":
        return rng.standard_normal(shape)
    bound = math.sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def like_torch(name: str, shape: tuple[int, ...], config: ModelConfig, rng: Rng) -> Array:
    """The defaults of torch.nn: normal embeddings, everything else uniform in +-1/sqrt(H)."""
    if name == "embedding.weight":
        return rng.standard_normal(shape)
    bound = 1 / math.sqrt(config.hidden_size)
    return rng.uniform(-bound, bound, shape)


def _orthogonal_block(size: int, rng: Rng) -> Array:
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    block: Array = q * np.sign(np.diag(r))  # makes the distribution uniform (Mezzadri 2007)
    return block


INITS: dict[str, Initialiser] = {"orthogonal": orthogonal, "torch": like_torch}
