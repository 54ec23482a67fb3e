"""Early stopping, and the verdict at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.checkpoints.records import HistoryEntry

MOST_EPOCHS = 60.0  # beyond these, more training does not help
OVERFITTED = 0.01  # nats per character by which the last evaluation exceeds the best
LEAST_PATIENCE = 5  # least evaluations since the best before early stopping


def is_getting_worse(history: Sequence[HistoryEntry], patience: int | None = None) -> bool:
    """Return whether the validation loss is rising: the best evaluation is at least `patience`
    evaluations back, and the last one is clearly worse. A plateau does not count, because the loss
    may fall again as the learning rate decreases. The default `patience` is a quarter of the
    evaluations, so long runs have more.
    """
    losses = [entry.valid for entry in history]
    patience = patience or max(LEAST_PATIENCE, len(losses) // 4)
    since = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    return since >= patience and bool(losses[-1] > min(losses) + OVERFITTED)


def in_epochs(epochs: float) -> str:
    """Return a number of epochs in words, with two digits or as a whole number.

    >>> in_epochs(0.0297), in_epochs(1.0), in_epochs(4.06), in_epochs(2178.7)
    ('0.03 epochs', '1 epoch', '4.1 epochs', '2,179 epochs')
    """
    number = f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"
    return f"{number} epoch{'' if number == '1' else 's'}"


def verdict(history: Sequence[HistoryEntry], epochs: float) -> str:
    """Return whether a run with this history is underfitting or overfitting, and what to do."""
    if len(history) < 2:
        return "too few evaluations to judge the fit; train longer"
    best, last = min(history, key=lambda entry: entry.valid), history[-1]
    if last.valid > best.valid + OVERFITTED:
        return (
            f"overfitting since step {best.step:,}; use more text, a higher `dropout` and "
            "`weight_dropout`, or a smaller `hidden_size`"
        )
    if epochs < MOST_EPOCHS / 2:
        return f"underfitting after {in_epochs(epochs)}; train longer, or use a larger model"
    return f"good fit after {in_epochs(epochs)}; more text would help more than longer training"
