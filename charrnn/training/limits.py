"""When a run ends, evaluates and saves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from charrnn.checkpoints.records import HistoryEntry
from charrnn.inference.evaluate import validated_characters
from charrnn.settings import check_fields, require_range, setting
from charrnn.training.diagnosis import is_getting_worse
from charrnn.training.prepare import Data
from charrnn.training.state import Counters

DEFAULT_MINUTES = 10.0
# A run that is ended by its minutes evaluates at least this often, as long as that takes no more
# than this fraction of them.
EVALUATIONS = 15
MOST_EVALUATING = 0.1
LEAST_STEPS = 10  # between two of them


@dataclass(frozen=True)
class Limits:
    """When a run ends, evaluates and saves; these settings may change on resume.

    The first limit that is reached ends the run, and the learning-rate schedule follows it. Raises
    ConfigError for values out of range.
    """

    epochs: float | None = setting(None, "Stop after this many passes over the training text.")
    max_steps: int | None = setting(None, "Stop after this many training steps.")
    minutes: float | None = setting(
        None, "Stop after this many minutes; by default, 10 if no other limit is given."
    )
    eval_every: int | None = setting(
        None,
        "Evaluate every N steps; by default, so that evaluation takes about 5% of the time, and "
        "at least about 15 times under a time limit.",
    )
    save_every: int | None = setting(None, "Save every N steps; by default, at each evaluation.")
    patience: int | None = setting(
        None,
        "Stop early if the validation loss is rising and has not improved for N evaluations; by "
        "default, a quarter of the evaluations so far, but at least 5.",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("epochs", "minutes"):
            require_range(self, name, 0, open_start=True)
        for name in ("max_steps", "eval_every", "save_every", "patience"):
            require_range(self, name, 1)

    def updated(self, other: Limits) -> Limits:
        """Return these limits, replaced by those that `other` states."""
        return replace(self, **{k: v for k, v in asdict(other).items() if v is not None})

    def shares(
        self, counters: Counters, data: Data, closing: float | None = None
    ) -> dict[str, float]:
        """Return the fraction of each limit that is used up.

        `closing` is the expected duration of the last evaluation in seconds, which is included in
        the minutes; None if no evaluation has been timed yet.
        """
        shares = {}
        if self.max_steps is not None:
            shares["max_steps"] = counters.step / self.max_steps
        if self.epochs is not None:
            shares["epochs"] = counters.step / math.ceil(self.epochs * data.chunks_per_epoch)
        minutes = self.minutes
        if not shares and minutes is None:
            minutes = DEFAULT_MINUTES
        if minutes is not None:
            training = 60 * minutes - (_closing(counters, data) if closing is None else closing)
            shares["minutes"] = counters.seconds / training if training > 0 else 1.0
        return shares

    def is_due(
        self, last: int, every: int, counters: Counters, data: Data, closing: float | None = None
    ) -> bool:
        """Return whether to evaluate or save again after the step `last` (0: for the first time):
        after `every` steps and, in a run that its minutes will end, also by time.

        The fraction of the steps since `last` stands for the fraction of the time.
        """
        shares = self.shares(counters, data, closing)
        if self.eval_every is not None or max(shares, key=shares.__getitem__) != "minutes":
            return counters.step % every == 0
        if counters.step - last >= every:
            return True
        if counters.step - last < LEAST_STEPS:  # the first one also waits for the workers to start
            return False
        pause = 1 / EVALUATIONS
        if last:  # the first evaluation comes early, whatever it costs
            seconds = 60 * (self.minutes or DEFAULT_MINUTES)
            evaluating = _closing(counters, data) if closing is None else closing
            pause = max(pause, evaluating / seconds / MOST_EVALUATING)
        return shares["minutes"] * (1 - last / max(1, counters.step)) >= pause

    def ended_by(
        self,
        counters: Counters,
        data: Data,
        history: Sequence[HistoryEntry],
        closing: float | None = None,
    ) -> str:
        """Return the name of the limit that has been reached, or ""."""
        if is_getting_worse(history, self.patience):
            return "patience"
        shares = self.shares(counters, data, closing)
        return next((name for name, share in shares.items() if share >= 1), "")


def _closing(counters: Counters, data: Data) -> float:
    """Return the estimated duration of an evaluation in seconds: a forward pass takes about a third
    of a training step.
    """
    if data.valid is None or counters.step == 0:
        return 0.0
    a_character = counters.seconds / (counters.step * data.chunk_size)
    return validated_characters(data.valid) * a_character / 3
