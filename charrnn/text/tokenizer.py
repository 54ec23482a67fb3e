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
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, UnknownCharacterError, require

Ids = NDArray[np.unsignedinteger[Any]]  # (N,), the smallest type that holds the alphabet


class Tokenizer:
    """An alphabet, and the two look-up tables between code points and ids.

    The order of `alphabet` is the order of ids. Raises ConfigError when it is empty, repeats a
    character, CharRNNError when it holds a lone surrogate (half a character, which no file can
    store).
    """

    def __init__(self, alphabet: str) -> None:
        require(len(alphabet) > 0, "the alphabet is empty: give a text with at least one character")
        self.alphabet = alphabet
        self._code_points = _code_points(alphabet)
        # One entry past the largest code point stands for all that lie beyond it.
        self._ids = np.full(int(self._code_points.max()) + 2, -1, np.int32)
        self._ids[self._code_points] = np.arange(len(alphabet), dtype=np.int32)
        require(
            int((self._ids >= 0).sum()) == len(alphabet), "the alphabet has a character twice over"
        )
        self.dtype = np.min_scalar_type(len(alphabet) - 1)

    @classmethod
    def from_text(cls, *texts: str) -> Tokenizer:
        """Build the alphabet of all `texts` together: their distinct code points, sorted."""
        return cls("".join(sorted(set().union(*texts))))

    def __len__(self) -> int:
        return len(self.alphabet)

    def __repr__(self) -> str:
        return f"<Tokenizer of {len(self)} characters>"

    def encode(self, text: str, unknown: str = "error") -> Ids:
        """Return the ids (N,) of `text`; characters outside the alphabet are named in an
        UnknownCharacterError, or left out with `unknown="skip"`.
        """
        require(unknown in ("error", "skip"), f"`unknown` is {unknown!r}: choose error or skip")
        ids = self.find(text)
        if unknown == "error" and ids.min(initial=0) < 0:
            raise UnknownCharacterError(self._describe_unknown(text))
        return ids[ids >= 0].astype(self.dtype)

    def find(self, text: str) -> NDArray[np.int32]:
        """Return the ids (N,) of `text`, -1 for each character outside the alphabet."""
        return np.take(self._ids, _code_points(text), mode="clip")

    def extended(self, characters: Iterable[str]) -> Tokenizer:
        """Return this tokenizer with those of `characters` that it lacks, sorted, added."""
        return Tokenizer(self.alphabet + "".join(sorted(set(characters) - set(self.alphabet))))

    def decode(self, ids: Ids | NDArray[np.integer[Any]]) -> str:
        """Return the text of `ids` (N,)."""
        return self._code_points.take(ids).tobytes().decode("utf-32-le")

    def _describe_unknown(self, text: str) -> str:
        unknown = sorted(set(text) - set(self.alphabet))
        some = ", ".join(describe(character) for character in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        return (
            f"the model has never seen {some}{more}: "
            "leave such characters out of the text, or skip them with `unknown='skip'`"
        )


def describe(character: str) -> str:
    """Name one character so that it can be told from its look-alikes.

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
            f"the text holds a lone surrogate, U+{ord(text[error.start]):04X}: it is half a "
            "character and cannot be stored; remove it"
        ) from None
