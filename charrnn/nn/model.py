"""The language model: look-up, recurrent layers, head, and softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.cells import CELLS
from charrnn.nn.inputs import Embedded, Ids, Inputs, InputTable
from charrnn.nn.layer import Chunk, Layer, Resets
from charrnn.nn.loss import cross_entropy, cross_entropy_backward
from charrnn.nn.parameters import Array, Parameters
from charrnn.nn.recurrent import MAX_LAYERS, Recurrent, read, recurrent_shapes
from charrnn.rng import Rng
from charrnn.settings import check_fields, require_range, setting

MAX_SIZE = 2**16
# Weights from a file may be of any size: overflow gives infinities, and no warning.
QUIET = np.errstate(over="ignore", invalid="ignore")
DROPOUTS = ("dropout", "weight_dropout")  # these only affect training
HEAD_BLOCK = 1 << 22  # logits computed at a time, so that a large alphabet needs no huge array
READ_BLOCK = 1024  # characters read at a time where nothing is learned from them,
READ_STEPS = 64  # and steps: buffers have views of each, which take time to create


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. Raises ConfigError for values out of range."""

    cell: str = setting("gru", "Use this kind of recurrent cell.", CELLS)
    hidden_size: int = setting(512, "Set the number of units per recurrent layer.")
    num_layers: int = setting(1, f"Stack 1 to {MAX_LAYERS} recurrent layers.")
    embedding_size: int = setting(
        64, "Embed characters in this many dimensions; 0 selects one-hot input."
    )
    dropout: float = setting(0.3, "Drop this fraction of layer outputs during training.")
    weight_dropout: float = setting(0.0, "Drop this fraction of recurrent weights during training.")

    def __post_init__(self) -> None:
        check_fields(self)
        require_range(self, "hidden_size", 1, MAX_SIZE)
        require_range(self, "num_layers", 1, MAX_LAYERS)
        require_range(self, "embedding_size", 0, MAX_SIZE)
        for name in DROPOUTS:
            require_range(self, name, 0, 1, open_end=True)

    def describe(self) -> str:
        """Return the shape in a few words.

        >>> ModelConfig("lstm", 256, 2).describe()
        'lstm, 2 x 256'
        """
        return f"{self.cell}, {self.num_layers} x {self.hidden_size}"

    def shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of all parameters, as a torch twin's state_dict has them."""
        V, H, E = vocabulary_size, self.hidden_size, self.embedding_size
        recurrent = recurrent_shapes(self.cell, E or V, H, self.num_layers)
        return {
            **({"embedding.weight": (V, E)} if E else {}),
            **{f"rnn.{name}": shape for name, shape in recurrent.items()},
            "head.weight": (V, H),
            "head.bias": (V,),
        }


