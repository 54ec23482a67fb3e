"""What a run is made of where a person says nothing: by the text, the cores and the minutes.

The tables are the rules; `docs/choices.md` tells how they were found. The time that counts is that
of all cores together, so that two of them choose for five minutes as one does for ten. A text that
is short for the minutes is read MOST_EPOCHS times, and no more.
"""

from __future__ import annotations

import math
from bz2 import compress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from charrnn.nn.model import DROPOUTS, ModelConfig
from charrnn.nn.parameters import count
from charrnn.text.batches import fit
from charrnn.training.run import DEFAULT_MINUTES, Limits, TrainConfig

# Characters that a network must read in its time: units, learning rate. In few minutes a small
# network reads more text than a large one, and learns more; in many it would only read the same
# text again. Where the alphabet has thousands of characters, all networks are slow.
SIZES = (
    (0.0, 128, 8e-3),
    (0.9e6, 256, 6e-3),
    (3.6e6, 384, 5e-3),
    (4.8e6, 512, 3e-3),
    (15e6, 768, 2e-3),
)

# Pressure, from which on: share dropped of outputs, of recurrent weights. The more weights there
# are for each character, and the more often it is seen, the easier it is to learn by heart; the
# pressure is the product of the two.
SHARES_DROPPED = (
    (0.0, 0.0, 0.0),
    (2.0, 0.05, 0.05),
    (8.0, 0.15, 0.2),
    (40.0, 0.3, 0.3),
    (150.0, 0.4, 0.4),
    (350.0, 0.5, 0.5),
)

MOST_EPOCHS = 60.0  # from there on more minutes do not help
OVERFITTED = 0.01  # nats per character that the last evaluation is worse than the best
LEAST_PATIENCE = 5  # evaluations since the best that end a run which gets worse

# Core-minutes, from which on: the loss in validation as a share of what bzip2 needs for that text,
# having packed the one before. Prose is within a tenth of it, all else within a fourth.
EXPECTED = ((0.0, 1.05), (0.5, 0.95), (4.0, 0.92), (16.0, 0.9))
BEFORE, AFTER = 700_000, 50_000  # characters of the two; bzip2 looks back no further

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
    cores: int
    chosen: tuple[str, ...]  # names of settings
    stated: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return what was stated, what was chosen, and for what, as the model's file keeps it.

        Where all is stated, runs that differ in their cores and limits alone have one record.
        """
        stated = {"stated": ", ".join(self.stated)}
        if not self.chosen:
            return stated
        chosen = {"chosen": ", ".join(self.chosen)}
        return stated | chosen | {"cores": self.cores, "minutes": round(self.minutes, 2)}


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
    dropouts stays. Raises ConfigError for settings out of range, and CorpusError for fewer than 2
    characters and a limit of steps.
    """
    shape = {name: stated.pop(name) for name in list(stated) if name in _MODEL_FIELDS}
    train = TrainConfig(**stated)
    limits = _ending(limits or Limits())
    for size in reversed(SIZES):
        least, hidden_size, learning_rate = size
        config = replace(model or ModelConfig(hidden_size=hidden_size), **shape)
        weights = count(config.shapes(alphabet))
        # Characters in a core-minute; an embedding is looked up, at no cost.
        speed = 60 * CORE_SPEED / (OPERATIONS * (weights - alphabet * config.embedding_size))
        epochs = _epochs(limits, train, characters, cores * speed)
        if epochs * characters >= least:
            break
    pressure = epochs * weights / characters
    dropouts = next(shares for least, *shares in reversed(SHARES_DROPPED) if pressure >= least)
    kept = {*shape, *stated, *(["hidden_size"] if model else [])}
    return Choice(
        replace(config, **dict(zip(DROPOUTS, dropouts, strict=True)) | shape),
        replace(train, **{"learning_rate": learning_rate} | stated),
        limits,
        epochs,
        minutes=epochs * characters / (cores * speed),
        cores=cores,
        chosen=tuple(name for name in CHOSEN if name not in kept),
        stated=tuple(shape | stated),
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
        batch_size, seq_len = fit(characters, train.batch_size, train.seq_len)
        ends.append(limits.max_steps / (characters // (batch_size * seq_len)))
    if limits.minutes is not None:
        ends.append(limits.minutes * speed / characters)
    return min(ends)


def expected(before: str, after: str, core_minutes: float) -> float:
    """Return the loss on `after`, in nats per character, to expect of a network that has learnt
    from `before`: a guess, as what bzip2 packs well is easy for a network too.

    >>> expected("so it goes, " * 1000, "so it goes, " * 100, core_minutes=2) < 0.2
    True
    """
    known = before.encode()[-BEFORE:]
    added = len(compress(known + after.encode())) - len(compress(known))
    share = next(share for least, share in reversed(EXPECTED) if core_minutes >= least)
    return share * max(0, added) * 8 * math.log(2) / len(after)


def is_getting_worse(history: Sequence[Mapping[str, Any]], patience: int | None = None) -> bool:
    """Return whether no evaluation since the best, of `patience` or more, was better, and the last
    is clearly worse: a run that stands still may yet get better as its learning rate falls.
    Without a `patience` it is a fourth of the evaluations, so that a long run gets more of it.
    """
    losses = [entry["valid"] for entry in history]
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


def verdict(history: Sequence[Mapping[str, Any]], epochs: float) -> str:
    """Return in plain words how a run went, and what to try next.

    `history` are its evaluations, each with "step", "train" and "valid", in nats per character;
    `epochs` is how often it has read its text.
    """
    if len(history) < 2:
        return "too short a run to tell how well it went: let it train longer"
    best, last = min(history, key=lambda entry: float(entry["valid"])), history[-1]
    read = f"it has read its text {times(epochs)}"
    if last["valid"] > best["valid"] + OVERFITTED:
        return (
            f"over-fitted: since step {best['step']:,} it has been learning its text by heart; try "
            "more text, a higher --dropout and --weight-dropout, or fewer minutes"
        )
    if epochs < MOST_EPOCHS / 2:
        return f"under-trained: {read}; with more minutes it would get better"
    return f"right: {read}; now more text would help more than more minutes"
