"""How a run goes: whether it is getting worse while it lasts, and the verdict at its end."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.checkpoints.records import HistoryEntry

MOST_EPOCHS = 60.0  # from there on more minutes do not help
OVERFITTED = 0.01  # nats per character that the last evaluation is worse than the best
LEAST_PATIENCE = 5  # evaluations since the best that end a run which gets worse


def is_getting_worse(history: Sequence[HistoryEntry], patience: int | None = None) -> bool:
    """Return whether no evaluation since the best, of `patience` or more, was better, and the last
    is clearly worse: a run that stands still may yet get better as its learning rate falls.
    Without a `patience` it is a fourth of the evaluations, so that a long run gets more of it.
    """
    losses = [entry.valid for entry in history]
    patience = patience or max(LEAST_PATIENCE, len(losses) // 4)
    since = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    return since >= patience and bool(losses[-1] > min(losses) + OVERFITTED)


def times(epochs: float) -> str:
    """Return how often a text is read, to two figures or the whole number.

    >>> times(0.0297), times(1.0), times(4.06), times(2178.7)
    ('0.03 times', '1 time', '4.1 times', '2,179 times')
    """
    number = f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"
    return f"{number} time{'' if number == '1' else 's'}"


def verdict(history: Sequence[HistoryEntry], epochs: float) -> str:
    """Return in plain words how a run went, and what to try next.

    `history` are its evaluations; `epochs` is how often it has read its text.
    """
    if len(history) < 2:
        return "too short a run to tell how well it went: let it train longer"
    best, last = min(history, key=lambda entry: entry.valid), history[-1]
    read = f"it has read its text {times(epochs)}"
    if last.valid > best.valid + OVERFITTED:
        return (
            f"over-fitted: since step {best.step:,} it has been learning its text by heart; try "
            "more text, a higher `dropout` and `weight_dropout`, or fewer minutes"
        )
    if epochs < MOST_EPOCHS / 2:
        return f"under-trained: {read}; with more minutes it would get better"
    return f"right: {read}; now more text would help more than more minutes"
