"""Characters outside an alphabet, folded to similar ones in it: quotes, dashes, accents, spaces."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator

UNKNOWN_CHOICES = ("error", "fold", "skip")  # what to do with characters outside the alphabet

# Characters that can stand for one another, the most usual first.
SIMILAR = (
    "'’‘‛‚′ʼʻ`´‹›",
    '"“”„‟″«»',
    "-–—‐‑‒―−",
    " \t\N{NO-BREAK SPACE}",
    "\n\r\v\f\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}",
    "/\N{FRACTION SLASH}\N{DIVISION SLASH}",
)
GROUPS = {character: group for group in SIMILAR for character in group}
LETTERS = {  # without a decomposition in Unicode
    **{"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"},
    **{"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"},
}


def folded(character: str, alphabet: Container[str]) -> str:
    """Return similar characters that are all in `alphabet`, or "" if there are none.

    >>> folded("é", "abcde"), folded("“", 'ab"'), folded("…", "."), folded("ж", "abc")
    ('e', '"', '...', '')
    """
    for form in _forms(character):
        similar = [_similar(each, alphabet) for each in form]
        if all(similar):
            return "".join(similar)
    return ""


def _forms(character: str) -> Iterator[str]:
    """Yield a character, its normal forms, and its base letters without accents."""
    yield character
    for form in ("NFKC", "NFD", "NFKD"):
        yield unicodedata.normalize(form, character)
    bases = unicodedata.normalize("NFKD", character)
    yield "".join(LETTERS.get(base, base) for base in bases if not unicodedata.combining(base))


def _similar(character: str, alphabet: Container[str]) -> str:
    """Return a character of `alphabet` that can stand for another one, or "" if there is none."""
    group = character + GROUPS.get(character, "")
    return next((each for each in group if each in alphabet), "")
