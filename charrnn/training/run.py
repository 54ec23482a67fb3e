"""What a run is: its settings, its limits, and what it reports and keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from charrnn.errors import require
from charrnn.inference.evaluate import Evaluation
from charrnn.nn.init import INITS
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES
from charrnn.nn.parameters import Array
from charrnn.rng import MAX_SEED
from charrnn.settings import check_fields, require_range, setting
from charrnn.text.documents import DOCUMENTS
from charrnn.training.comm import MAX_WORKERS

DEFAULT_MINUTES = 10.0
MAX_CHUNK = 2**20


@dataclass(frozen=True)
class TrainConfig:
    """How a model learns. Together with corpus and model it is a run's identity: none of it may
    change when the run is resumed. Raises ConfigError for values out of range.
    """

    init: str = setting("orthogonal", "Scheme of the first weights.", INITS)
    seq_len: int = setting(64, "Time steps in a chunk: how far gradients go back.")
    batch_size: int = setting(32, "Streams that are read side by side.")
    optimizer: str = setting("adam", "Update rule.", OPTIMIZERS)
    learning_rate: float = setting(3e-3, "Learning rate at its highest.")
    momentum: float = setting(0.9, "Momentum of sgd.")
    schedule: str = setting("cosine", "Course of the learning rate over the run.", SCHEDULES)
    warmup_steps: int = setting(20, "Steps in which the learning rate rises to its highest.")
    weight_decay: float = setting(0.0, "Weight decay.")
    clip_norm: float = setting(1.0, "Limit of the gradient's norm; 0 for none.")
    clip_value: float = setting(0.0, "Limit of each number of the gradient; 0 for none.")
    shards: int = setting(0, "Parts of a batch whose gradients are added; 0: one a worker.")
    seed: int = setting(0, "Seed of all random numbers of the run.")
    documents: str = setting(
        "whole",
        "What stands alone, the state starting fresh: each file, line, paragraph, or tune.",
        DOCUMENTS,
    )
    valid_fraction: float = setting(0.1, "Share held out for validation, the end of every file.")

    def __post_init__(self) -> None:
        check_fields(self)
        require_range(self, "seq_len", 1, MAX_CHUNK)
        require_range(self, "batch_size", 1, MAX_CHUNK)
        require_range(self, "shards", 0, MAX_WORKERS)
        require_range(self, "learning_rate", 0)
        require(self.learning_rate > 0, "learning_rate is 0: nothing would be learnt")
        require_range(self, "momentum", 0, 1, open_end=True)
        require_range(self, "warmup_steps", 0)
        require_range(self, "weight_decay", 0)
        require_range(self, "clip_norm", 0)
        require_range(self, "clip_value", 0)
        require_range(self, "seed", 0, MAX_SEED)
        require_range(self, "valid_fraction", 0, 1, open_end=True)


@dataclass(frozen=True)
class Limits:
    """When a run ends, evaluates and saves; all of it may change when the run is resumed.

    The first limit that is reached ends the run, and the schedule runs over it. Raises ConfigError
    for values out of range.
    """

    epochs: float | None = setting(None, "Passes over the training text.")
    max_steps: int | None = setting(None, "Training steps.")
    minutes: float | None = setting(None, "Minutes of training; 10 if no limit is given.")
    eval_every: int | None = setting(None, "Steps between evaluations; by default, by size.")
    save_every: int | None = setting(None, "Steps between saves; by default, at evaluations.")
    patience: int | None = setting(
        None, "Evaluations since the best that end a run which gets worse; by default, by length."
    )

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("epochs", "minutes"):
            value = getattr(self, name)
            require(value is None or not value <= 0, f"{name} is {value}: it must be above 0")
            require_range(self, name, 0)
        for name in ("max_steps", "eval_every", "save_every", "patience"):
            require_range(self, name, 1)

    def updated(self, other: Limits) -> Limits:
        """Return these limits with all that `other` states put in their place."""
        return replace(self, **{k: v for k, v in asdict(other).items() if v is not None})


@dataclass(frozen=True)
class Report:
    """What happened at a step; `evaluation` is there where the model was validated."""

    step: int
    epoch: float
    progress: float  # 0 to 1, by the limit that is nearest
    loss: float  # nats per character, running mean over about 50 steps
    learning_rate: float
    gradient_norm: float  # before clipping: it shows gradients that vanish or explode
    characters: int  # read so far
    seconds: float  # trained so far, before a resume included
    evaluation: Evaluation | None = None
    best: bool = False  # this evaluation is the best so far
    notice: str | None = None  # something a person should be told


@dataclass
class Counters:
    """A run's progress: all numbers that a resume file holds besides its arrays."""

    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0  # running mean
    best_loss: float | None = None
    evaluated_at: int = 0  # step
    saved_at: int = 0  # step of the last save that was due, be the run stopped later or not
    learning_rate_scale: float = 1.0  # a tenth after a divergence
    model_digest: str = ""  # the model file that belongs to this state
    ended_by: str = ""  # the limit that was reached


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: what going on from there needs."""

    tensors: dict[str, Array]  # the weights, the best weights, the moments, the carried state
    counters: Counters
    history: list[dict[str, Any]]
