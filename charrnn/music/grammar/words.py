"""Words of a tune, what they mean, and which of them an alphabet can write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require
from charrnn.music.grammar.caching import cached_method

T = TypeVar("T")

REST, LINE = "rest", "line"


class Pitch(NamedTuple):
    """A pitch as it is written."""

    semitones: int  # above the natural letter
    name: str  # the letter with its octave marks


class Length(NamedTuple):
    """The length of a note or rest."""

    ticks: int
    tied: bool


class Tuplet(NamedTuple):
    """An open tuplet."""

    number: int  # of notes in the time of rhythm.TUPLETS[number]
    left: int  # notes still to come
    written: int = 0  # sum of the written lengths of its notes so far, in ticks


Meaning = Length | Tuplet | Pitch | str  # a str is REST or LINE


def members(times: int) -> list[int]:
    """Return the members of a set, in ascending order."""
    return [time for time in range(times.bit_length()) if times >> time & 1]


def bitset(times: Iterable[int]) -> int:
    """Return the set of the given times.

    >>> bitset([0, 3]), members(9)
    (9, [0, 3])
    """
    return sum(1 << time for time in set(times))


class Alphabet:
    """The characters that can be written; bit i of a character set stands for character i.

    >>> alphabet = Alphabet("abc")
    >>> alphabet.can_write("cab"), alphabet.missing("bad")
    (True, "'d'")
    >>> alphabet.mask(alphabet.bits["a"] | alphabet.bits["c"]).tolist()
    [True, False, True]
    """

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.bits = {character: 1 << id for id, character in enumerate(characters)}

    @cached_method
    def can_write(self, word: str) -> bool:
        """Return whether the alphabet has all characters of `word`."""
        return self.bits.keys() >= set(word)

    @cached_method
    def mask(self, bits: int) -> NDArray[np.bool_]:
        """Return a character set as a mask, (V,)."""
        return np.array([bool(bits & bit) for bit in self.bits.values()])

    def missing(self, characters: str) -> str:
        """Return those of `characters` that the alphabet lacks, for an error message."""
        return ", ".join(repr(c) for c in dict.fromkeys(characters) if c not in self.bits)

    def writable(self, what: str, words: Mapping[str, T]) -> dict[str, T]:
        """Return the words that can be written; raises ConfigError if there are none."""
        writable = {word: to for word, to in words.items() if self.can_write(word)}
        first = next(iter(words))
        require(
            bool(writable),
            f"cannot write {what} {first.strip()}: the alphabet lacks {self.missing(first)}",
        )
        return writable


class Words:
    """Words that may come next: those of `meanings` that the alphabet can write.

    Made once for each set of words and compared by identity, so that states are cheap to hash.

    >>> alphabet = Alphabet("|]1c")
    >>> words = Words({"|": LINE, "|]": LINE, "|:": LINE}, alphabet)
    >>> words.meanings
    {'|': 'line', '|]': 'line'}
    >>> alphabet.mask(words.following["|"]).tolist()
    [False, True, False, False]
    """

    def __init__(self, meanings: Mapping[str, Meaning], alphabet: Alphabet) -> None:
        self.meanings = {word: to for word, to in meanings.items() if alphabet.can_write(word)}
        # For each beginning of a word, the set of characters that continue it.
        self.following = dict.fromkeys(self.meanings, 0)
        for word in self.meanings:
            for length, character in enumerate(word):
                beginning = word[:length]
                bits = self.following.get(beginning, 0)
                self.following[beginning] = bits | alphabet.bits[character]
