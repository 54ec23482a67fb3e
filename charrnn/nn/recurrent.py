"""Recurrent layers, stacked, with dropout between them and of the recurrent weights.

A sequence is (T, B, features), and a state (L, S, B, H) a value: passed in, returned, never kept. A
forward pass returns a tape, which the backward pass uses up; its buffers serve the next forward
pass too, so that a tape is valid until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.errors import require, require_choice
from charrnn.nn.cells import CELLS
from charrnn.nn.layer import Chunk, Layer, Resets, Weights
from charrnn.nn.parameters import Array
from charrnn.rng import Rng

MAX_LAYERS = 8

Project = Callable[[Array], None]  # writes an input part to an array (G, T, B, H)


def recurrent_shapes(
    cell: str, input_size: int, hidden_size: int, num_layers: int = 1
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the stack's parameters, those of torch.nn.RNN/LSTM/GRU.

    Raises ConfigError for an unknown cell or sizes below 1.
    """
    require_choice("cell", cell, CELLS)
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


@dataclass(eq=False)
class Tape:
    """What a forward pass leaves for the backward pass."""

    layers: Sequence[Layer]
    chunks: Sequence[Chunk]
    outputs: Sequence[Array]  # of each layer, after dropout (T, B, H)
    resets: Resets | None
    x: Array | None = None  # what the first layer read (T, B, I), unless it was characters


class Recurrent:
    """A stack of recurrent layers over given weights, with dropout after every layer, and of the
    recurrent weights themselves.

    `weights` maps the names of `recurrent_shapes`, each after `prefix`, to arrays, which every
    forward pass reads afresh. Raises ConfigError for a dropout rate out of range.
    """

    def __init__(
        self,
        cell: str,
        weights: Mapping[str, Array],
        *,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        prefix: str = "",
    ) -> None:
        for name, rate in (("dropout", dropout), ("weight_dropout", weight_dropout)):
            require(0 <= rate < 1, f"`{name}` must be at least 0 and below 1, got {rate}")
        self.cell, self.prefix = CELLS[cell], prefix
        self.dropout, self.weight_dropout = dropout, weight_dropout
        count = 0
        while f"{prefix}weight_hh_l{count}" in weights:
            count += 1
        self.weights = [self.of_layer(weights, number) for number in range(count)]
        self._chunks: list[Chunk] = []
        self._tape: Tape | None = None

    def of_layer(self, arrays: Mapping[str, Array], number: int) -> Weights:
        """Return the layer's weights or gradients among `arrays`."""
        return Weights.of(arrays, self.cell.gates, number, self.prefix)

    def zero_state(self, batch_size: int) -> Array:
        """Return the initial state (L, S, B, H): zeros."""
        W = self.weights[0].W_hh
        return np.zeros((len(self.weights), self.cell.states, batch_size, W.shape[1]), W.dtype)

    def load(self, batch_size: int, rng: Rng | None = None) -> list[Layer]:
        """Return the layers with the weights as they are now, arranged for batches of this size.

        With `rng`, these drop a share of their outputs, one mask for all time steps (Gal and
        Ghahramani 2016), which generalizes better here than one for each; and of their recurrent
        weights, DropConnect (Wan et al. 2013), as Merity et al. (2018) apply it.
        """
        layers = []
        for weights in self.weights:
            W = weights.W_hh
            on_weights = dropout_mask(W.shape, self.weight_dropout, rng, W.dtype)
            on_outputs = dropout_mask((W.shape[1], batch_size), self.dropout, rng, W.dtype)
            layers.append(Layer(self.cell, weights, batch_size, on_weights, on_outputs))
        return layers

    def forward(
        self, x: Array, state: Array, resets: Resets | None = None, rng: Rng | None = None
    ) -> tuple[Array, Array, Tape]:
        """Return the outputs (T, B, H) of the last layer for `x` (T, B, I), the next state, and a
        tape for `backward`, valid until the next forward pass.

        `state` is (L, S, B, H). Where `resets` (T, B) is true, the state is zero before that step.
        Dropout happens if `rng` is given.
        """
        layers = self.load(x.shape[1], rng)

        def project(out: Array) -> None:
            layers[0].project(_flat(x), _flat(out))

        output, state, tape = self.run(layers, project, len(x), state, resets)
        tape.x = x
        return output.copy(), state, tape

    def backward(
        self, tape: Tape, d_output: Array, gradients: Mapping[str, Array]
    ) -> tuple[Array, Array]:
        """Go back through the forward pass that returned `tape`, which is used up.

        From dL/doutput (T, B, H) write the weights' gradients to the arrays of `gradients`, named
        like the weights; return dL/dx (T, B, I) and dL/dstate (L, S, B, H). The final state's own
        gradient is taken as zero (truncation). Raises ValueError for a tape that is no longer
        valid.
        """
        assert tape.x is not None, "a pass over characters has no x"
        d_a, d_state = self.run_backward(tape, d_output.copy(), gradients)
        d_x = np.empty_like(tape.x)
        tape.layers[0].project_backward(
            _flat(tape.x), _flat(d_a), self.of_layer(gradients, 0), out=_flat(d_x)
        )
        return d_x, d_state

    # The same without copies, for a caller that computes the first layer's input part itself.

    def run(
        self,
        layers: Sequence[Layer],
        project: Project,
        steps: int,
        state: Array,
        resets: Resets | None = None,
    ) -> tuple[Array, Array, Tape]:
        """Go forward with loaded `layers`, as `forward` does; `project` writes the first layer's
        input part. The output is a view, valid as long as the tape is.
        """
        self._tape = None
        B = state.shape[2]
        if [chunk.shape for chunk in self._chunks] != [(steps, B)] * len(layers):
            self._chunks = []  # before others are allocated
            self._chunks = [Chunk(layer, steps, B) for layer in layers]
        outputs, state = read(layers, self._chunks, project, state, resets)
        self._tape = Tape(layers, self._chunks, outputs, resets)
        return outputs[-1], state, self._tape

    def run_backward(
        self, tape: Tape, d_output: Array, gradients: Mapping[str, Array]
    ) -> tuple[Array, Array]:
        """Go backward as `backward` does, but for the first layer's input weights. Return dL/da of
        the first layer (G, T, B, H), valid until the next forward pass, and dL/dstate. `d_output`
        is overwritten.
        """
        if tape is not self._tape:
            raise ValueError("this tape was used, or is older than the last forward pass")
        self._tape = None
        d_states = []
        for number in reversed(range(len(tape.layers))):
            layer, chunk = tape.layers[number], tape.chunks[number]
            of_layer = self.of_layer(gradients, number)
            d_states.append(layer.backward(chunk, d_output, tape.resets, of_layer))
            if number:
                x = tape.outputs[number - 1]
                layer.project_backward(_flat(x), _flat(chunk.gates), of_layer, out=_flat(d_output))
        return tape.chunks[0].gates, np.stack(d_states[::-1])


