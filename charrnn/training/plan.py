"""A run before its first step: its settings and data, and its initial state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.checkpoints.output import Output
from charrnn.checkpoints.records import Selection, TrainConfig
from charrnn.nn.init import initialise
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array, Parameters
from charrnn.training.autoconfig import Choice
from charrnn.training.cores import share_out
from charrnn.training.limits import Limits
from charrnn.training.prepare import Data
from charrnn.training.state import Counters, Snapshot
from charrnn.training.worker import Task


@dataclass(frozen=True)
class Plan:
    """A run before its first step; `train` holds the settings as stated."""

    config: ModelConfig
    train: TrainConfig
    limits: Limits
    data: Data
    selection: Selection | None
    output: Output | None
    choice: Choice | None = None  # how a new run's settings were selected
    workers: int = 1
    notices: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """What each of the run's processes needs to know."""
        return Task(self.config, len(self.data.tokenizer), self.data.config)

    def shared_out(self, workers: int | str) -> Plan:
        """Return the plan with the number of workers and shards resolved; raises ConfigError for
        numbers that do not divide the batch.
        """
        config = self.data.config
        workers, shards = share_out(workers, config.shards, config.batch_size)
        data = replace(self.data, config=replace(config, shards=shards))
        return replace(self, workers=workers, data=data)


def beginning(task: Task, init_from: Checkpoint | None) -> Snapshot:
    """Return the initial state of a new run: new weights or those of a model, and zeros."""
    tensors: dict[str, Array] = {
        name: np.zeros(shape, np.float32) for name, shape in task.tensors().items()
    }
    shapes = task.config.shapes(task.vocabulary_size)
    parameters = Parameters(shapes, flat=tensors["parameters"])
    initialise(parameters, task.config, task.train.init, task.train.seed)
    if init_from is not None:
        for name, values in init_from.parameters.items():
            parameters[name][tuple(map(slice, values.shape))] = values
    tensors["best"][...] = tensors["parameters"]
    return Snapshot(tensors, Counters(), [])


def reconsidered(last: Snapshot, plan: Plan) -> Snapshot:
    """Return the state of a run whose limits have changed: it may now be complete, or no longer."""
    counters = last.counters
    evaluation_due = plan.data.valid is not None and 0 < counters.step != counters.evaluated_at
    ended_by = "" if evaluation_due else plan.limits.ended_by(counters, plan.data, last.history)
    return replace(last, counters=replace(counters, ended_by=ended_by))


def check_space(plan: Plan) -> None:
    """Raise CheckpointError unless the disk has room for the files that `save` writes."""
    if plan.output is not None:
        sizes = {name: 4 * math.prod(shape) for name, shape in plan.task.tensors().items()}
        plan.output.check_space(sizes["best"], 2 * sum(sizes.values()))
