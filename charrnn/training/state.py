"""Where a run stands: what it reports, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.checkpoints.records import HistoryEntry
from charrnn.inference.evaluate import Evaluation
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array
from charrnn.settings import check_fields, require_range


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

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("step", "seconds", "loss", "best_loss", "evaluated_at", "saved_at"):
            require_range(self, name, 0, 10**15)
        require_range(self, "learning_rate_scale", 0, 10**15)


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: what going on from there needs."""

    tensors: dict[str, Array]  # the weights, the best weights, the moments, the carried state
    counters: Counters
    history: list[HistoryEntry]


@dataclass(frozen=True)
class Summary:
    """A run in figures."""

    characters: int  # to train on
    valid_characters: int
    alphabet: int
    config: ModelConfig
    parameters: int
    batch_size: int
    seq_len: int
    chunks_per_epoch: int
    workers: int
    memory: int  # bytes that it takes at most, all processes together
    step: int
    epochs: float  # so far
    best_loss: float | None
    ended_by: str  # the limit that was reached
