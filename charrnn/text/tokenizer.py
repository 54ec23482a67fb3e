"""Text to ids and back: one id for each Unicode code point of the alphabet.

>>> tokenizer = Tokenizer.from_text("banana bread")
>>> tokenizer.alphabet
' abdenr'
>>> tokenizer.encode("bad")
array([2, 1, 3], dtype=uint8)
>>> tokenizer.decode(tokenizer.encode("bad"))
'bad'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, UnknownCharacterError, require, require_choice
from charrnn.text.fold import UNKNOWN_CHOICES, folded

Ids = NDArray[np.unsignedinteger[Any]]  # (N,), the smallest type that holds the alphabet


class Tokenizer:
    """An alphabet, and the two look-up tables between code points and ids.

    Ids follow the order of `alphabet`. Raises ConfigError if it is empty or repeats a character,
    and CharRNNError if it contains a lone surrogate (half a character, which no file can store).
    """

    def __init__(self, alphabet: str) -> None:
        require(len(alphabet) > 0, "the alphabet is empty; give a text with at least 1 character")
        self.alphabet = alphabet
        self._code_points = _code_points(alphabet)
        # One entry past the largest code point stands for all larger ones.
        self._ids = np.full(int(self._code_points.max()) + 2, -1, np.int32)
        self._ids[self._code_points] = np.arange(len(alphabet), dtype=np.int32)
        require(int((self._ids >= 0).sum()) == len(alphabet), "the alphabet repeats a character")
        self.dtype = np.min_scalar_type(len(alphabet) - 1)

    @classmethod
    def from_text(cls, *texts: str) -> Tokenizer:
        """Build the alphabet of all `texts`: their distinct code points, sorted."""
        return cls("".join(sorted(set().union(*texts))))

    def __len__(self) -> int:
        return len(self.alphabet)

    def __repr__(self) -> str:
        return f"<Tokenizer of {len(self)} characters>"

    def encode(self, text: str, unknown: str = "error") -> Ids:
        """Return the ids (N,) of `text`. Raises UnknownCharacterError for characters outside the
        alphabet, unless `unknown` is "skip" or "fold", which skips only those without similar
        characters in the alphabet.
        """
        require_choice("unknown", unknown, UNKNOWN_CHOICES)
        ids = self.find(text)
        if ids.min(initial=0) < 0:
            ids = self.find(text.translate(self.replacements(text, unknown)))
        return ids.astype(self.dtype)

    def replacements(self, characters: Iterable[str], unknown: str) -> dict[int, str]:
        """Return the texts to replace those code points of `characters` with that the alphabet
        lacks; "" skips one. Raises UnknownCharacterError as `encode` does.
        """
        alphabet = set(self.alphabet)
        lacking = sorted(set(characters) - alphabet)
        if lacking and unknown == "error":
            raise UnknownCharacterError(_describe_unknown(lacking))
        return {ord(each): folded(each, alphabet) if unknown == "fold" else "" for each in lacking}

    def find(self, text: str) -> NDArray[np.int32]:
        """Return the ids (N,) of `text`, with -1 for each character outside the alphabet."""
        return np.take(self._ids, _code_points(text), mode="clip")

    def extended(self, characters: Iterable[str]) -> Tokenizer:
        """Return a tokenizer whose alphabet ends with those `characters` that this one lacks,
        sorted.
        """
        return Tokenizer(self.alphabet + "".join(sorted(set(characters) - set(self.alphabet))))

    def decode(self, ids: Ids | NDArray[np.integer[Any]]) -> str:
        """Return the text of `ids` (N,)."""
        return self._code_points.take(ids).tobytes().decode("utf-32-le")


def _describe_unknown(lacking: Sequence[str]) -> str:
    some = ", ".join(describe(character) for character in lacking[:5])
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    one = len(lacking) == 1
    it, similar = ("it", "a similar character") if one else ("them", "similar characters")
    return (
        f"the model's alphabet lacks {some}{more}; replace {it} with {similar} "
        f"(`unknown='fold'`), or skip {it} (`unknown='skip'`)"
    )


def describe(character: str) -> str:
    """Return a character with its code point and name, to tell it from look-alikes.

    >>> describe("é")
    "'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)"
    """
    name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{' ' + name if name else ''})"


def _code_points(text: str) -> NDArray[np.uint32]:
    try:
        return np.frombuffer(text.encode("utf-32-le"), "<u4")
    except UnicodeEncodeError as error:
        raise CharRNNError(
            f"the text contains a lone surrogate, U+{ord(text[error.start]):04X} (half a "
            "character, which cannot be encoded); remove it"
        ) from None
