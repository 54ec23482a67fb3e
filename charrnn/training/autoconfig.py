"""Settings selected for the corpus, the CPU and the time limit, where the user states none.

The tables are the rules; `docs/choices.md` has the measurements behind them. The time limit counts
all cores, so two cores for five minutes give the same settings as one core for ten. On a corpus
that is short for its time limit, training ends after MOST_EPOCHS epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.records import Selection, TrainConfig
from charrnn.nn.blas import kernels
from charrnn.nn.model import DROPOUTS, ModelConfig
from charrnn.nn.parameters import count
from charrnn.nn.products import SMALL_KERNELS
from charrnn.text.batches import fit
from charrnn.text.documents import stored_reading
from charrnn.text.tokenizer import Ids
from charrnn.training.cores import batch_for
from charrnn.training.diagnosis import MOST_EPOCHS
from charrnn.training.limits import DEFAULT_MINUTES, Limits
from charrnn.training.prepare import Data

# Rows: least number of characters that the network reads within the limit, hidden size, learning
# rate. In a short run a small network reads more text than a large one and learns more; in a long
# run it would only repeat the same text. With thousands of characters in the alphabet, all networks
# are slow.
SIZES = (
    (0.0, 128, 8e-3),
    (0.9e6, 256, 6e-3),
    (3.6e6, 384, 5e-3),
    (4.8e6, 512, 3e-3),
    (15e6, 768, 2e-3),
)

# Rows: least pressure, dropout of outputs, dropout of recurrent weights. Pressure is the number of
# weights per character times the number of epochs: the higher it is, the easier it is to memorize
# the corpus.
SHARES_DROPPED = (
    (0.0, 0.0, 0.0),
    (2.0, 0.05, 0.05),
    (8.0, 0.15, 0.2),
    (40.0, 0.3, 0.3),
    (150.0, 0.4, 0.4),
    (350.0, 0.5, 0.5),
)

# Rows: least core-minutes, validation loss as a fraction of that of a trigram model. The measured
# losses of prose, programs and tunes were within SPREAD; larger alphabets have not been measured.
EXPECTED = ((0.0, 0.8), (0.5, 0.72), (1.5, 0.69), (4.0, 0.67), (16.0, 0.66))
SPREAD = 0.12
LARGEST_ALPHABET = 500
LEAST_TO_JUDGE_BY = 1000  # held-out characters
LEAST_TEXT = 50_000  # characters in the training part; on less, a network is hardly better
LEAST_TO_READ = 300_000  # characters, counted over all epochs
BEFORE, AFTER = 700_000, 50_000  # characters of the trigram model, and scored by it

CHOSEN = ("hidden_size", "dropout", "weight_dropout", "learning_rate")

# Floating-point operations per second of one core in training, by the kernels that OpenBLAS
# chooses: measured on an AMD EPYC, and the order of magnitude for other processors and libraries.
CORE_SPEEDS = dict.fromkeys(SMALL_KERNELS, 1.3e11)  # AVX-512
CORE_SPEED = 7e10
OPERATIONS = 6  # per weight and character: a product and a sum, forward and twice backward


@dataclass(frozen=True)
class Choice:
    """The settings of a run, and its expected length."""

    model: ModelConfig
    train: TrainConfig
    limits: Limits
    epochs: float  # expected
    minutes: float  # expected
    cores: int
    chosen: tuple[str, ...]  # names of settings
    stated: tuple[str, ...]

    def selection(self) -> Selection:
        """Return which settings were stated and which were selected."""
        return Selection(self.stated, self.chosen)


def choose(
    characters: int,
    alphabet: int,
    cores: int,
    limits: Limits | None = None,
    model: ModelConfig | None = None,
    **stated: Any,
) -> Choice:
    """Select settings for a number of training `characters` and an `alphabet` of this size.

    `stated` settings, named as the fields of ModelConfig and TrainConfig, are kept, and the others
    are selected to match. Of a `model` to start from, everything but the dropouts is kept. Raises
    ConfigError for settings out of range, and CorpusError for fewer than 2 characters with a limit
    in steps.
    """
    shape = {name: stated.pop(name) for name in list(stated) if name in _MODEL_FIELDS}
    selected = {} if {"batch_size", "shards"} & stated.keys() else _sizes(cores, stated)
    train = TrainConfig(**selected | stated)
    limits = _ending(limits or Limits())
    for size in reversed(SIZES):
        least, hidden_size, learning_rate = size
        config = replace(model or ModelConfig(hidden_size=hidden_size), **shape)
        weights = count(config.shapes(alphabet))
        # Characters per core-minute; looking up an embedding is free.
        flops = CORE_SPEEDS.get(kernels(), CORE_SPEED)
        speed = 60 * flops / (OPERATIONS * (weights - alphabet * config.embedding_size))
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
        chosen=tuple(name for name in (*CHOSEN, *selected) if name not in kept),
        # A number of workers implies the shards: either way the same file results.
        stated=tuple(name for name in shape | stated if name != "shards"),
    )


def _sizes(cores: int, stated: Mapping[str, Any]) -> dict[str, int]:
    """Return the batch size and chunk length for many cores; {} where the defaults serve."""
    batch_size, seq_len = batch_for(cores)
    if batch_size == TrainConfig().batch_size:
        return {}
    return {"batch_size": batch_size} | ({} if "seq_len" in stated else {"seq_len": seq_len})


_MODEL_FIELDS = {field.name for field in fields(ModelConfig)}


def _ending(limits: Limits) -> Limits:
    """Return the limits with the implied ones: minutes and MOST_EPOCHS."""
    if limits.epochs is None and limits.max_steps is None:
        return replace(limits, minutes=limits.minutes or DEFAULT_MINUTES, epochs=MOST_EPOCHS)
    return limits


def _epochs(limits: Limits, train: TrainConfig, characters: int, speed: float) -> float:
    """Return the expected number of epochs at a `speed` in characters per minute."""
    ends = []
    if limits.epochs is not None:
        ends.append(limits.epochs)
    if limits.max_steps is not None:
        batch_size, seq_len = fit(characters, train.batch_size, train.seq_len)
        ends.append(limits.max_steps / (characters // (batch_size * seq_len)))
    if limits.minutes is not None:
        ends.append(limits.minutes * speed / characters)
    return min(ends)


def expected_loss(choice: Choice, data: Data) -> tuple[float, float] | None:
    """Return the range in which to expect the loss of a new run, in nats per character, or None if
    the run or the corpus is too short, or the alphabet too large for an estimate.
    """
    valid = data.valid
    if valid is None or len(valid) < LEAST_TO_JUDGE_BY or len(data.tokenizer) > LARGEST_ALPHABET:
        return None
    if len(data.text) < LEAST_TEXT or choice.epochs * len(data.text) < LEAST_TO_READ:
        return None
    core_minutes = choice.cores * choice.minutes
    share = next(share for least, share in reversed(EXPECTED) if core_minutes >= least)
    reading = stored_reading(data.reading.documents, data.reading.settings)
    trigrams = trigram_loss(data.text.ids[-BEFORE:], valid.ids[:AFTER])
    loss = share * reading.relative_loss * trigrams
    return loss * (1 - SPREAD), loss * (1 + SPREAD)


def trigram_loss(before: Ids, after: Ids) -> float:
    """Return the loss on `after`, in nats per character, of a trigram model of `before`.

    Witten-Bell smoothing mixes each order with the one below it, down to a uniform prediction:

        p_n(c | h) = (count(hc) + kinds(h) p_{n-1}(c | h')) / (count(h) + kinds(h))

    where h are the n characters before c, h' is h without its first one, and kinds(h) is how many
    different characters followed h (benchmarks/ngram.py has the sources).
    """
    ids = np.concatenate([before, after]).astype(np.int64)
    n, V = len(before), int(ids.max()) + 1
    p = np.full(len(after), 1 / V)
    h = np.zeros(len(ids), np.int64)  # a number for the characters before each one
    for _ in range(3):
        hc = h * V + ids
        grams, counts = np.unique(hc[:n], return_counts=True)
        contexts, first = np.unique(grams // V, return_index=True)
        count = _found(grams, counts, hc[n:])
        total = _found(contexts, np.add.reduceat(counts, first), h[n:])
        kinds = np.maximum(1, _found(contexts, np.diff(first, append=len(grams)), h[n:]))
        p = (count + kinds * p) / (total + kinds)
        h = np.roll(hc, 1)
    return float(-np.log(p).mean())


def _found(keys: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]) -> Any:
    """Return the values of the `wanted` keys, 0 for those that are missing."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)
