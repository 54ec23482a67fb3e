"""What a run is made of where a person says nothing: by the text, the cores and the minutes.

The tables are the rules; `docs/choices.md` tells how they were found. Work is counted in
core-minutes, so that two cores choose for five minutes as one does for ten. A text that is short
for the minutes is read MOST_EPOCHS times, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from charrnn.model import DROPOUTS, ModelConfig
from charrnn.parameters import count
from charrnn.run import DEFAULT_MINUTES, Limits, TrainConfig

# Core-minutes, from which on: units, learning rate. In few minutes a small network sees more text
# than a large one, and learns more; in many it would only see the same text again.
SIZES = (
    (0.0, 128, 8e-3),
    (0.5, 256, 6e-3),
    (4.0, 384, 5e-3),
    (9.0, 512, 3e-3),
    (60.0, 768, 2e-3),
)

# Pressure, from which on: share dropped of outputs, of recurrent weights. The more weights there
# are for each character, and the more often it is seen, the easier it is to learn by heart; the
# pressure is the product of the two.
SHARES_DROPPED = (
    (0.0, 0.0, 0.0),
    (2.0, 0.05, 0.05),
    (8.0, 0.15, 0.2),
    (40.0, 0.3, 0.3),
    (150.0, 0.5, 0.5),
)

MOST_EPOCHS = 60.0  # from there on more minutes do not help
OVERFITTED = 0.01  # nats per character that the last evaluation is worse than the best

CHOSEN = ("hidden_size", "dropout", "weight_dropout", "learning_rate")

# Floating-point operations a second that a core does in training: the order of it, for plans.
CORE_SPEED = 5e10
OPERATIONS = 6  # a weight's for each character: a product and a sum, forward and twice backward


@dataclass(frozen=True)
class Choice:
    """The settings of a run, and what is expected of it."""

    model: ModelConfig
    train: TrainConfig
    limits: Limits
    epochs: float  # how often the text will be read
    minutes: float  # how long that will take


def choose(
    characters: int,
    alphabet: int,
    cores: int,
    limits: Limits | None = None,
    model: ModelConfig | None = None,
    **stated: Any,
) -> Choice:
    """Choose for so many `characters` to train on, of an `alphabet` of this size.

    Settings that are `stated`, by the names of the fields of ModelConfig and TrainConfig, stay as
    they are, and the rest is chosen to go with them; of a `model` to start from, all but the
    dropouts stays. Raises ConfigError for settings out of range.
    """
    shape = {name: stated.pop(name) for name in list(stated) if name in _MODEL_FIELDS}
    train = TrainConfig(**stated)
    limits = _ending(limits or Limits())
    for size in reversed(SIZES):
        least, hidden_size, learning_rate = size
        config = replace(model or ModelConfig(hidden_size=hidden_size), **shape)
        weights = count(config.shapes(alphabet))
        speed = 60 * CORE_SPEED / (OPERATIONS * weights)  # characters in a core-minute
        epochs = _epochs(limits, train, characters, cores * speed)
        if epochs * characters / speed >= least:
            break
    pressure = epochs * weights / characters
    dropouts = next(shares for least, *shares in reversed(SHARES_DROPPED) if pressure >= least)
    return Choice(
        replace(config, **dict(zip(DROPOUTS, dropouts, strict=True)) | shape),
        replace(train, **{"learning_rate": learning_rate} | stated),
        limits,
        epochs,
        minutes=epochs * characters / (cores * speed),
    )


_MODEL_FIELDS = {field.name for field in fields(ModelConfig)}


def _ending(limits: Limits) -> Limits:
    """Return the limits with the one that goes without saying: that of the epochs."""
    if limits.epochs is None and limits.max_steps is None:
        return replace(limits, minutes=limits.minutes or DEFAULT_MINUTES, epochs=MOST_EPOCHS)
    return limits


def _epochs(limits: Limits, train: TrainConfig, characters: int, speed: float) -> float:
    """Return how often the text will be read, at so many characters a minute."""
    ends = []
    if limits.epochs is not None:
        ends.append(limits.epochs)
    if limits.max_steps is not None:
        ends.append(limits.max_steps * train.batch_size * train.seq_len / characters)
    if limits.minutes is not None:
        ends.append(limits.minutes * speed / characters)
    return min(ends)


def verdict(history: Sequence[Mapping[str, Any]], epochs: float) -> str:
    """Return in plain words how a run went, and what to try next.

    `history` are its evaluations, each with "step", "train" and "valid", in nats per character;
    `epochs` is how often it has read its text.
    """
    if len(history) < 2:
        return "too short a run to tell how well it went: give it more minutes"
    best, last = min(history, key=lambda entry: float(entry["valid"])), history[-1]
    times = f"it has read its text {epochs:.3g} times"
    if last["valid"] > best["valid"] + OVERFITTED:
        return (
            f"over-fitted: since step {best['step']:,} it has been learning its text by heart; try "
            "more text, a higher --dropout and --weight-dropout, or fewer minutes"
        )
    if epochs < MOST_EPOCHS / 2:
        return f"under-trained: {times}; with more minutes it would get better"
    return f"right: {times}; now more text would help more than more minutes"
