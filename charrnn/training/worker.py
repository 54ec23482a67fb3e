"""One training step, by one process or by several in lockstep.

The batch is divided into shards of equal width, whose gradients are summed in a fixed order. So a
run's bits depend on the number of shards, not on the number of processes that share them. All
processes run the same code; the shared arrays belong to the exchange.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.checkpoints.records import TrainConfig
from charrnn.inference.evaluate import Evaluation, validate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.optim import OPTIMIZERS, PIECE, clip_by_norm, clip_by_value, squares
from charrnn.nn.parameters import Array, Parameters, count
from charrnn.rng import DROPOUT, generator
from charrnn.text.batches import Encoded, Streams
from charrnn.training.comm import Exchange, Layout, Member, share_of


@dataclass(frozen=True)
class Task:
    """What each process needs to know of a run; the texts are in the exchange."""

    config: ModelConfig
    vocabulary_size: int
    train: TrainConfig  # batch sizes fitted to the corpus, number of shards resolved

    def layout(self) -> Layout:
        """Return the layout of the shared arrays."""
        config, train = self.config, self.train
        P = count(config.shapes(self.vocabulary_size))
        moments = OPTIMIZERS[train.optimizer].moments_per_weight
        width = train.batch_size // train.shards
        state = (config.num_layers, CELLS[config.cell].states, width, config.hidden_size)
        return {
            "parameters": ((P,), "f4"),
            "moments": ((moments, P), "f4"),
            "gradients": ((train.shards, P), "f4"),
            "state": ((train.shards, *state), "f4"),
            "losses": ((train.shards,), "f8"),
            "squares": ((-(-P // PIECE),), "f8"),  # sum of each piece's squared gradient
            "validation": ((train.shards, 3), "f8"),  # nats, accuracy, characters
        }

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the arrays of a snapshot, which do not depend on
        the number of shards: the carried state is (L, S, B, H).
        """
        layout, config = self.layout(), self.config
        states = CELLS[config.cell].states
        return {
            "parameters": layout["parameters"][0],
            "best": layout["parameters"][0],
            "moments": layout["moments"][0],
            "state": (config.num_layers, states, self.train.batch_size, config.hidden_size),
        }


# The commands of process 0 to all processes, including itself.


@dataclass(frozen=True)
class Step:
    """Train on chunk `number`; `mean_loss` is the running mean so far."""

    number: int
    learning_rate: float
    mean_loss: float


@dataclass(frozen=True)
class Validate:
    """Evaluate on the held-out part; ends early if a stop is requested."""


class Stepped(NamedTuple):
    """The result of a step; if it is not `sane`, the step changed nothing."""

    mean_loss: float
    gradient_norm: float  # before clipping
    sane: bool


class Learner:
    """One process's share of a run."""

    def __init__(self, task: Task, exchange: Exchange) -> None:
        self.task, self.exchange = task, exchange
        train, arrays = task.train, exchange.arrays
        shapes = task.config.shapes(task.vocabulary_size)
        self.parameters = Parameters(shapes, flat=arrays["parameters"])
        self.moments, self.state = arrays["moments"], arrays["state"]
        self.network = CharRNN(task.config, task.vocabulary_size, parameters=self.parameters)
        self._mine = share_of(len(self.parameters.flat), PIECE, exchange.rank, exchange.size)
        self.text = Encoded(arrays["text"], arrays["text_ends"])
        self.valid = Encoded(arrays["valid"], arrays["valid_ends"]) if "valid" in arrays else None
        self.streams = Streams(self.text, train.batch_size, train.seq_len, train.seed)
        self.optimizer = OPTIMIZERS[train.optimizer](
            self._mine.stop - self._mine.start,
            weight_decay=train.weight_decay,
            momentum=train.momentum,
            moments=self.moments[:, self._mine],
        )
        self._shards = range(exchange.rank, train.shards, exchange.size)
        self._gradients_of = {
            shard: Parameters(shapes, flat=arrays["gradients"][shard]) for shard in self._shards
        }

    def carried_state(self) -> Array:
        """Return a copy of the state (L, S, B, H) that is carried from chunk to chunk."""
        shards, L, S, width, H = self.state.shape
        by_stream: Array = self.state.transpose(1, 2, 0, 3, 4).reshape(L, S, shards * width, H)
        return by_stream.copy()

    def carry(self, state: Array) -> None:
        """Replace the carried state with `state` (L, S, B, H)."""
        shards, L, S, width, H = self.state.shape
        self.state[...] = state.reshape(L, S, shards, width, H).transpose(2, 0, 1, 3, 4)

    def step(self, command: Step) -> Stepped:
        """Do this process's share of a training step."""
        train, arrays, step = self.task.train, self.exchange.arrays, command.number
        with np.errstate(all="ignore"):  # values that are not finite are handled below
            states = self._gradients(step)
            mine = self._mine
            g = self.exchange.all_reduce(arrays["gradients"], mine)
            arrays["squares"][mine.start // PIECE : -(-mine.stop // PIECE)] = squares(g)
            self.exchange.barrier()

            loss = float(arrays["losses"].sum())
            norm = math.sqrt(float(arrays["squares"].sum()))
            mean = command.mean_loss
            mean = mean + 0.02 * (loss - mean) if step else loss
            sane = math.isfinite(norm) and self.sane(mean)
            if sane:
                clip_by_norm(g, norm, train.clip_norm)
                clip_by_value(g, train.clip_value)
                self.optimizer.steps = step
                self.optimizer.step(self.parameters.flat[mine], g, command.learning_rate)
                for shard, state in states.items():
                    self.state[shard] = state
            self.exchange.barrier()
        return Stepped(mean, norm, sane)

    def sane(self, loss: float) -> bool:
        """Return whether a loss is finite and at most twice that of a uniform prediction, ln V."""
        return math.isfinite(loss) and loss <= 2 * math.log(max(2, self.task.vocabulary_size))

    def _gradients(self, step: int) -> dict[int, Array]:
        """Store the gradients of this process's shards in the exchange; return their states."""
        train, arrays = self.task.train, self.exchange.arrays
        chunk = self.streams.chunk(step)
        width = train.batch_size // train.shards
        states = {}
        for shard in self._shards:
            part = chunk.columns(shard * width, (shard + 1) * width)
            rng = None
            if self.task.config.dropout or self.task.config.weight_dropout:
                rng = generator(train.seed, DROPOUT, step * train.shards + shard)
            arrays["losses"][shard], states[shard], _ = self.network.train(
                part.inputs,
                part.targets,
                self.state[shard],
                self._gradients_of[shard],
                resets=part.resets,
                rng=rng,
                count=chunk.inputs.size,
            )
        return states

    def validate(self) -> Evaluation:
        """Do this process's share of an evaluation; each shard handles some of the streams."""
        assert self.valid is not None
        rows, stopped = self.exchange.arrays["validation"], self.exchange.stop_requested
        shards = self.task.train.shards
        with np.errstate(all="ignore"):
            for shard in self._shards:
                part = validate(self.network, self.valid, stopped, shard, shards)
                rows[shard] = part.nats_per_char, part.accuracy, part.characters
        self.exchange.barrier()
        characters = rows[:, 2]
        nats, accuracy = (rows[:, :2] * characters[:, None]).sum(axis=0) / max(1, characters.sum())
        return Evaluation(float(nats), float(accuracy), int(characters.sum()))


def serve(exchange: Member, task: Task) -> None:
    """Run a worker process: follow the commands of process 0 until it ends."""
    learner = Learner(task, exchange)
    while True:
        match exchange.receive():
            case Step() as command:
                learner.step(command)
            case Validate():
                learner.validate()
