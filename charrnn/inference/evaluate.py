"""How well a model predicts a text. Nothing here can affect training: states are values."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint, part_of
from charrnn.errors import CharRNNError, require
from charrnn.inference.dynamic import read_and_learn, trainable_copy
from charrnn.nn.blas import available_threads, kernels, limited
from charrnn.nn.model import QUIET, CharRNN, Reader
from charrnn.nn.products import SMALL_KERNELS
from charrnn.text.batches import Encoded, require_two
from charrnn.text.corpus import Corpus

WARM_UP = 256  # characters that each of several streams reads without scoring
CHUNK = 2048  # characters per pass of the network, over all streams
MAX_STREAMS = 64
THREAD_WORK = 400_000  # streams x hidden size^2 that repay a thread, or twice that with AVX-512
MAX_LENGTH = 4096  # characters that each stream scores in `validate`


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy over `characters` predictions."""

    nats_per_char: float
    accuracy: float  # share of predictions whose most likely character was right
    characters: int

    @property
    def bits_per_char(self) -> float:
        """The loss in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """The exponential of the loss: the effective number of choices per character."""
        return math.exp(min(self.nats_per_char, 700.0))


def evaluate(
    checkpoint: Checkpoint,
    corpus: Corpus,
    *,
    part: str = "all",
    streams: int = 1,
    block_size: int | None = None,
    unknown: str = "error",
    dynamic: bool = False,
) -> Evaluation:
    """Measure how well a model predicts every character of `corpus` except the first.

    `part` is "train" or "valid", as the model's training split the corpus, or "all". One stream is
    exact: a single pass with the state carried. Several are faster but approximate: each stream but
    the first starts from a state that has read only 256 characters before it. With `block_size`,
    blocks of that many characters are scored independently, each from a zero state, as in nanoGPT.
    With `dynamic`, a copy of the model trains on the text while it reads, scoring each segment
    first (`charrnn.inference.dynamic`).

    Raises CorpusError for fewer than 2 characters, UnknownCharacterError for characters outside the
    model's alphabet (unless `unknown` is "skip" or "fold"), ConfigError for counts below 1 and for
    options that cannot be combined, and CharRNNError if the loss is not finite.
    """
    text = part_of(checkpoint, corpus, part, unknown)
    result = _evaluate(checkpoint, text, streams, block_size, dynamic)
    if not math.isfinite(result.nats_per_char):
        raise CharRNNError(
            f"the loss is {result.nats_per_char}: the model's weights are too large to evaluate it"
        )
    return result


@QUIET
def _evaluate(
    checkpoint: Checkpoint, text: Encoded, streams: int, block_size: int | None, dynamic: bool
) -> Evaluation:
    if not dynamic:
        return evaluate_text(checkpoint.model(), text, streams, block_size)
    other = "streams" if streams != 1 else "block_size"
    require(streams == 1 and block_size is None, f"`dynamic` and `{other}` cannot be combined")
    require_two(text, "evaluation")
    nats, correct = 0.0, 0
    for losses, right in read_and_learn(trainable_copy(checkpoint), text):
        nats += float(losses.sum(dtype=np.float64))
        correct += int(right.sum())
    count = len(text) - 1
    return Evaluation(nats / count, correct / count, count)


def evaluate_text(
    model: CharRNN, text: Encoded, streams: int = 1, block_size: int | None = None
) -> Evaluation:
    """Score `text` as `evaluate` does."""
    require(streams >= 1, f"`streams` must be at least 1, got {streams}")
    if block_size is None:
        return score(model, text, *_pieces(text, streams))
    require(block_size >= 1, f"`block_size` must be at least 1, got {block_size}")
    require(streams == 1, "`streams` and `block_size` cannot be combined")
    require_two(text, "evaluation")
    length = min(block_size, len(text))
    return score(model, text, np.arange(0, len(text) - 1, length), length, warm_up=0)


def validate(
    model: CharRNN,
    text: Encoded,
    stopped: Callable[[], bool] = lambda: False,
    shard: int = 0,
    shards: int = 1,
) -> Evaluation:
    """Score `text` quickly, during training: in many streams, and only a part of each if the text
    is very long. Returns early, with the result so far, once `stopped` returns true. Each of
    several `shards` scores some of the streams.
    """
    starts, length, warm_up = _pieces(text, min(MAX_STREAMS, max(1, len(text) // 1024)))
    mine = np.array_split(starts, shards)[shard]
    return score(model, text, mine, min(length, MAX_LENGTH), warm_up, stopped)


def _pieces(text: Encoded, streams: int) -> tuple[NDArray[np.int64], int, int]:
    """Return the start of each stream, their length, and their characters of warm-up."""
    require_two(text, "evaluation")
    length = -(-(len(text) - 1) // streams)
    starts = np.arange(0, len(text) - 1, length)
    return starts, length, WARM_UP if len(starts) > 1 else 0


def validated_characters(text: Encoded) -> int:
    """Return the approximate number of characters that `validate` reads of `text`."""
    return min(len(text), MAX_STREAMS * MAX_LENGTH)


def score(
    model: CharRNN,
    text: Encoded,
    starts: NDArray[np.int64],
    length: int,
    warm_up: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Score the `length` characters after each of `starts`; the state starts from zero `warm_up`
    characters before them.

    Streams are shared between as many threads as NumPy's products may use, each with products of
    its own: threads that compute one small product together wait for each other too often.
    """
    threads = 1
    if len(starts) > 1:
        work = min(len(starts), MAX_STREAMS) * model.config.hidden_size**2
        least = THREAD_WORK * (2 if kernels() in SMALL_KERNELS else 1)
        threads = max(1, min(available_threads(), work // least))
    ended = Event()

    def part(begin: NDArray[np.int64]) -> tuple[float, int, int]:
        return _score(model, text, begin, length, warm_up, lambda: ended.is_set() or stopped())

    nats, correct, count = 0.0, 0, 0
    with limited(1), ThreadPoolExecutor(threads) as pool:
        try:
            for group in range(0, len(starts), MAX_STREAMS):
                parts = np.array_split(starts[group : group + MAX_STREAMS], threads)
                for each in pool.map(part, [begin for begin in parts if len(begin)]):
                    nats, correct, count = nats + each[0], correct + each[1], count + each[2]
        except BaseException:  # such as Ctrl-C: the threads must not work on
            ended.set()
            raise
    return Evaluation(nats / max(count, 1), correct / max(count, 1), count)


def _score(
    model: CharRNN,
    text: Encoded,
    begin: NDArray[np.int64],
    length: int,
    warm_up: int,
    stopped: Callable[[], bool],
) -> tuple[float, int, int]:
    """Return the sum of the losses, the correct guesses, and the number of characters scored."""
    nats, correct, count = 0.0, 0, 0
    last = len(text) - 1
    state, reader = model.zero_state(len(begin)), Reader(model, len(begin))
    chunk = max(1, CHUNK // len(begin))
    for t in range(-warm_up, length, chunk):
        if stopped():
            break
        steps = min(chunk, length - t)
        at = begin + t + np.arange(steps)[:, None]  # (T, B), the inputs' positions
        resets = text.resets(begin + t, steps)
        if warm_up and (at == 0).any():  # nothing precedes the first stream
            resets = np.zeros(at.shape, np.bool_) if resets is None else resets
            resets |= at == 0
        window = text.ids[at % len(text)], text.ids[(at + 1) % len(text)]
        losses, right, state = reader.losses(*window, state, resets)
        scored = (at >= begin) & (at < last) & (at < begin + length)
        nats += float(losses[scored].sum(dtype=np.float64))
        correct += int(right[scored].sum())
        count += int(scored.sum())
    return nats, correct, count