def read(
    layers: Sequence[Layer],
    chunks: Sequence[Chunk],
    project: Project,
    state: Array,
    resets: Resets | None = None,
) -> tuple[list[Array], Array]:
    """Go forward through all layers, each with a chunk's buffers; one chunk may serve them all.

    Return the outputs of each layer (T, B, H), of which the last is valid until the buffers are
    used again, and the next state (L, S, B, H).
    """
    outputs: list[Array] = []
    next_state = np.empty_like(state)
    for number, (layer, chunk) in enumerate(zip(layers, chunks, strict=True)):
        if number:
            layer.project(_flat(outputs[-1]), _flat(chunk.gates))
        else:
            project(chunk.gates)
        layer.forward(chunk, state[number], resets)
        next_state[number] = chunk.states[:, -1]
        outputs.append(layer.output(chunk))
    return outputs, next_state


def dropout_mask(shape: tuple[int, ...], rate: float, rng: Rng | None, dtype: Any) -> Array | None:
    """Return zeros at the given rate and 1 / (1 - rate) elsewhere, so that the mean is 1; None
    without an `rng`, or at rate 0.
    """
    if rng is None or rate == 0:
        return None
    kept = rng.random(shape, np.float32) >= rate
    return np.multiply(kept, 1 / (1 - rate), dtype=dtype)


def _flat(x: Array) -> Array:
    """Return (..., T, B, F) as (..., T*B, F), a view."""
    *others, T, B, F = x.shape
    return x.reshape(*others, T * B, F)
