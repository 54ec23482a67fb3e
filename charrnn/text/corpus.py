"""A corpus: texts as ids, built while they are read.

Text becomes ids while it is read, so that only one block of it is in memory as text. The alphabet
isn't known yet at that time: each new character gets the next id, and `Corpus.encode` maps these to
the ids of a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError, counted, require_choice
from charrnn.progress import watched
from charrnn.text.batches import Encoded
from charrnn.text.documents import Reading
from charrnn.text.fold import UNKNOWN_CHOICES
from charrnn.text.plain import PLAIN_TEXT
from charrnn.text.spool import BLOCK, Spool, blocks, joined
from charrnn.text.tokenizer import Ids, Tokenizer

NEWLINE = 0  # its id in every corpus


@dataclass(frozen=True, eq=False)
class Corpus:
    """Non-empty texts as concatenated ids: one text per file or, after the split, one per document.
    A long corpus is in a temporary file.

    >>> corpus = Corpus.from_texts("bread", "butter")
    >>> corpus.texts
    ('bread', 'butter')
    >>> corpus.encode(Tokenizer("abdertu"))
    Encoded(ids=array([1, 4, 3, 0, 2, 1, 6, 5, 5, 3, 4], dtype=uint8), ends=array([ 4, 10]))
    """

    tokenizer: Tokenizer  # its alphabet may have characters that don't occur in the texts
    ids: Ids  # (N,)
    ends: NDArray[np.int64]  # the position of each text's last character, ascending
    names: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()  # for the user
    reading: Reading = PLAIN_TEXT  # how the files were read
    facts: Mapping[str, Any] = field(default_factory=dict)  # that the reading found out

    @classmethod
    def from_texts(cls, *texts: str) -> Corpus:
        """Make a corpus from strings; empty ones are skipped."""
        builder = Builder()
        for text in texts:
            builder.add(blocks(text))
        return builder.corpus()

    def __repr__(self) -> str:
        names = ", ".join(self.names[:3]) + (", ..." if len(self.names) > 3 else "")
        return f"<Corpus {names or 'of texts'}: {len(self.ids):,} characters>"

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, decoded."""
        return tuple(self.tokenizer.decode(ids) for ids in self.each())

    def head(self, length: int = 1 << 20) -> str:
        """Return the first `length` characters."""
        return self.tokenizer.decode(self.ids[:length])

    def pieces(self) -> Iterator[str]:
        """Yield all texts, decoded, a block at a time."""
        return map(self.tokenizer.decode, blocks(self.ids))

    @cached_property
    def digest(self) -> str:
        """A SHA-256 over the texts and their boundaries, but not their names."""
        digest = hashlib.sha256()
        widths = np.array([len(character.encode()) for character in self.tokenizer.alphabet])
        for ids in self.each():
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
        """Return the texts in the ids of `tokenizer`; `unknown` and errors as in
        `Tokenizer.encode`.
        """
        require_choice("unknown", unknown, UNKNOWN_CHOICES)
        table = tokenizer.find(self.tokenizer.alphabet)
        if table.min() < 0 and (replaced := tokenizer.replacements(self.characters(), unknown)):
            builder = Builder(tokenizer)
            for text in self.each():
                for block in blocks(text):
                    known = self.tokenizer.decode(block).translate(replaced)
                    builder.ids.append(tokenizer.find(known))
                builder.end()
            return Encoded(builder.ids.array(), builder.ends.array())
        if self.ids.dtype == tokenizer.dtype and np.array_equal(table, np.arange(len(table))):
            return Encoded(self.ids, self.ends)
        pieces = watched(blocks(self.ids), "encoding the corpus", len(self.ids) / BLOCK)
        recoded = joined(tokenizer.dtype, map(table.take, pieces))
        return Encoded(recoded, self.ends)

    def replaced(self, tokenizer: Tokenizer, unknown: str) -> tuple[str, ...]:
        """Return notices of how many characters `encode` replaces and skips."""
        if unknown == "error":
            return ()
        replacements = tokenizer.replacements(self.characters(), unknown)
        counts = np.zeros(len(self.tokenizer), np.int64)
        for block in blocks(self.ids):
            counts += np.bincount(block, minlength=len(counts))
        totals = {"replaced": 0, "skipped": 0}
        for code_point, text in replacements.items():
            count = counts[self.tokenizer.alphabet.index(chr(code_point))]
            totals["replaced" if text else "skipped"] += int(count)
        what = {"replaced": "with similar ones from", "skipped": "not in"}
        return tuple(
            f"{verb} {counted(total, 'character')} {what[verb]} the model's alphabet"
            for verb, total in totals.items()
            if total
        )

    def each(self) -> Iterator[Ids]:
        """Yield the ids (n,) of each text."""
        start = 0
        for block in blocks(self.ends):
            for end in block.tolist():
                yield self.ids[start : end + 1]
                start = end + 1


class Builder:
    """Appends texts one by one, as pieces of text or as ids."""

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self.tokenizer = tokenizer or Tokenizer("\n")
        self.ids, self.ends = Spool(self.tokenizer.dtype), Spool(np.int64)
        self._begin = 0  # of the current text

    def add(self, pieces: Iterable[str]) -> int:
        """Add one text and return its length; if its pieces raise a CorpusError, add nothing."""
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
        """End the current text; does nothing if it is empty."""
        if len(self.ids) > self._begin:
            self._begin = len(self.ids)
            self.ends.append(np.array([self._begin - 1]))

    def corpus(
        self,
        names: Sequence[str] = (),
        notices: Sequence[str] = (),
        reading: Reading = PLAIN_TEXT,
        facts: Mapping[str, Any] = {},
    ) -> Corpus:
        """Return the corpus of all texts; nothing can be added afterwards."""
        arrays = self.ids.array(), self.ends.array()
        return Corpus(self.tokenizer, *arrays, tuple(names), tuple(notices), reading, facts)
