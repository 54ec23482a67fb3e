"""One recurrent layer: its matrix products, and the loop over time, forward and backward.

Layouts (letters as in `charrnn.nn`):

    gates   (G, T, B, H)    a gate's step is a contiguous (B, H) block for the cell, and its
                            history a (T*B, H) matrix for the products over time
    states  (S, T+1, B, H)  begins with the state passed in; h is states[0]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Cell
from charrnn.nn.parameters import Array
from charrnn.nn.products import blocks_for, narrowed

Resets = NDArray[np.bool_]  # (T, B): the state is zero before this step
ROWS = 256  # characters whose dL/dx is summed over the gates at a time, to stay in cache


@dataclass(frozen=True)
class Weights:
    """A layer's parameters, or their gradients, by gate: views of torch's matrices."""

    W_ih: Array  # (G, H, I)
    W_hh: Array  # (G, H, H)
    b_ih: Array  # (G, H)
    b_hh: Array  # (G, H)

    @classmethod
    def of(cls, arrays: Mapping[str, Array], gates: int, layer: int, prefix: str = "") -> Weights:
        """Return those of layer number `layer`, stored under torch's names after `prefix`."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        W_ih, W_hh, b_ih, b_hh = (arrays[f"{prefix}{name}_l{layer}"] for name in names)
        H = W_hh.shape[1]
        return cls(
            W_ih.reshape(gates, H, -1),
            W_hh.reshape(gates, H, H),
            b_ih.reshape(gates, H),
            b_hh.reshape(gates, H),
        )


class Step(NamedTuple):
    """The views of one time step; slicing costs as much as a small ufunc."""

    a: Array  # (G, B, H): a; the gates' values; dL/da, in turn
    u: Array  # (split, B, H)
    kept: Array  # (G-split, B, H): u of the split gates; their dL/du
    old: Array  # (S, B, H)
    new: Array  # (S, B, H)
    # For products: the old h, the outputs u and kept, and the factors dL/du of both sorts of gates.
    h: Array
    u_out: Array
    kept_out: Array
    d_merged: Array
    d_kept: Array


class Chunk:
    """The buffers of a pass over (T, B) characters: what the forward pass leaves for the backward
    pass.
    """

    def __init__(self, layer: Layer, T: int, B: int) -> None:
        cell, H, dtype = layer.cell, layer.hidden_size, layer.dtype
        G, S, split = cell.gates, cell.states, cell.split
        self.shape = (T, B)
        self.gates = np.empty((G, T, B, H), dtype)
        self.kept = np.empty((G - split, T, B, H), dtype)
        self.states = np.empty((S, T + 1, B, H), dtype)
        u, states = np.empty((split, B, H), dtype), self.states
        self.steps = [
            layer.views(self.gates[:, t], u, self.kept[:, t], states[:, t], states[:, t + 1])
            for t in range(T)
        ]
        self.dropped: Array | None = None  # outputs after dropout, once there is any


