"""What a run is made of where a person says nothing: by the text, the cores and the minutes.

The tables are the rules; `docs/choices.md` tells how they were found. The time that counts is that
of all cores together, so that two of them choose for five minutes as one does for ten. A text that
is short for the minutes is read MOST_EPOCHS times, and no more.
"""

from __future__ import annotations

import math
from bz2 import compress
from dataclasses import dataclass, fields, replace
from typing import Any

from charrnn.checkpoints.records import Selection, TrainConfig
from charrnn.nn.model import DROPOUTS, ModelConfig
from charrnn.nn.parameters import count
from charrnn.text.batches import fit
from charrnn.training.diagnosis import MOST_EPOCHS
from charrnn.training.limits import DEFAULT_MINUTES, Limits
from charrnn.training.prepare import Data

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


# Core-minutes, from which on: the loss in validation as a share of what bzip2 needs for that text,
# having packed the one before. Prose is within a tenth of it, all else within a fourth.
EXPECTED = ((0.0, 1.05), (0.5, 0.95), (4.0, 0.92), (16.0, 0.9))
LEAST_TO_JUDGE_BY = 1000  # characters to validate on
LEAST_TO_READ = 300_000  # characters to train on, an epoch's or several's
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

    def selection(self) -> Selection:
        """Return which settings were stated, and which were chosen."""
        return Selection(self.stated, self.chosen)


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


def expected_loss(choice: Choice, data: Data) -> float | None:
    """Return the loss to expect of a new run, in nats per character; None if the network won't have
    the time to learn, or there is little text to judge by.
    """
    valid = data.valid
    if valid is None or len(valid) < LEAST_TO_JUDGE_BY:
        return None
    if choice.epochs * len(data.text) < LEAST_TO_READ:
        return None
    before, after = map(data.tokenizer.decode, (data.text.ids[-BEFORE:], valid.ids[:AFTER]))
    return expected(before, after, choice.cores * choice.minutes)


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
