"""Texts to ids, and ids to documents for training and validation.

A text becomes ids as it is read, so that no more than a block of it is ever held as text. The first
reading does not know the alphabet yet: it gives each character that it comes upon the next id, and
`Corpus.encode` turns these into the ids of a model.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError, require
from charrnn.spool import Spool, blocks, joined
from charrnn.streams import Encoded
from charrnn.tokenizer import Ids, Tokenizer

if TYPE_CHECKING:
    from charrnn.music.collection import TuneReading

NEWLINE = 0  # its id in every corpus

# How a text falls into documents, and what ends each of them (nothing: never sampled).
DOCUMENTS = {"whole": "", "lines": "\n", "paragraphs": "\n\n", "tunes": "\n\n"}


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts, none of them empty, as ids one after another: those of files, or, once they are
    split, documents. A long corpus lies in a temporary file.

    >>> corpus = Corpus.from_texts("bread", "butter")
    >>> corpus.texts
    ('bread', 'butter')
    >>> corpus.encode(Tokenizer("abdertu"))
    Encoded(ids=array([1, 4, 3, 0, 2, 1, 6, 5, 5, 3, 4], dtype=uint8), ends=array([ 4, 10]))
    """

    tokenizer: Tokenizer  # what the ids stand for; it may know more than the texts have
    ids: Ids  # (N,)
    ends: NDArray[np.int64]  # the positions of each text's last character, ascending
    names: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()  # what a person should be told
    tunes: TuneReading | None = None  # how they were read, if it is of tunes

    @classmethod
    def from_texts(cls, *texts: str) -> Corpus:
        """Make a corpus of texts at hand; empty ones are left out."""
        builder = Builder()
        for text in texts:
            builder.add(blocks(text))
        return builder.corpus()

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, decoded."""
        return tuple(self.tokenizer.decode(ids) for ids in self._each())

    @cached_property
    def digest(self) -> str:
        """A SHA-256 over the texts and their borders, names left aside."""
        digest = hashlib.sha256()
        widths = np.array([len(character.encode()) for character in self.tokenizer.alphabet])
        for ids in self._each():
            length = sum(int(widths.take(block).sum()) for block in blocks(ids))
            digest.update(length.to_bytes(8, "little"))
            for block in blocks(ids):
                digest.update(self.tokenizer.decode(block).encode())
        return digest.hexdigest()

    def characters(self) -> set[str]:
        """Return the distinct characters of the texts."""
        present = np.zeros(len(self.tokenizer), np.bool_)
        for block in blocks(self.ids):
            present[block] = True
            if present.all():
                break
        return {self.tokenizer.alphabet[id] for id in np.flatnonzero(present)}

    def encode(self, tokenizer: Tokenizer, unknown: str = "error") -> Encoded:
        """Return the texts in the ids of `tokenizer`; characters that it lacks are an
        UnknownCharacterError, or left out with `unknown="skip"`.
        """
        table = tokenizer.find(self.tokenizer.alphabet)
        lacking = table.min() < 0
        tokenizer.encode("".join(self.characters()) if lacking else "", unknown)  # or its error
        if lacking:
            builder = Builder(tokenizer)
            for text in self._each():
                for block in blocks(text):
                    ids = table.take(block)
                    builder.ids.append(ids[ids >= 0])
                builder.end()
            return Encoded(builder.ids.array(), builder.ends.array())
        if self.ids.dtype == tokenizer.dtype and np.array_equal(table, np.arange(len(table))):
            return Encoded(self.ids, self.ends)
        recoded = joined(tokenizer.dtype, (table.take(block) for block in blocks(self.ids)))
        return Encoded(recoded, self.ends)

    def _each(self) -> Iterator[Ids]:
        start = 0
        for block in blocks(self.ends):
            for end in block.tolist():
                yield self.ids[start : end + 1]
                start = end + 1


class Builder:
    """Gathers texts one after another, as pieces of text or as ids."""

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self.tokenizer = tokenizer or Tokenizer("\n")
        self.ids, self.ends = Spool(self.tokenizer.dtype), Spool(np.int64)
        self._begin = 0  # of the text that has not ended yet

    def add(self, pieces: Iterable[str]) -> int:
        """Add one text and return its length; if its pieces end in a CorpusError, add nothing."""
        tokenizer, begin = self.tokenizer, self._begin
        try:
            for piece in pieces:
                ids = self.tokenizer.find(piece)
                if ids.min(initial=0) < 0:
                    new = {piece[at] for at in np.flatnonzero(ids < 0)}
                    self.tokenizer = self.tokenizer.extended(new)
                    ids = self.tokenizer.find(piece)
                if self.tokenizer.dtype.itemsize > self.ids.dtype.itemsize:
                    self.ids = self.ids.astype(self.tokenizer.dtype)
                self.ids.append(ids)
        except CorpusError:
            self.tokenizer = tokenizer
            self.ids.truncate(begin)
            raise
        self.end()
        return self._begin - begin

    def end(self) -> None:
        """End the text, if there is any."""
        if len(self.ids) > self._begin:
            self._begin = len(self.ids)
            self.ends.append(np.array([self._begin - 1]))

    def corpus(self, names: Sequence[str] = (), notices: Sequence[str] = ()) -> Corpus:
        """Return the corpus of all texts, final with it."""
        arrays = self.ids.array(), self.ends.array()
        return Corpus(self.tokenizer, *arrays, tuple(names), tuple(notices))


def split(
    corpus: Corpus, documents: str = "whole", valid_fraction: float = 0.1
) -> tuple[Corpus, Corpus]:
    """Return the documents to train on, and those held out: the last part of every file.

    A file that is one document is cut at the character, others between documents. Lines and
    paragraphs end with their terminator, be it there or not.
    """
    require(
        documents in DOCUMENTS, f"documents is {documents!r}: choose one of {', '.join(DOCUMENTS)}"
    )
    require(
        0 <= valid_fraction < 1,
        f"valid_fraction is {valid_fraction}: it must be 0 or more, below 1",
    )
    borders = [0, *(corpus.ends + 1).tolist()]
    if DOCUMENTS[documents]:
        corpus, borders = _divided(corpus, DOCUMENTS[documents])
    cuts = [start + int((stop - start) * (1 - valid_fraction)) for start, stop in pairwise(borders)]
    if DOCUMENTS[documents]:
        cuts = list(map(partial(_between, corpus.ends), borders, cuts, borders[1:]))
    train, valid = zip(borders, cuts, strict=False), zip(cuts, borders[1:], strict=True)
    return _parts(corpus, train), _parts(corpus, valid)


def _between(ends: NDArray[np.int64], start: int, cut: int, stop: int) -> int:
    """Return the border between documents from `start` to `stop` that is nearest to `cut`: a
    document belongs where its middle lies.
    """

    def begins(index: int) -> int:
        return int(ends[index - 1]) + 1 if index else 0

    first, last = np.searchsorted(ends, (start, stop)).tolist()
    index = bisect_right(range(last), 2 * cut, first, key=lambda i: begins(i) + begins(i + 1))
    return begins(index)


def _parts(corpus: Corpus, borders: Iterable[tuple[int, int]]) -> Corpus:
    """Return the texts of some parts of a corpus, (start, stop), each of which ends one."""
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
    """Return the lines or paragraphs of a corpus, blank lines left out, and the borders of files
    between them.
    """
    solid = np.array([not character.isspace() for character in corpus.tokenizer.alphabet])
    result, borders = Builder(corpus.tokenizer), [0]
    for text in corpus._each():
        # What a block ends with is a line's beginning, kept until its end shows it to be blank.
        begin, filled_so_far, filled_before = len(result.ids), False, False
        for block in chain(blocks(text), [np.full(2, NEWLINE, text.dtype)]):
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
