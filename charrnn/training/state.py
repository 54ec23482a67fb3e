"""The state of a run: what it reports and what it saves."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.checkpoints.records import HistoryEntry
from charrnn.inference.evaluate import Evaluation
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array
from charrnn.settings import check_fields, require_range


@dataclass(frozen=True)
class Report:
    """A training step, or an evaluation if `evaluation` is not None."""

    step: int
    epoch: float
    progress: float  # 0 to 1, towards the nearest limit
    loss: float  # nats per character, running mean over about 50 steps
    learning_rate: float
    gradient_norm: float  # before clipping; shows vanishing or exploding gradients
    characters: int  # trained on so far
    seconds: float  # of training so far, including before a resume
    evaluation: Evaluation | None = None
    best: bool = False  # this evaluation is the best so far
    notice: str | None = None  # a message for the user

    def outlook(self, since: Report) -> tuple[float, float]:
        """Return the expected epochs and minutes of the whole run, at the speed since an earlier
        report.
        """
        times = (1 - self.progress) / (self.progress - since.progress)
        epochs = self.epoch + times * (self.epoch - since.epoch)
        seconds = self.seconds + times * (self.seconds - since.seconds)
        return epochs, seconds / 60


@dataclass
class Counters:
    """A run's progress: the numbers in a resume file."""

    step: int = 0
    seconds: float = 0.0
    loss: float = 0.0  # running mean
    best_loss: float | None = None
    evaluated_at: int = 0  # step
    saved_at: int = 0  # step of the last scheduled save
    learning_rate_scale: float = 1.0  # 0.1 after a divergence
    model_digest: str = ""  # digest of the model file saved with this state
    ended_by: str = ""  # name of the limit that was reached

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("step", "seconds", "loss", "best_loss", "evaluated_at", "saved_at"):
            require_range(self, name, 0, 10**15)
        require_range(self, "learning_rate_scale", 0, 10**15)


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one step: what resuming from there needs."""

    tensors: dict[str, Array]  # weights, best weights, moments, carried state
    counters: Counters
    history: list[HistoryEntry]


@dataclass(frozen=True)
class Summary:
    """The key figures of a run."""

    characters: int  # in the training part
    valid_characters: int
    alphabet: int
    config: ModelConfig
    parameters: int
    batch_size: int
    seq_len: int
    chunks_per_epoch: int
    workers: int
    memory: int  # estimated peak in bytes, all processes together
    step: int
    epochs: float  # so far
    best_loss: float | None
    ended_by: str  # name of the limit that was reached
