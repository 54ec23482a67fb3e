"""One training step, done by one process or by several in step.

The batch falls into shards of equal width, whose gradients are added up in a fixed order, so that a
run's bits depend on the number of shards, and not on that of the processes among which they are
dealt out. All processes run the same code; arrays that all see are the exchange's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from charrnn.inference.evaluate import Evaluation, validate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.optim import OPTIMIZERS, PIECE, clip_by_norm, clip_by_value, squares
from charrnn.nn.parameters import Array, Parameters, count
from charrnn.rng import DROPOUT, generator
from charrnn.text.batches import Encoded, Streams
from charrnn.training.comm import Exchange, Layout, share_of
from charrnn.training.run import TrainConfig


@dataclass(frozen=True)
class Task:
    """All that a process must know of a run, but for the texts, which the exchange has."""

    config: ModelConfig
    vocabulary_size: int
    train: TrainConfig  # sizes as they fit the text, the number of shards decided

    def layout(self) -> Layout:
        """Return the arrays that all processes see."""
        config, train = self.config, self.train
        P = count(config.shapes(self.vocabulary_size))
        moments = OPTIMIZERS[train.optimizer].moments_per_weight
        width = train.batch_size // train.shards
        state = (config.num_layers, CELLS[config.cell].states, config.hidden_size, width)
        return {
            "parameters": ((P,), "f4"),
            "moments": ((moments, P), "f4"),
            "gradients": ((train.shards, P), "f4"),
            "state": ((train.shards, *state), "f4"),
            "losses": ((train.shards,), "f8"),
            "squares": ((-(-P // PIECE),), "f8"),  # sum of each piece's squared gradient
            "validation": ((train.shards, 3), "f8"),  # nats, accuracy, characters
            "stop": ((1,), "u1"),  # whether a validation is to end early
        }


class Learner:
    """One process's part of a run."""

    def __init__(self, task: Task, exchange: Exchange) -> None:
        self.task, self.exchange = task, exchange
        train, arrays = task.train, exchange.arrays
        shapes = task.config.shapes(task.vocabulary_size)
        self.parameters = Parameters(shapes, flat=arrays["parameters"])
        self.moments, self.state = arrays["moments"], arrays["state"]
        self.network = CharRNN(task.config, task.vocabulary_size, parameters=self.parameters)
        assert self.network.gradients is not None
        self._gradient = self.network.gradients.flat
        self.judge = CharRNN(
            task.config, task.vocabulary_size, parameters=self.parameters, training=False
        )
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

    def step(self, step: int, rate: float, mean: float) -> tuple[float, float, bool]:
        """Learn from chunk number `step`, with the `mean` loss so far.

        Return the new running mean, the gradient's norm before clipping, and whether all is well:
        if not, nothing has been changed.
        """
        train, arrays = self.task.train, self.exchange.arrays
        with np.errstate(all="ignore"):  # what is not finite is seen to below
            states = self._gradients(step)
            mine = self._mine
            g = self.exchange.all_reduce(arrays["gradients"], mine)
            arrays["squares"][mine.start // PIECE : -(-mine.stop // PIECE)] = squares(g)
            self.exchange.barrier()

            loss = float(arrays["losses"].sum())
            norm = math.sqrt(float(arrays["squares"].sum()))
            mean = mean + 0.02 * (loss - mean) if step else loss
            well = math.isfinite(norm) and self.sane(mean)
            if well:
                clip_by_norm(g, norm, train.clip_norm)
                clip_by_value(g, train.clip_value)
                self.optimizer.steps = step
                self.optimizer.step(self.parameters.flat[mine], g, rate)
                for shard, state in states.items():
                    self.state[shard] = state
            self.exchange.barrier()
        return mean, norm, well

    def sane(self, loss: float) -> bool:
        """Return whether a loss is finite and within twice that of knowing nothing, ln V."""
        return math.isfinite(loss) and loss <= 2 * math.log(max(2, self.task.vocabulary_size))

    def _gradients(self, step: int) -> dict[int, Array]:
        """Leave the gradients of this process's shards with the exchange; return their states."""
        train, arrays = self.task.train, self.exchange.arrays
        chunk = self.streams.chunk(step)
        width = train.batch_size // train.shards
        states = {}
        for shard in self._shards:
            part = chunk.columns(shard * width, (shard + 1) * width)
            rng = None
            if self.task.config.dropout or self.task.config.weight_dropout:
                rng = generator(train.seed, DROPOUT, step * train.shards + shard)
            loss, states[shard], _ = self.network.train(
                part.inputs, part.targets, self.state[shard], part.resets, rng, chunk.inputs.size
            )
            arrays["losses"][shard] = loss
            arrays["gradients"][shard] = self._gradient
        return states

    def validate(self) -> Evaluation:
        """Score the held-out text, each shard a part of its streams."""
        assert self.valid is not None
        rows, stop = self.exchange.arrays["validation"], self.exchange.arrays["stop"]
        shards = self.task.train.shards
        with np.errstate(all="ignore"):
            for shard in self._shards:
                part = validate(self.judge, self.valid, lambda: bool(stop[0]), shard, shards)
                rows[shard] = part.nats_per_char, part.accuracy, part.characters
        self.exchange.barrier()
        characters = rows[:, 2]
        nats, accuracy = (rows[:, :2] * characters[:, None]).sum(axis=0) / max(1, characters.sum())
        return Evaluation(float(nats), float(accuracy), int(characters.sum()))


def serve(exchange: Exchange, task: Task) -> None:
    """Be one of a run's other processes: do each step along with process 0, until it is gone."""
    learner = Learner(task, exchange)
    while True:
        name, *arguments = exchange.broadcast()
        getattr(learner, name)(*arguments)
