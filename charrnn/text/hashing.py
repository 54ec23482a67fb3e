"""Hashes of the texts of a corpus, in blocks: equal texts have equal hashes, in every corpus."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.progress import watched
from charrnn.rng import HASH, generator
from charrnn.text.corpus import Corpus
from charrnn.text.spool import BLOCK, Spool, blocks
from charrnn.text.tokenizer import Ids

PERIOD = 1 << 12  # positions in a text that the hash distinguishes


class Block(NamedTuple):
    """A block of a corpus: where it starts, its ids (N,), the n texts that end in it, and, of these
    and the one that continues, where each begins and its number of ids in the block, (n + 1,).
    """

    start: int
    ids: Ids
    texts: slice
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]


def text_blocks(corpus: Corpus) -> Iterator[Block]:
    """Yield the blocks of a corpus."""
    start, begin = 0, 0
    for ids in blocks(corpus.ids):
        stop = start + len(ids)
        texts = slice(*np.searchsorted(corpus.ends, (start, stop)).tolist())
        begins = np.concatenate([[begin], corpus.ends[texts] + 1])
        lengths = np.diff(np.concatenate([[start], begins[1:], [stop]]))
        yield Block(start, ids, texts, begins, lengths)
        start, begin = stop, begins[-1]


def text_hashes(corpus: Corpus) -> NDArray[np.uint64]:
    """Return a hash of each text (n,): the sum over its characters of r[position] * s[character]
    modulo 2^64, with r and s random; then the lower bits are mixed into the upper ones.
    """
    random: Any = generator(0, HASH).bit_generator
    r = random.random_raw(PERIOD)
    s = random.random_raw(sys.maxunicode + 1)[[*map(ord, corpus.tokenizer.alphabet)]]
    hashes = Spool(np.uint64)
    total = at_end = np.zeros(1, np.uint64)  # the sum of all texts so far, and of the ended ones
    all_blocks = watched(text_blocks(corpus), "splitting the corpus", len(corpus.ids) / BLOCK)
    for start, ids, _, begins, lengths in all_blocks:
        position = start + np.arange(len(ids)) - np.repeat(begins, lengths)
        sums = total + np.cumsum(r[position % PERIOD] * s[ids])
        at_ends = np.concatenate([at_end, sums[begins[1:] - 1 - start]])
        values = np.diff(at_ends)
        hashes.append((values ^ values >> 32) * (r[0] | np.uint64(1)))
        total, at_end = sums[-1:], at_ends[-1:]
    return hashes.array()
