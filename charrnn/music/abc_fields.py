"""The ABC fields that determine how notes are read: meter (M:), unit note length (L:), key (K:)."""

from __future__ import annotations

import re
from fractions import Fraction

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.tune import LETTERS, MODES, Key, Meter

EIGHTH = Fraction(1, 8)
SIGNS = {"^^": 2, "^": 1, "": 0, "=": 0, "_": -1, "__": -2}


def read_meter(value: str) -> Meter | None:
    """Return the meter that an M: field states, None for a free one; raises CorpusError.

    >>> read_meter("C|"), read_meter("2+3/8"), read_meter("none")
    ((2, 2), (5, 8), None)
    """
    value = value.strip()
    if value.lower() in ("none", ""):
        return None
    if value[:2] == "C|":
        return (2, 2)
    if value[0] == "C":
        return (4, 4)
    found = re.match(r"\(?\s*(\d{1,2}(?:\s*\+\s*\d{1,2})*)\s*\)?\s*/\s*(\d{1,2})(?!\d)", value)
    if found:
        beats = sum(map(int, found.group(1).split("+")))
        unit = int(found.group(2))
        if beats and unit in (1, 2, 4, 8, 16, 32, 64):
            return (beats, unit)
    raise CorpusError(f"unknown meter M:{value[:20]}; write it like M:6/8, M:C or M:none")


def read_unit(value: str) -> Fraction:
    """Return the length in whole notes that an L: field states; raises CorpusError."""
    found = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,3}))?(?!\d)", value)
    if found and int(found.group(1)) and int(found.group(2) or 1):
        return Fraction(int(found.group(1)), int(found.group(2) or 1))
    raise CorpusError(f"unknown unit note length L:{value.strip()[:20]}; write it like L:1/8")


def default_unit(meter: Meter | None) -> Fraction:
    """Return the unit note length of a tune without L:, which depends on its meter."""
    return Fraction(1, 16) if meter and Fraction(*meter) < Fraction(3, 4) else EIGHTH


_KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)(.*)")
_GLOBAL = re.compile(r"(?<!\S)([\^_]{1,2}|=)([A-Ga-g])(?!\S)")
_MODE_NAMES = {"": "maj", "m": "min", "ion": "maj", "aeo": "min"} | {mode: mode for mode in MODES}


def read_key(value: str) -> tuple[Key, dict[str, int]]:
    """Return the key that a K: field states, and its signature: the semitones added to each letter.

    Explicit accidentals belong to the signature; clefs and other words are ignored. Raises
    ConfigError for a key that needs more than seven accidentals.

    >>> read_key("A dorian")[0], read_key("F#m clef=treble")[0], read_key("D exp _b")[1]["F"]
    (Key(tonic='A', mode='dor'), Key(tonic='F#', mode='min'), 0)
    """
    if value.strip()[:2].upper() == "HP":  # Highland pipes: F and C sharp, tonic A
        value = "A mix"
    found = _KEY.match(value)
    if not found:  # K:none, K:, K:clef=bass
        key, rest = Key(), value
    else:
        tonic, accidental, word, rest = found.groups()
        mode = _MODE_NAMES.get(word if word in ("m", "M") else word.lower()[:3], None)
        if word == "M":
            mode = "maj"
        if mode is None:  # a word that isn't a mode, such as `exp` or `clef=`
            mode, rest = "maj", word + rest
        key = Key(tonic + accidental, mode)
    explicit = re.search(r"(?<!\S)exp(?!\S)", rest) is not None
    signature = dict.fromkeys(LETTERS, 0) if explicit else key.signature()
    for sign, letter in _GLOBAL.findall(rest):
        signature[letter.upper()] = SIGNS[sign]
    return _named(key, signature), signature


def _named(key: Key, signature: dict[str, int]) -> Key:
    """Return the key on the same tonic with this signature, or `key` if no mode has it."""
    for mode in MODES:
        try:
            named = Key(key.tonic, mode)
        except ConfigError:
            continue
        if key.signature() != signature and named.signature() == signature:
            return named
    return key
