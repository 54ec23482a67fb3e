"""A corpus divided into documents, and the documents into a training and a held-out part.

A file may be sorted, such as names by frequency, so random documents are held out, and equal ones
are kept on one side: each document falls into one of 2^16 buckets by a hash of its text, and whole
buckets are held out. A file that is one document has its last part held out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import partial
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require, require_choice
from charrnn.progress import report, watched
from charrnn.text.corpus import NEWLINE, Builder, Corpus
from charrnn.text.documents import DOCUMENTS, HOLD_OUT, Reading
from charrnn.text.hashing import text_blocks, text_hashes
from charrnn.text.spool import Spool, blocks, joined

BUCKETS = 1 << 16


def split(
    corpus: Corpus,
    documents: str = "whole",
    *,
    valid_fraction: float = 0.1,
    hold_out: str = "random",
) -> tuple[Corpus, Corpus]:
    """Return the training documents and the held-out documents.

    Of lines and paragraphs, `hold_out` selects "random" ones, always the same, or the "last" of
    every file. Of whole files, it is always the last part, cut at a character; of tunes, which are
    already in random order, the last ones. Every line or paragraph ends with its terminator; a
    missing one is added.
    """
    require_choice("documents", documents, DOCUMENTS)
    require_choice("hold_out", hold_out, HOLD_OUT)
    require(
        0 <= valid_fraction < 1,
        f"`valid_fraction` must be at least 0 and below 1, got {valid_fraction}",
    )
    kind, terminator = DOCUMENTS[documents], DOCUMENTS[documents].terminator
    borders = [0, *(corpus.ends + 1).tolist()]
    if terminator:
        corpus, borders = _divided(corpus, terminator)
    if kind.random_split and hold_out == "random":
        return _random_parts(corpus, valid_fraction)
    cuts = [start + int((stop - start) * (1 - valid_fraction)) for start, stop in pairwise(borders)]
    if terminator:
        cuts = list(map(partial(_between, corpus.ends), borders, cuts, borders[1:]))
    train, valid = zip(borders, cuts, strict=False), zip(cuts, borders[1:], strict=True)
    return _parts(corpus, train), _parts(corpus, valid)


def _random_parts(corpus: Corpus, valid_fraction: float) -> tuple[Corpus, Corpus]:
    """Return two random parts of a corpus, each in order, with equal texts in the same part."""
    hashes, sizes, begin = text_hashes(corpus), np.zeros(BUCKETS, np.int64), 0
    for block, ends in zip(blocks(hashes), blocks(corpus.ends), strict=True):
        np.add.at(sizes, _buckets(block), np.diff(ends + 1, prepend=begin))
        begin = ends[-1] + 1
    held_out, wanted = np.zeros(BUCKETS, np.bool_), valid_fraction * len(corpus.ids)
    for bucket in np.flatnonzero(sizes).tolist():
        if sizes[bucket] / 2 <= wanted:  # a larger one, such as many equal lines, is trained on
            held_out[bucket] = True
            wanted -= sizes[bucket]
    return _texts_in(corpus, hashes, ~held_out), _texts_in(corpus, hashes, held_out)


def _buckets(hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
    return (hashes >> np.uint64(48)).astype(np.intp)


def _texts_in(corpus: Corpus, hashes: NDArray[np.uint64], wanted: NDArray[np.bool_]) -> Corpus:
    """Return the texts in the `wanted` buckets."""
    result, end = Builder(corpus.tokenizer), -1
    for _, ids, texts, begins, lengths in text_blocks(corpus):
        # One more text may begin in the block than end in it.
        kept = wanted[_buckets(hashes[texts.start : texts.stop + 1])]
        result.ids.append(ids[np.repeat(kept, lengths[: len(kept)])])
        ends = end + np.cumsum(np.diff(begins)[kept[: len(begins) - 1]])
        result.ends.append(ends)
        end = int(ends[-1]) if len(ends) else end
    return result.corpus()


def _between(ends: NDArray[np.int64], start: int, cut: int, stop: int) -> int:
    """Return the boundary between the documents from `start` to `stop` that is nearest to `cut`: a
    document belongs to the side of its middle.
    """

    def begins(index: int) -> int:
        return int(ends[index - 1]) + 1 if index else 0

    first, last = np.searchsorted(ends, (start, stop)).tolist()
    index = bisect_right(range(last), 2 * cut, first, key=lambda i: begins(i) + begins(i + 1))
    return begins(index)


def _parts(corpus: Corpus, borders: Iterable[tuple[int, int]]) -> Corpus:
    """Return some parts of a corpus, (start, stop), as a corpus; the end of a part ends a text."""
    parts = [(start, stop) for start, stop in borders if start < stop]
    ends, done = Spool(np.int64), 0
    for start, stop in parts:
        first, last = np.searchsorted(corpus.ends, (start, stop - 1))
        for block in blocks(corpus.ends[first:last]):
            ends.append(block + (done - start))
        done += stop - start
        ends.append(np.array([done - 1]))
    arrays = [corpus.ids[start:stop] for start, stop in parts]
    ids = arrays[0] if len(parts) == 1 else joined(corpus.ids.dtype, arrays)
    return Corpus(corpus.tokenizer, ids, ends.array())


def _divided(corpus: Corpus, terminator: str) -> tuple[Corpus, list[int]]:
    """Return the lines or paragraphs of a corpus, without blank lines, and the boundaries of its
    files among them.
    """
    solid = np.array([not character.isspace() for character in corpus.tokenizer.alphabet])
    result, borders = Builder(corpus.tokenizer), [0]
    for text in corpus.each():
        # A block may end within a line, which is kept until its end shows whether it is blank.
        begin, filled_so_far, filled_before = len(result.ids), False, False
        for block in chain(blocks(text), [np.full(2, NEWLINE, text.dtype)]):
            report("splitting the corpus", len(result.ids) / len(corpus.ids))
            newlines = np.flatnonzero(block == NEWLINE)
            ids, rest = np.split(block, newlines[-1:] + 1) if len(newlines) else (block[:0], block)
            if len(ids):
                starts = np.append(0, newlines[:-1] + 1)
                lengths = newlines + 1 - starts
                filled = np.logical_or.reduceat(solid.take(ids), starts)
                filled[0] |= filled_so_far
                if not filled[0]:
                    result.ids.truncate(begin)
                kept = np.repeat(filled, lengths)
                ending = filled
                if terminator == "\n\n":
                    # The first blank line after a paragraph ends it with a newline.
                    ending = ~filled & np.append(filled_before, filled[:-1])
                    kept[newlines[ending]] = True
                    filled_before = filled[-1]
                stops = np.where(filled, lengths, ending).cumsum()[ending]
                result.ends.append(len(result.ids) + stops - 1)
                result.ids.append(ids[kept])
                begin, filled_so_far = len(result.ids), False
            result.ids.append(rest)
            filled_so_far |= bool(solid.take(rest).any())
        borders.append(len(result.ids))
    return result.corpus(), borders


def augmented(training: Corpus, reading: Reading) -> Corpus:
    """Return the training documents in all variants that `reading` makes of them."""
    if reading.copies == 1:
        return training
    builder = Builder(training.tokenizer)
    texts = training.texts
    variants = reading.augmented(texts)
    for text in watched(variants, "augmenting the corpus", reading.copies * len(texts)):
        builder.add([text])
    return builder.corpus()