class Layer:
    """A layer's weights as they are now, arranged for batches of B.

    The masks, if any, multiply the recurrent weights (G, H, H) and the outputs (H, B).
    """

    def __init__(
        self,
        cell: type[Cell],
        weights: Weights,
        B: int,
        weight_mask: Array | None = None,
        output_mask: Array | None = None,
    ) -> None:
        W, split = weights.W_hh, cell.split
        self.cell, self.weights, self._mask = cell, weights, weight_mask
        self._output_mask = None if output_mask is None else np.ascontiguousarray(output_mask.T)
        self.hidden_size, self.dtype = W.shape[1], W.dtype
        self.blocks = blocks_for(B, self.hidden_size, self.hidden_size)
        scale = np.array(cell.scale, self.dtype)
        packed = self.blocks.pack(self._recurrent_weights().transpose(0, 2, 1), scale)
        self._W, self._W_split = packed[:split], packed[split:]
        self._W_in = (weights.W_ih * scale[:, None, None]).transpose(0, 2, 1)  # (G, I, H)
        # Where a and u merely add up, a has both biases.
        self._b = weights.b_ih * scale[:, None]
        self._b[:split] += weights.b_hh[:split] * scale[:split, None]
        self._b_split = weights.b_hh[split:, None].copy()

    def views(self, a: Array, u: Array, kept: Array, old: Array, new: Array) -> Step:
        """Return the views of a step with these arrays."""
        rows, out = self.blocks.rows, self.blocks.out
        d = rows(a[: self.cell.split]), rows(kept)
        return Step(a, u, kept, old, new, rows(old[:1]), out(u), out(kept), *d)

    def project(self, x: Array, out: Array) -> None:
        """Write the input part W_ih x + b of `x` (N, I) to `out` (G, N, H)."""
        np.matmul(x, self._W_in, out=out)
        np.add(out, self._b[:, None], out=out)

    def input_table(self, embedding: Array | None) -> Array:
        """Return the input part for every row of `embedding` (V, E), (G, V, H); without one, for
        every one-hot row.
        """
        if embedding is None:
            return np.add(self._W_in, self._b[:, None], order="C")
        table = np.empty((len(self._b), len(embedding), self.hidden_size), self.dtype)
        self.project(embedding, out=table)
        return table

    def project_backward(self, x: Array, d_a: Array, gradients: Weights, out: Array) -> None:
        """From dL/da (G, N, H) compute the gradients of the input weights and, in `out`, dL/dx, for
        `x` (N, I).
        """
        np.matmul(d_a.transpose(0, 2, 1), x, out=gradients.W_ih)
        d_a.sum(axis=1, out=gradients.b_ih)
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            np.matmul(d_a[:, rows], self.weights.W_ih).sum(axis=0, out=out[rows])

    def advance(self, step: Step) -> None:
        """Compute one time step, the input part being in `step.a`."""
        np.matmul(step.h, self._W, out=step.u_out)
        if len(self._W_split):
            np.matmul(step.h, self._W_split, out=step.kept_out)
            np.add(step.kept, self._b_split, out=step.kept)
        self.cell.forward(step.a, step.u, step.kept, step.old, step.new)

    def forward(self, chunk: Chunk, state: Array, resets: Resets | None = None) -> None:
        """Go through time from `state` (S, B, H), the input part being in `chunk.gates`."""
        chunk.states[:, 0] = state
        reset_at = _by_step(resets)
        for t, step in enumerate(chunk.steps):
            self.advance(self._reset(step, reset_at[t]) if t in reset_at else step)

    def output(self, chunk: Chunk) -> Array:
        """Return the outputs (T, B, H) of a pass, after dropout; a view."""
        h = chunk.states[0, 1:]
        if self._output_mask is None:
            return h
        if chunk.dropped is None:
            chunk.dropped = np.empty_like(h)
        return np.multiply(h, self._output_mask, out=chunk.dropped)

    def backward(
        self, chunk: Chunk, d_output: Array, resets: Resets | None, gradients: Weights
    ) -> Array:
        """Compute the gradients of the recurrent weights, and dL/da in `chunk.gates`, from
        dL/doutput (T, B, H). Return dL/dstate (S, B, H) for the state that `forward` started from.

        The chunk's other contents are used up, and `d_output` too.
        """
        cell, G, split = self.cell, self.cell.gates, self.cell.split
        T, B, H = d_output.shape
        packed = self.blocks.pack(self._recurrent_weights())
        W, W_split = packed[:split], packed[split:]
        d = np.zeros((cell.states, B, H), self.dtype)
        tmp = np.empty((cell.scratch, B, H), self.dtype)
        # What goes back to h through each gate, and what bypasses them; dL/dh is their sum.
        paths = d if G + cell.direct == 1 else np.empty((G + cell.direct, B, H), self.dtype)
        direct = paths[G:]
        out, out_split = self.blocks.out(paths[:split]), self.blocks.out(paths[split:G])
        if self._output_mask is not None:
            np.multiply(d_output, self._output_mask, out=d_output)
        reset_at = _by_step(resets)
        for t in reversed(range(T)):
            step = chunk.steps[t]
            old = self._reset(step, reset_at[t]).old if t in reset_at else step.old
            np.add(d[0], d_output[t], out=d[0])
            cell.backward(step.a, step.kept, old, step.new, d, direct, tmp)
            np.matmul(step.d_merged, W, out=out)
            if len(W_split):
                np.matmul(step.d_kept, W_split, out=out_split)
            if paths is not d:
                np.add.reduce(paths, axis=0, out=d[0])
            if t in reset_at:
                d *= ~reset_at[t][:, None]

        h = chunk.states[0, :-1]
        if resets is not None:
            h[resets] = 0
        for gates, d_u in ((slice(split), chunk.gates[:split]), (slice(split, G), chunk.kept)):
            d_u = d_u.reshape(len(d_u), T * B, H)
            np.matmul(d_u.transpose(0, 2, 1), h.reshape(T * B, H), out=gradients.W_hh[gates])
            d_u.sum(axis=1, out=gradients.b_hh[gates])
        if self._mask is not None:
            np.multiply(gradients.W_hh, self._mask, out=gradients.W_hh)
        return d

    def _recurrent_weights(self) -> Array:
        return self.weights.W_hh if self._mask is None else self.weights.W_hh * self._mask

    def narrow(self, B: int) -> None:
        """Arrange for batches of fewer than before."""
        self.blocks = narrowed(self.blocks, B, self.hidden_size)

    def _reset(self, step: Step, streams: NDArray[np.bool_]) -> Step:
        """Return the step with these streams' (B,) old state zero."""
        old = step.old * ~streams[:, None]
        return step._replace(old=old, h=self.blocks.rows(old[:1]))


def _by_step(resets: Resets | None) -> dict[int, Resets]:
    """Return the steps with resets, (B,) each, by number."""
    if resets is None:
        return {}
    return {t: resets[t] for t in np.flatnonzero(resets.any(axis=1)).tolist()}