class CharRNN:
    """A character-level language model.

    Ids are (T, B), states (L, S, B, H): a state is passed in, and the next one returned.
    `parameters` are zero unless given (and then shared, not copied); every call reads them afresh.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        *,
        dtype: DTypeLike = np.float32,
        parameters: Parameters | None = None,
    ) -> None:
        self.config = config
        self.vocabulary_size = vocabulary_size
        if parameters is None:
            parameters = Parameters(config.shapes(vocabulary_size), dtype)
        self.parameters = parameters
        self.recurrent = Recurrent(
            config.cell,
            parameters,
            dropout=config.dropout,
            weight_dropout=config.weight_dropout,
            prefix="rnn.",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied or pickled, the layers must be views of the copy's parameters.
        return _with_parameters, (self.config, self.vocabulary_size, self.parameters)

    def __repr__(self) -> str:
        return f"<CharRNN {self.config.describe()}, {self.parameters.flat.size:,} parameters>"

    def zero_state(self, batch_size: int) -> Array:
        """Return the initial state (L, S, B, H): zeros."""
        return self.recurrent.zero_state(batch_size)

    def new_gradients(self) -> Parameters:
        """Return an array for each gradient, for `train` to write to."""
        return Parameters(self.parameters.shapes, self.parameters.flat.dtype)

    def logits(self, ids: Ids, state: Array) -> tuple[Array, Array]:
        """Return the logits (T, B, V) of the characters that follow `ids`, and the next state."""
        return Reader(self, ids.shape[1]).logits(ids, state)

    def losses(
        self, inputs: Ids, targets: Ids, state: Array, resets: Resets | None = None
    ) -> tuple[Array, NDArray[np.bool_], Array]:
        """Return each target's loss in nats (T, B), whether it was the likeliest guess (T, B),
        and the next state. Where `resets` (T, B) is true, the state is zero before that step.
        """
        return Reader(self, inputs.shape[1]).losses(inputs, targets, state, resets)

    def train(
        self,
        inputs: Ids,
        targets: Ids,
        state: Array,
        gradients: Parameters,
        *,
        resets: Resets | None = None,
        rng: Rng | None = None,
        count: int | None = None,
    ) -> tuple[float, Array, Array]:
        """Compute the loss in nats, and write its gradients to `gradients`; dropout happens if
        `rng` is given.

        The loss is the mean over the targets, or their sum divided by `count`. Return the loss, the
        next state, and dL/dstate. The final state's own gradient is taken as zero: that is the
        truncation in truncated backpropagation through time.
        """
        layers = self.recurrent.load(inputs.shape[1], rng)
        first = self.inputs(layers[0], inputs.size)
        output, next_state, tape = self.recurrent.run(
            layers, partial(first.forward, inputs), len(inputs), state, resets
        )
        loss, d_output = self._head_gradients(output, targets, gradients, count or targets.size)
        d_a, d_state = self.recurrent.run_backward(tape, d_output, gradients)
        d_embedding = first.backward(inputs, d_a, self.recurrent.of_layer(gradients, 0))
        if d_embedding is not None:
            gradients["embedding.weight"][...] = d_embedding
        return loss, next_state, d_state

    def _head_gradients(
        self, output: Array, targets: Ids, gradients: Parameters, count: int
    ) -> tuple[float, Array]:
        """Compute the loss and the head's gradients; return the loss and dL/doutput (T, B, H)."""
        W, b = self.parameters["head.weight"], self.parameters["head.bias"]
        d_W, d_b = gradients["head.weight"], gradients["head.bias"]
        d_W.fill(0)
        d_b.fill(0)
        h, y = output.reshape(-1, output.shape[-1]), targets.reshape(-1)
        d_h = np.empty_like(h)
        loss = 0.0
        for rows in blocks(len(y), max(1, HEAD_BLOCK // self.vocabulary_size)):
            logits = np.matmul(h[rows], W.T)
            logits += b
            losses, _ = cross_entropy(logits, y[rows])
            loss += float(losses.sum(dtype=np.float64))
            cross_entropy_backward(logits, y[rows], 1 / count)
            np.matmul(logits, W, out=d_h[rows])
            d_W += np.matmul(logits.T, h[rows])
            d_b += logits.sum(axis=0)
        return loss / count, d_h.reshape(output.shape)

    def inputs(self, first: Layer, characters: int) -> Inputs:
        """Return the first layer's input part, in the form that is less work for this number of
        characters.
        """
        if self.config.embedding_size and characters < self.vocabulary_size:
            return Embedded(first, self.parameters["embedding.weight"])
        return self.input_table(first)

    def input_table(self, first: Layer) -> InputTable:
        """Return the first layer's input part for the whole alphabet."""
        return InputTable(first, self.parameters.get("embedding.weight"))


def _with_parameters(config: ModelConfig, vocabulary_size: int, parameters: Parameters) -> CharRNN:
    return CharRNN(config, vocabulary_size, parameters=parameters)


def blocks(length: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that make up `length`."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


class Reader:
    """A model that reads chunk after chunk of batches of one size, and learns nothing.

    It reads the model's weights once, when it is created.
    """

    @QUIET
    def __init__(self, model: CharRNN, batch_size: int) -> None:
        self._model = model
        self._layers = model.recurrent.load(batch_size)
        self._table: InputTable | None = None
        rows = min(READ_BLOCK, HEAD_BLOCK // model.vocabulary_size)
        self._block = max(1, min(READ_STEPS, rows // batch_size))
        self._chunk = Chunk(self._layers[0], 0, batch_size)

    @QUIET
    def logits(self, ids: Ids, state: Array) -> tuple[Array, Array]:
        """Return what `CharRNN.logits` does."""
        logits = np.empty((*ids.shape, self._model.vocabulary_size), state.dtype)
        for steps, block, after in self._blocks(ids, state, None):
            logits[steps] = block.reshape(-1, *logits.shape[1:])
            next_state = after
        return logits, next_state

    @QUIET
    def losses(
        self, inputs: Ids, targets: Ids, state: Array, resets: Resets | None = None
    ) -> tuple[Array, NDArray[np.bool_], Array]:
        """Return what `CharRNN.losses` does."""
        losses, correct = np.empty(targets.shape, state.dtype), np.empty(targets.shape, np.bool_)
        for steps, logits, after in self._blocks(inputs, state, resets):
            block = cross_entropy(logits, targets[steps].reshape(-1))
            losses[steps], correct[steps] = (each.reshape(-1, targets.shape[1]) for each in block)
            next_state = after
        return losses, correct, next_state

    def _blocks(
        self, ids: Ids, state: Array, resets: Resets | None
    ) -> Iterator[tuple[slice, Array, Array]]:
        """Yield some steps at a time, their logits (N, V), and the state after them."""
        W, b = self._model.parameters["head.weight"], self._model.parameters["head.bias"]
        inputs = self._inputs(ids.size)
        for steps in blocks(len(ids), self._block):
            part = ids[steps]
            if self._chunk.shape != part.shape:
                self._chunk = Chunk(self._layers[0], *part.shape)
            outputs, state = read(
                self._layers,
                [self._chunk] * len(self._layers),
                partial(inputs.forward, part),
                state,
                None if resets is None else resets[steps],
            )
            logits = np.matmul(outputs[-1].reshape(part.size, -1), W.T)
            yield steps, np.add(logits, b, out=logits), state

    def _inputs(self, characters: int) -> Inputs:
        """Return the first layer's input part; a table, once there is one, serves for good."""
        if self._table is None:
            inputs = self._model.inputs(self._layers[0], characters)
            if not isinstance(inputs, InputTable):
                return inputs
            self._table = inputs
        return self._table


class Stepper:
    """A model that reads one step at a time, from `state` (L, S, B, H), for a sampler.

    It reads the model's weights once, when it is created.
    """

    @QUIET
    def __init__(self, model: CharRNN, state: Array) -> None:
        self._layers = model.recurrent.load(state.shape[2])
        self._table = model.input_table(self._layers[0])
        self._W, self._b = model.parameters["head.weight"].T, model.parameters["head.bias"]
        self._start(state.copy())

    def _start(self, state: Array) -> None:
        """Allocate buffers for the batch of `state`, which every step overwrites."""
        B, dtype = state.shape[2], state.dtype
        self._state = state
        self._logits = np.empty((B, len(self._b)), dtype)
        self._steps = []
        for layer, old in zip(self._layers, state, strict=True):
            G, split = layer.cell.gates, layer.cell.split
            a = np.empty((G, *old.shape[1:]), dtype)
            self._steps.append(layer.views(a, np.empty_like(a[:split]), a[split:].copy(), old, old))

    @QUIET
    def step(self, ids: Ids) -> Array:
        """Read `ids` (B,), and return the logits (B, V) of what follows, valid until the next
        step.
        """
        for number, (layer, step) in enumerate(zip(self._layers, self._steps, strict=True)):
            if number:
                layer.project(self._state[number - 1, 0], step.a)
            else:
                self._table.forward(ids, step.a)
            layer.advance(step)
        np.matmul(self._state[-1, 0], self._W, out=self._logits)
        return np.add(self._logits, self._b, out=self._logits)

    def keep(self, streams: Sequence[bool]) -> None:
        """Continue with these streams (B,) of the batch only."""
        state = self._state[:, :, streams]
        for layer in self._layers:
            layer.narrow(state.shape[2])
        self._start(state)
