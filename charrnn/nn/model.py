"""The language model: look-up, recurrent layers, head, and softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.cells import CELLS
from charrnn.nn.embedding import sum_by_id
from charrnn.nn.loss import cross_entropy, cross_entropy_backward
from charrnn.nn.parameters import Array, Parameters
from charrnn.nn.recurrent import (
    MAX_LAYERS,
    Recurrent,
    Resets,
    join_bias,
    product_over_time,
    recurrent_shapes,
    split_bias,
    with_ones,
)
from charrnn.rng import Rng
from charrnn.settings import check_fields, require_range, setting

Ids = NDArray[np.integer[Any]]

MAX_SIZE = 2**16
# Weights from a file may be of any size: what overflows is no number, and no warning.
QUIET = np.errstate(over="ignore", invalid="ignore")
DROPOUTS = ("dropout", "weight_dropout")  # what matters to training alone
HEAD_BLOCK = 1 << 22  # logits computed at a time, so that a large alphabet needs no huge array


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

    Ids are (T, B), states (L, S, H, B): a state is passed in, and the next one returned.
    `parameters` are zero unless given (and then shared, not copied). With `training=False` there
    are no `gradients`, and no buffers for them.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        dtype: DTypeLike = np.float32,
        parameters: Parameters | None = None,
        training: bool = True,
    ) -> None:
        shapes = config.shapes(vocabulary_size)
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.parameters = Parameters(shapes, dtype) if parameters is None else parameters
        self.gradients = Parameters(shapes, dtype) if training else None
        self.recurrent = Recurrent(
            config.cell,
            self.parameters,
            self.gradients,
            config.dropout,
            config.weight_dropout,
            prefix="rnn.",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied or pickled, the layers must be views of the copy's parameters.
        training = self.gradients is not None
        dtype = self.parameters.flat.dtype
        return CharRNN, (self.config, self.vocabulary_size, dtype, self.parameters, training)

    def __repr__(self) -> str:
        return f"<CharRNN {self.config.describe()}, {self.parameters.flat.size:,} parameters>"

    def zero_state(self, batch_size: int) -> Array:
        """Return the state (L, S, H, B) that knows nothing."""
        return self.recurrent.zero_state(batch_size)

    @QUIET
    def logits(self, ids: Ids, state: Array) -> tuple[Array, Array]:
        """Return the logits (T, V, B) of the characters that follow `ids`, and the next state."""
        output, state = self._recur(ids, state, None, None)
        return np.matmul(self.joined_head(ids.shape[1]), output), state

    @QUIET
    def losses(
        self, inputs: Ids, targets: Ids, state: Array, resets: Resets | None = None
    ) -> tuple[Array, NDArray[np.bool_], Array]:
        """Return each target's loss in nats (T, B), whether it was the likeliest guess (T, B),
        and the next state. Where `resets` (T, B) is true, the state is zero before that step.
        """
        output, state = self._recur(inputs, state, resets, None)
        head = self.joined_head(targets.shape[1])
        losses = np.empty(targets.shape, output.dtype)
        correct = np.empty(targets.shape, np.bool_)
        for block in self._head_blocks(*targets.shape):
            logits = np.matmul(head, output[block])
            losses[block], correct[block] = cross_entropy(logits, targets[block])
        return losses, correct, state

    def train(
        self,
        inputs: Ids,
        targets: Ids,
        state: Array,
        resets: Resets | None = None,
        rng: Rng | None = None,
        count: int | None = None,
    ) -> tuple[float, Array, Array]:
        """Compute the loss in nats and its gradients; dropout happens if `rng` is given.

        The loss is the mean over the targets, or their sum divided by `count`. Return the loss, the
        next state, and dL/dstate. The final state's own gradient is taken as zero: that is the
        truncation in truncated backpropagation through time.
        """
        assert self.gradients is not None, "this model was made with training=False"
        output, next_state = self._recur(inputs, state, resets, rng)
        head = self.joined_head(targets.shape[1])
        count = count or targets.size
        loss = 0.0
        d_head = np.zeros_like(head)
        d_output = np.empty((output.shape[0], output.shape[1] - 1, output.shape[2]), head.dtype)
        for block in self._head_blocks(*targets.shape):
            logits = np.matmul(head, output[block])
            losses, _ = cross_entropy(logits, targets[block])
            loss += float(losses.sum(dtype=np.float64))
            cross_entropy_backward(logits, targets[block], 1 / count)
            np.matmul(head[:, 1:].T, logits, out=d_output[block])
            d_head += product_over_time(
                np.ascontiguousarray(logits.transpose(1, 0, 2)),
                np.ascontiguousarray(output[block].transpose(1, 0, 2)),
            )
        split_bias(d_head, self.gradients["head.bias"], self.gradients["head.weight"])
        d_state = self.recurrent.run_backward(d_output)
        self._input_backward(inputs)
        return loss / count, next_state, d_state

    def _recur(
        self, ids: Ids, state: Array, resets: Resets | None, rng: Rng | None
    ) -> tuple[Array, Array]:
        self.recurrent.prepare(*ids.shape)
        first = self.recurrent.layers[0]
        if self._uses_table(ids):
            first.look_up(self.input_table(), ids)
        else:
            embedded = self.parameters["embedding.weight"][ids]  # (T, B, E)
            first.read(with_ones(embedded.transpose(0, 2, 1)))
        return self.recurrent.run(state, resets, rng)

    def _uses_table(self, ids: Ids) -> bool:
        """Whether one product for each character of the alphabet is less than one for each id."""
        return self.config.embedding_size == 0 or self.vocabulary_size <= ids.size

    def input_table(self) -> Array:
        """Return the first layer's input part for every character, (G*H, V): W_ih x + b_ih."""
        W, b = self.parameters["rnn.weight_ih_l0"], self.parameters["rnn.bias_ih_l0"]
        if self.config.embedding_size:
            W = W @ self.parameters["embedding.weight"].T
        return W + b[:, None]

    def _input_backward(self, ids: Ids) -> None:
        assert self.gradients is not None
        first, g, flat_ids = self.recurrent.layers[0], self.gradients, ids.reshape(-1)
        if not self._uses_table(ids):
            d_x = first.project_backward().transpose(1, 0, 2)  # (E, T, B)
            sum_by_id(d_x.reshape(len(d_x), -1), flat_ids, out=g["embedding.weight"].T)
            return
        d_a = first.d_inside  # (G*H, T, B)
        d_table = np.empty((len(d_a), self.vocabulary_size), d_a.dtype)
        sum_by_id(d_a.reshape(len(d_a), -1), flat_ids, out=d_table)
        d_table.sum(axis=1, out=g["rnn.bias_ih_l0"])
        if self.config.embedding_size:
            W, embedding = self.parameters["rnn.weight_ih_l0"], self.parameters["embedding.weight"]
            np.matmul(d_table, embedding, out=g["rnn.weight_ih_l0"])
            np.matmul(d_table.T, W, out=g["embedding.weight"])
        else:
            g["rnn.weight_ih_l0"][...] = d_table

    def joined_head(self, columns: int) -> Array:
        """Return the head's [b | W], (V, 1+H), for products with that many columns."""
        return join_bias(self.parameters["head.bias"], self.parameters["head.weight"], columns)

    def _head_blocks(self, T: int, B: int) -> Iterator[slice]:
        steps = max(1, HEAD_BLOCK // (self.vocabulary_size * B))
        return (slice(t, min(t + steps, T)) for t in range(0, T, steps))


class Stepper:
    """A model that goes one step at a time, from `state` (L, S, H, B), for a sampler.

    The weights are taken up once, when it is made.
    """

    @QUIET
    def __init__(self, model: CharRNN, state: Array) -> None:
        self._recurrent = Recurrent(model.config.cell, model.parameters, prefix="rnn.")
        self._recurrent.prepare(1, state.shape[-1])
        self._recurrent.set_state(state)
        self._table = model.input_table()
        self._head = model.joined_head(state.shape[-1])
        self._logits = np.empty((model.vocabulary_size, state.shape[-1]), state.dtype)

    @QUIET
    def step(self, ids: Ids) -> Array:
        """Read `ids` (B,), and return the logits (V, B) of what follows, valid until the next
        step.
        """
        np.matmul(self._head, self._recurrent.advance(self._table, ids), out=self._logits)
        return self._logits

    def keep(self, columns: Sequence[bool]) -> None:
        """Go on with these columns (B,) of the batch alone."""
        self._recurrent.keep(columns)
        self._logits = np.ascontiguousarray(self._logits[:, columns])
