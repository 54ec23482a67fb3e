"""Encoded text, cut into chunks for truncated backpropagation through time.

The text is a ring. Each epoch starts at a random offset, from which B streams of equal length
follow one another. Each step takes the next T characters of every stream, so that the state can be
carried from chunk to chunk:

    stream 0   a b c|d e f|g h i        step 0 is a b c, m n o; its targets b c d, n o p
    stream 1   m n o|p q r|s t u

The state is reset before the last character of a document is read. That character therefore ends
one document and starts the next: what follows is predicted from it alone, and a sampler starts a
document by feeding it in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError, counted
from charrnn.rng import OFFSET, generator
from charrnn.text.tokenizer import Ids


@dataclass(frozen=True)
class Encoded:
    """A text as ids (N,), and the position of each document's last character, ascending."""

    ids: Ids
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def resets(self, starts: NDArray[np.int64], steps: int) -> NDArray[np.bool_] | None:
        """Return where the state is reset, (steps, B), in the pieces that begin at `starts` (B,),
        or None if nowhere. Positions past the end wrap around.
        """
        mask = None
        first = np.searchsorted(self.ends, starts % len(self))
        for b, start in enumerate(starts % len(self)):
            end = first[b]
            while (at := self._end(end) - start) < steps:
                if mask is None:
                    mask = np.zeros((steps, len(starts)), np.bool_)
                mask[at, b] = True
                end += 1
        return mask

    def _end(self, index: int) -> int:
        rounds, index = divmod(index, len(self.ends))
        return int(self.ends[index]) + rounds * len(self)


def require_two(text: Encoded, purpose: str) -> None:
    """Raise CorpusError unless there is one character to read and one to predict."""
    if len(text) < 2:
        raise CorpusError(
            f"the text has {counted(len(text), 'character')}; {purpose} needs at least 2"
        )


@dataclass(frozen=True)
class Chunk:
    """The input of one training step, each array (T, B)."""

    inputs: Ids
    targets: Ids
    resets: NDArray[np.bool_] | None

    def columns(self, first: int, last: int) -> Chunk:
        """Return only the streams from `first` to `last`."""
        resets = None if self.resets is None else self.resets[:, first:last]
        return Chunk(self.inputs[:, first:last], self.targets[:, first:last], resets)


class Streams:
    """Training chunks by step number. Raises CorpusError for fewer than batch_size x seq_len
    characters.
    """

    def __init__(self, text: Encoded, batch_size: int, seq_len: int, seed: int) -> None:
        if len(text) < batch_size * seq_len:
            raise CorpusError(
                f"the corpus has {counted(len(text), 'training character')}, fewer than "
                f"{batch_size} x {seq_len} (`batch_size` x `seq_len`); lower one of them"
            )
        self.text = text
        self.batch_size = batch_size
        self.seq_len = seq_len
        self.seed = seed
        self.chunks_per_epoch = len(text) // (batch_size * seq_len)

    def chunk(self, step: int) -> Chunk:
        """Return chunk number `step`, counted over all epochs; the first of an epoch resets every
        stream.
        """
        epoch, index = divmod(step, self.chunks_per_epoch)
        offset = int(generator(self.seed, OFFSET, epoch).integers(len(self.text)))
        T, B = self.seq_len, self.batch_size
        starts = offset + index * T + np.arange(B) * (self.chunks_per_epoch * T)
        window = self.text.ids[(starts + np.arange(T + 1)[:, None]) % len(self.text)]  # (T+1, B)
        resets = self.text.resets(starts, T)
        if index == 0:
            resets = np.zeros((T, B), np.bool_) if resets is None else resets
            resets[0] = True
        return Chunk(window[:-1], window[1:], resets)


def fit(characters: int, batch_size: int, seq_len: int) -> tuple[int, int]:
    """Return a batch_size and seq_len small enough for one chunk to fit into `characters`.

    Halves the larger of the two until it fits. Raises CorpusError for fewer than 2 characters.

    >>> fit(1000, 50, 50)
    (25, 25)
    """
    if characters < 2:
        raise CorpusError(
            f"the corpus has {counted(characters, 'training character')}; training needs at least 2"
        )
    while batch_size * seq_len > characters:
        if batch_size >= seq_len:
            batch_size = (batch_size + 1) // 2
        else:
            seq_len = (seq_len + 1) // 2
    return batch_size, seq_len
