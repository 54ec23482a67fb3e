"""Recurrent layers, stacked: the matrix products, the loop over time, and the buffers.

Layouts (letters as in `charrnn.nn`):

    sequence   (T, F, B)       so that a step is W @ h, and each gate one contiguous block
    state      (L, S, H, B)    a value: passed in, returned, never kept
    history    (T+1, 1+S*H, B) row 0 is ones, then h, then the cell's other states; history[0] is
                               the carried state, so that no step is special

The row of ones makes a bias the weight of a constant: [b | W] @ [1; x] = W x + b, in the product
and in its gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require
from charrnn.nn.cells import CELLS, Cell
from charrnn.nn.embedding import look_up
from charrnn.nn.parameters import Array
from charrnn.rng import Rng

Resets = NDArray[np.bool_]  # (T, B): the state is zero before this step
MAX_LAYERS = 8


def recurrent_shapes(
    cell: str, input_size: int, hidden_size: int, num_layers: int = 1
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the stack's parameters, those of torch.nn.RNN/LSTM/GRU.

    Raises ConfigError for an unknown cell or sizes below 1.
    """
    require(cell in CELLS, f"`cell` must be one of {', '.join(CELLS)}; got {cell!r}")
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        require(size >= 1, f"`{name}` must be at least 1, got {size}")
    require(
        1 <= num_layers <= MAX_LAYERS,
        f"`num_layers` must be between 1 and {MAX_LAYERS}, got {num_layers}",
    )
    rows = CELLS[cell].gates * hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(num_layers):
        shapes[f"weight_ih_l{layer}"] = (rows, hidden_size if layer else input_size)
        shapes[f"weight_hh_l{layer}"] = (rows, hidden_size)
        shapes[f"bias_ih_l{layer}"] = (rows,)
        shapes[f"bias_hh_l{layer}"] = (rows,)
    return shapes


class Recurrent:
    """A stack of recurrent layers over given weights, with dropout after every layer, and of the
    recurrent weights themselves.

    `weights` (and `gradients`, if there is to be a backward pass) map the names of
    `recurrent_shapes`, each after `prefix`, to arrays; these are read afresh at every forward
    pass, and the gradients overwritten at every backward pass.
    """

    def __init__(
        self,
        cell: str,
        weights: Mapping[str, Array],
        gradients: Mapping[str, Array] | None = None,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        prefix: str = "",
    ) -> None:
        for name, rate in (("dropout", dropout), ("weight_dropout", weight_dropout)):
            require(0 <= rate < 1, f"`{name}` must be at least 0 and below 1, got {rate}")
        self.dropout, self.weight_dropout = dropout, weight_dropout
        self.layers: list[Layer] = []
        while f"{prefix}weight_hh_l{len(self.layers)}" in weights:
            suffix = f"_l{len(self.layers)}"
            names = [f"{prefix}{kind}{suffix}" for kind in Layer.parameters]
            self.layers.append(
                Layer(
                    CELLS[cell],
                    [weights[name] for name in names],
                    [gradients[name] for name in names] if gradients is not None else None,
                )
            )

    def zero_state(self, batch_size: int) -> Array:
        """Return the state (L, S, H, B) that knows nothing."""
        first = self.layers[0]
        shape = (len(self.layers), first.cell.states, first.hidden_size, batch_size)
        return np.zeros(shape, first.dtype)

    def forward(
        self, x: Array, state: Array, resets: Resets | None = None, rng: Rng | None = None
    ) -> tuple[Array, Array]:
        """Return the outputs (T, H, B) of the last layer for `x` (T, I, B), and the next state.

        `state` is (L, S, H, B). Dropout happens if `rng` is given.
        """
        T, _, B = x.shape
        self.prepare(T, B)
        self.layers[0].read(with_ones(x))
        output, state = self.run(state, resets, rng)
        return output[:, 1:].copy(), state

    def backward(self, d_output: Array) -> tuple[Array, Array]:
        """Go back through the last forward pass; needs `gradients`.

        From dL/doutput (T, H, B) compute the weights' gradients, and return dL/dx (T, I, B) and
        dL/dstate (L, S, H, B). The final state's own gradient is taken as zero (truncation).
        """
        d_state = self.run_backward(d_output.copy())
        return self.layers[0].project_backward().copy(), d_state

    # What follows is the same in smaller steps, for a caller that makes the first layer's input
    # part itself (the model's look-up table), and can live with views of the buffers.

    def prepare(self, T: int, B: int) -> None:
        """Make room for chunks of (T, B), and take up the weights as they are now."""
        for layer in self.layers:
            layer.prepare(T, B)

    def run(self, state: Array, resets: Resets | None, rng: Rng | None) -> tuple[Array, Array]:
        """Go through time, the first layer having been given what to read.

        Return the last layer's output (T, 1+H, B), row 0 ones, valid until the next pass, and the
        next state.
        """
        output = None
        for layer, first_state in zip(self.layers, state, strict=True):
            if output is not None:
                layer.read(output)
            layer.drop_weights(self.weight_dropout, rng)
            layer.forward(first_state, resets)
            output = layer.drop(self.dropout, rng)
        assert output is not None
        return output, np.stack([layer.state() for layer in self.layers])

    def set_state(self, state: Array) -> None:
        """Make `state` (L, S, H, B) what `advance` goes on from."""
        for layer, first_state in zip(self.layers, state, strict=True):
            layer.set_state(first_state)

    def advance(self, table: Array, ids: NDArray[np.integer[Any]]) -> Array:
        """Go on by one step, the first layer's input part being the columns `ids` (B,) of `table`
        (G*H, V), after `prepare(1, B)`. Return [1; h] (1+H, B) of the last layer.
        """
        output = None
        for layer in self.layers:
            if output is None:
                layer.look_up(table, ids[None])
            else:
                layer.read(output[None])
            output = layer.advance()
        assert output is not None
        return output

    def keep(self, columns: Sequence[bool]) -> None:
        """Let `advance` go on with these columns (B,) of the batch alone."""
        for layer in self.layers:
            state = layer.state()[..., columns]
            layer.resize(1, state.shape[-1])
            layer.set_state(state)

    def run_backward(self, d_output: Array) -> Array:
        """Compute all gradients but those of the first layer's input and input weights; return
        dL/dstate. `d_output` is overwritten.
        """
        d_states = []
        for layer in reversed(self.layers):
            d_states.append(layer.backward(d_output))
            if layer is not self.layers[0]:
                d_output = layer.project_backward()
        return np.stack(d_states[::-1])


