"""The fields of ABC that say how notes are read: metre (M:), unit note length (L:), key (K:)."""

from __future__ import annotations

import re
from fractions import Fraction

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.tune import LETTERS, MODES, Key, Meter

EIGHTH = Fraction(1, 8)
SIGNS = {"^^": 2, "^": 1, "": 0, "=": 0, "_": -1, "__": -2}


def read_meter(value: str) -> Meter | None:
    """Read the value of M:; raises CorpusError.

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
    raise CorpusError(f"the metre M:{value[:20]} is none; write it like M:6/8, M:C or M:none")


def read_unit(value: str) -> Fraction:
    """Read the value of L:; raises CorpusError."""
    found = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,3}))?(?!\d)", value)
    if found and int(found.group(1)) and int(found.group(2) or 1):
        return Fraction(int(found.group(1)), int(found.group(2) or 1))
    raise CorpusError(f"the unit note length L:{value.strip()[:20]} is none; write it like L:1/8")


def default_unit(meter: Meter | None) -> Fraction:
    """Return what the unit note length is where no L: says it: from the metre."""
    return Fraction(1, 16) if meter and Fraction(*meter) < Fraction(3, 4) else EIGHTH


_KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)(.*)")
_GLOBAL = re.compile(r"(?<!\S)([\^_]{1,2}|=)([A-Ga-g])(?!\S)")
_MODE_NAMES = {"": "maj", "m": "min", "ion": "maj", "aeo": "min"} | {mode: mode for mode in MODES}


def read_key(value: str) -> tuple[Key, dict[str, int]]:
    """Read the value of K: as a key and what its signature does to each letter; may raise
    ConfigError for a key that no signature has.

    Explicit accidentals belong to the signature. Clefs and other words mean nothing here.

    >>> read_key("A dorian")[0], read_key("F#m clef=treble")[0], read_key("D exp _b")[1]["F"]
    (Key(tonic='A', mode='dor'), Key(tonic='F#', mode='min'), 0)
    """
    if value.strip()[:2].upper() == "HP":  # the highland pipes: F and C sharp, and at home in A
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
    """Return the key of this tonic that has the signature, or, where no mode has it, `key`."""
    for mode in MODES:
        try:
            named = Key(key.tonic, mode)
        except ConfigError:
            continue
        if key.signature() != signature and named.signature() == signature:
            return named
    return key
