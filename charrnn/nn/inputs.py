"""From characters to the first layer's input part, and back.

With e_v the embedding of character v, the input part is a_v = W_ih e_v + b. A chunk in which the
whole alphabet occurs again and again needs one product for each character of the alphabet
(`InputTable`), and one with a huge alphabet one for each of its own characters (`Embedded`). Both
have the same two methods.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.layer import Layer, Weights
from charrnn.nn.parameters import Array

Ids = NDArray[np.integer[Any]]

SMALL = 256  # characters in an alphabet, up to which sums by id are a product with one-hot rows


class Inputs(Protocol):
    """The first layer's input part for characters."""

    def forward(self, ids: Ids, out: Array) -> None:
        """Write the input part of `ids` (T, B) to `out` (G, T, B, H)."""

    def backward(self, ids: Ids, d_a: Array, gradients: Weights) -> Array | None:
        """From `d_a` (G, T, B, H) compute the gradients of the input weights, and return that of
        the embedding (V, E), None for one-hot input.
        """


class InputTable(Inputs):
    """The input parts of the whole alphabet: `rows` (G, V, H).

    Without an `embedding` (V, E), input is one-hot: W_ih (G*H, V) has a column for each character.
    """

    def __init__(self, layer: Layer, embedding: Array | None) -> None:
        self._layer, self._embedding = layer, embedding
        self.rows = layer.input_table(embedding)

    def forward(self, ids: Ids, out: Array) -> None:
        """Write the input part of `ids` (T, B) to `out` (G, T, B, H); or of (N,) to (G, N, H)."""
        # mode="raise" would make a copy.
        np.take(self.rows, ids, axis=1, out=out, mode="clip")

    def backward(self, ids: Ids, d_a: Array, gradients: Weights) -> Array | None:
        """Sum the gradients of each character's input part, and go back to the parameters."""
        d_rows = np.empty_like(self.rows)
        sum_by_id(d_a.reshape(len(d_a), -1, d_a.shape[-1]), ids.reshape(-1), out=d_rows)
        if self._embedding is None:
            np.copyto(gradients.W_ih, d_rows.transpose(0, 2, 1))
            d_rows.sum(axis=1, out=gradients.b_ih)
            return None
        d_embedding = np.empty_like(self._embedding)
        self._layer.project_backward(self._embedding, d_rows, gradients, out=d_embedding)
        return d_embedding


class Embedded(Inputs):
    """The embeddings (V, E) of a chunk's own characters."""

    def __init__(self, layer: Layer, embedding: Array) -> None:
        self._layer, self._embedding = layer, embedding

    def forward(self, ids: Ids, out: Array) -> None:
        """Write the input part of `ids` (T, B) to `out` (G, T, B, H)."""
        G, T, B, H = out.shape
        self._layer.project(self._embedding[ids.reshape(-1)], out.reshape(G, T * B, H))

    def backward(self, ids: Ids, d_a: Array, gradients: Weights) -> Array:
        """Go back to each character's embedding, and sum their gradients."""
        ids = ids.reshape(-1)
        x = self._embedding[ids]
        d_x, d_embedding = np.empty_like(x), np.empty_like(self._embedding)
        self._layer.project_backward(x, d_a.reshape(len(d_a), len(x), -1), gradients, out=d_x)
        sum_by_id(d_x, ids, out=d_embedding)
        return d_embedding


def sum_by_id(rows: Array, ids: Ids, out: Array) -> None:
    """Add up the `rows` (..., N, F) of equal id: out[..., v, :] = the sum of rows[..., n, :] with
    ids[n] = v; `ids` is (N,), `out` (..., V, F).
    """
    V = out.shape[-2]
    if V <= SMALL:
        one_hot = np.zeros((V, len(ids)), rows.dtype)
        one_hot[ids, np.arange(len(ids))] = 1
        np.matmul(one_hot, rows, out=out)
        return
    order = np.argsort(ids, kind="stable")
    present, starts = np.unique(ids[order], return_index=True)
    out.fill(0)
    out[..., present, :] = np.add.reduceat(rows[..., order, :], starts, axis=-2)