class Layer:
    """One recurrent layer: its weights, and its buffers for chunks of (T, B)."""

    parameters = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def __init__(
        self, cell: type[Cell], weights: list[Array], gradients: list[Array] | None
    ) -> None:
        self.cell = cell
        self.W_ih, self.W_hh, self.b_ih, self.b_hh = weights
        self.gradients = gradients
        self.hidden_size = self.W_hh.shape[1]
        self.dtype = self.W_hh.dtype
        self.shape = (0, 0)

    def prepare(self, T: int, B: int) -> None:
        """Take up the weights as they are now, and allocate buffers if (T, B) is new."""
        self._W_in = join_bias(self.b_ih, self.W_ih, B)  # [b | W]
        self._W = join_bias(self.b_hh, self.W_hh, B)
        if self.shape != (T, B):
            self.resize(T, B)

    def resize(self, T: int, B: int) -> None:
        """Allocate buffers for chunks of (T, B)."""
        self.shape = (T, B)
        H, S, G = self.hidden_size, self.cell.states, self.cell.gates
        training = self.gradients is not None
        splits = len(range(G)[self.cell.split])
        self.history = np.zeros((T + 1, 1 + S * H, B), self.dtype)
        self.history[:, 0] = 1
        steps = T if training else 1  # what only the backward pass looks back at
        self.gates = np.empty((steps, G * H, B), self.dtype)  # a; the gates; dL/da, in turn
        self._u = np.empty((G * H, B), self.dtype)  # u of one step; dL/du
        self._u_gates = self._u.reshape(G, H, B)
        # Of u, what the backward pass needs; then dL/du.
        self._kept = np.empty((steps, splits, H, B), self.dtype)
        self._old = np.empty((1 + S * H, B), self.dtype)  # a state with columns reset
        if training:
            self._tmp = np.empty((self.cell.scratch, H, B), self.dtype)
            self._d_h = np.empty((H, B), self.dtype)
            # With time inside, (F, T, B), for the products over all steps.
            self.d_inside = np.empty((G * H, T, B), self.dtype)  # dL/du, then dL/da
            self._h_inside = np.empty((1 + H, T, B), self.dtype)
            self._x_inside = np.empty((self._W_in.shape[1], T, B), self.dtype)
            self._d_x = np.empty((T, self._W_in.shape[1] - 1, B), self.dtype)
        # Views, made once: slicing costs as much as a small ufunc.
        self._steps = [
            (
                self.gates[t % steps],
                self.gates[t % steps].reshape(G, H, B),
                self._kept[t % steps],
                *self._views(self.history[t]),
                self._views(self.history[t + 1])[1],
            )
            for t in range(T)
        ]
        self._last = (*self._steps[-1][:2], *self._views(self.history[-1]))

    def _views(self, history: Array) -> tuple[Array, Array]:
        """Return [1; h] (1+H, B) and the state (S, H, B) of one step's history (1+S*H, B)."""
        states = history[1:].reshape(self.cell.states, self.hidden_size, -1)
        return history[: 1 + self.hidden_size], states

    def read(self, x: Array) -> None:
        """Let the input part be computed from `x` (T, 1+I, B), row 0 ones."""
        self._x = x
        self._ids: NDArray[np.integer[Any]] | None = None

    def look_up(self, table: Array, ids: NDArray[np.integer[Any]]) -> None:
        """Let the input part be the columns of `table` (G*H, V) that `ids` (T, B) name."""
        self._x, self._ids = table, ids

    def _input_part(self, t: int, out: Array) -> None:
        if self._ids is None:
            np.matmul(self._W_in, self._x[t], out=out)
        else:
            look_up(self._x, self._ids[t], out)

    def forward(self, state: Array, resets: Resets | None) -> None:
        """Go through time from `state` (S, H, B), over what was given to read."""
        self.history[0, 1:] = state.reshape(-1, state.shape[-1])
        self._resets = resets
        self._reset_at = set() if resets is None else set(np.flatnonzero(resets.any(axis=1)))
        u = self._u_gates
        u_split = u[self.cell.split]
        for t, (product, a, kept, h, old, new) in enumerate(self._steps):
            if t in self._reset_at:
                h, old = self._reset(t)
            self._input_part(t, out=product)
            np.matmul(self._W, h, out=self._u)
            if kept.size:
                np.copyto(kept, u_split)
            self.cell.forward(a, u, old, new)

    def set_state(self, state: Array) -> None:
        """Make `state` (S, H, B) the last step's."""
        self.history[-1, 1:] = state.reshape(-1, state.shape[-1])

    def advance(self) -> Array:
        """Go on by one step from the last one's state, in its place; return [1; h] (1+H, B)."""
        product, a, h, state = self._last
        self._input_part(0, out=product)
        np.matmul(self._W, h, out=self._u)
        self.cell.forward(a, self._u_gates, state, state)
        return h

    def _reset(self, t: int) -> tuple[Array, Array]:
        assert self._resets is not None
        np.multiply(self.history[t], ~self._resets[t], out=self._old)
        self._old[0] = 1
        return self._views(self._old)

    def state(self) -> Array:
        """Return the state (S, H, B) after the last step, a view."""
        return self._views(self.history[-1])[1]

    def drop_weights(self, rate: float, rng: Rng | None) -> None:
        """Drop a share of the recurrent weights for the whole chunk, if `rng` is given: DropConnect
        (Wan et al. 2013), on recurrent weights as Merity et al. (2018) have it.
        """
        self._weight_mask = None
        if rng is not None and rate > 0:
            self._weight_mask = dropout_mask(self.W_hh.shape, rate, rng, self.dtype)
            self._W[:, 1:] *= self._weight_mask

    def drop(self, rate: float, rng: Rng | None) -> Array:
        """Return the output (T, 1+H, B), row 0 ones, with inverted dropout if `rng` is given.

        One mask (H, B) serves all time steps (Gal and Ghahramani 2016): it generalises better here
        than one for each step, and takes fewer random numbers.
        """
        output = self.history[1:, : 1 + self.hidden_size]
        self._mask = None
        if rng is not None and rate > 0:
            self._mask = dropout_mask(output[0, 1:].shape, rate, rng, self.dtype)
            output = output.copy()
            output[:, 1:] *= self._mask
        return output

    def backward(self, d_output: Array) -> Array:
        """Compute the gradients of the recurrent weights, and dL/da for all steps.

        Return dL/dstate (S, H, B) for the state that `forward` started from. `d_output` (T, H, B)
        is overwritten.
        """
        assert self.gradients is not None
        if self._mask is not None:
            np.multiply(d_output, self._mask, out=d_output)
        (T, B), H, cell = self.shape, self.hidden_size, self.cell
        W_T = self._W[:, 1:].T
        split = slice(*(H * gate for gate in cell.split.indices(cell.gates)[:2]))  # of G*H rows
        W_in_T = self._W_in[:, 1:].T
        d = np.zeros((cell.states, H, B), self.dtype)
        for t in reversed(range(T)):
            d_a, a, kept, _, old, new = self._steps[t]
            if t in self._reset_at:
                _, old = self._reset(t)
            np.add(d[0], d_output[t], out=d[0])
            cell.backward(a, kept, old, new, d, self._tmp)
            if self._ids is None:
                np.matmul(W_in_T, d_a, out=self._d_x[t])
            d_u = d_a
            if kept.size:
                d_u = self._u
                np.copyto(d_u, d_a)
                np.copyto(d_u[split], kept.reshape(-1, B))
            np.copyto(self.d_inside[:, t], d_u)
            np.matmul(W_T, d_u, out=self._d_h)
            np.add(d[0], self._d_h, out=d[0])
            if t in self._reset_at and self._resets is not None:
                d *= ~self._resets[t]

        h = time_inside(self.history[:-1, : 1 + H], out=self._h_inside)
        if self._resets is not None:
            h[1:, self._resets] = 0
        d_W = product_over_time(self.d_inside, h)
        if self._weight_mask is not None:
            d_W[:, 1:] *= self._weight_mask
        split_bias(d_W, self.gradients[3], self.gradients[1])
        time_inside(self.gates[:, split], out=self.d_inside[split])
        return d

    def project_backward(self) -> Array:
        """Compute the gradients of the input weights, and return dL/dx (T, I, B), valid until the
        next pass.
        """
        assert self.gradients is not None
        x = time_inside(self._x, out=self._x_inside)
        split_bias(product_over_time(self.d_inside, x), self.gradients[2], self.gradients[0])
        return self._d_x


def dropout_mask(shape: tuple[int, ...], rate: float, rng: Rng, dtype: Any) -> Array:
    """Return zeros at the given rate and 1 / (1 - rate) elsewhere, so that the mean is 1."""
    kept = rng.random(shape, np.float32) >= rate
    return np.multiply(kept, 1 / (1 - rate), dtype=dtype)


def with_ones(x: Array) -> Array:
    """Return `x` (T, F, B) with a row of ones before its features, (T, 1+F, B)."""
    T, F, B = x.shape
    padded = np.empty((T, 1 + F, B), x.dtype)
    padded[:, 0] = 1
    padded[:, 1:] = x
    return padded


def join_bias(b: Array, W: Array, columns: int) -> Array:
    """Return [b | W] (F, 1+I) for b (F,) and W (F, I), laid out for products with so many columns:
    by columns for a single one, which is up to a quarter faster, by rows for more.
    """
    joined = np.concatenate([b[:, None], W], axis=1)
    return np.asfortranarray(joined) if columns == 1 else joined


def split_bias(joined: Array, b: Array, W: Array) -> None:
    """Write [b | W] (F, 1+I) to b (F,) and W (F, I)."""
    b[...] = joined[:, 0]
    W[...] = joined[:, 1:]


def time_inside(x: Array, out: Array) -> Array:
    """Copy `x` (T, F, B) to `out` (F, T, B), features by all the chunk's characters; return it."""
    np.copyto(out, x.transpose(1, 0, 2))
    return out


def product_over_time(d: Array, x: Array) -> Array:
    """Return the sum over t and b of d[:, t, b] x[:, t, b]^T, (F, I), for d (F, T, B), x (I, T, B).

    One long product over all time steps instead of T short ones.
    """
    product: Array = np.matmul(d.reshape(len(d), -1), x.reshape(len(x), -1).T)
    return product
