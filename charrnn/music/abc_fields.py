"""The ABC fields that determine how notes are read: meter (M:), unit note length (L:), key (K:),
and the modifiers of K: and V: that shift the pitch.
"""

from __future__ import annotations

import html
import re
import unicodedata
from fractions import Fraction

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.tune import LETTERS, MODES, Key, Meter

EIGHTH = Fraction(1, 8)
UNITS = {1, 2, 4, 8, 16, 32, 64}  # of meters
SIGNS = {"^^": 2, "^": 1, "": 0, "=": 0, "_": -1, "__": -2}

_FREE = re.compile(r"(?:none|free|frei|$)", re.IGNORECASE)  # "frei", as in the Essen collection
_FRACTION = re.compile(r"(\(?\s*+\d{1,3}(?:\s*+\+\s*+\d{1,3}){0,8}\s*+\)?)\s*+/\s*+(\d{1,2})(?!\d)")
_METER = re.compile(rf"{_FRACTION.pattern}(?:\s*+\+\s*+{_FRACTION.pattern}){{0,8}}")
_UNIT = re.compile(r"\s*+(\d{1,3})(?:\s*+/\s*+(\d{1,3}))?(?![\d/])")


def read_meter(value: str) -> Meter | None:
    """Return the meter that an M: field states, None for a free one; raises CorpusError.

    >>> read_meter("C|"), read_meter("2+3/8"), read_meter("2/4+3/8"), read_meter("none")
    ((2, 2), (5, 8), (7, 8), None)
    """
    value = value.strip()
    if _FREE.match(value):
        return None
    if value[:1] in "Cc":
        return (2, 2) if value[1:2] == "|" else (4, 4)
    parts = _METER.match(value)
    fractions = _FRACTION.findall(parts[0]) if parts else []
    units = [int(unit) for _, unit in fractions]
    if units and set(units) <= UNITS:
        beats = [sum(map(int, re.findall(r"\d+", counts))) for counts, _ in fractions]
        finest = max(units)
        total = sum(count * finest // unit for count, unit in zip(beats, units, strict=True))
        if 0 < total < 1000:
            return (total, finest)
    raise CorpusError(f"unknown meter M:{value[:20]}; write it like M:6/8, M:C or M:none")


def read_unit(value: str) -> Fraction:
    """Return the length in whole notes that an L: field states; raises CorpusError."""
    found = _UNIT.match(value)
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


def states_key(value: str) -> bool:
    """Return whether a K: field states a key or a signature.

    >>> [states_key(value) for value in ("Dm", "none", "", "clef=bass", "none ^f")]
    [True, False, False, False, True]
    """
    pipes = value.strip()[:2].upper() == "HP"
    return bool(pipes or _KEY.match(value) or _GLOBAL.search(value))


_OCTAVE = re.compile(r"(?<!\S)octave\s*+=\s*+([+-]?\d{1,2})(?!\d)")
_OCTAVE_CLEF = re.compile(r"(?<!\S)(?:clef\s*+=\s*+)?[a-zA-Z]++\d?([+-])(8|15)(?!\S)")
_TRANSPOSE = re.compile(r"(?<!\S)transpose\s*+=\s*+([+-]?\d{1,2})(?!\d)")


def read_shifts(value: str) -> tuple[int | None, int | None]:
    """Return by how many octaves and semitones K: or V: shift the notes, None where not stated.

    >>> read_shifts("D clef=treble-8 transpose=2"), read_shifts("1 treble+8 octave=-1")
    ((-1, 2), (-1, None))
    """
    octave, clef = _OCTAVE.search(value), _OCTAVE_CLEF.search(value)
    semitones = _TRANSPOSE.search(value)
    octaves = None
    if octave:
        octaves = int(octave[1])
    elif clef:
        octaves = int(clef[1] + "1") * (int(clef[2]) // 7)
    return octaves, int(semitones[1]) if semitones else None


# Combining characters for the accents of ABC, such as the acute of \'e.
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308"}
_ACCENTS |= {"u": "\u0306", "v": "\u030c", "a": "\u030a", "H": "\u030b", "c": "\u0327"}
_ACCENTS |= {"o": "\u030a", ",": "\u0327"}  # of ABC 2.0
_LETTERS = {"ss": "ß", "AE": "Æ", "ae": "æ", "OE": "Œ", "oe": "œ", "/O": "Ø", "/o": "ø"}
_LETTERS |= {"TH": "Þ", "th": "þ", "DH": "Ð", "dh": "ð"}
_MNEMONIC = re.compile(
    r"""
      \\(?P<letters>ss|AE|ae|OE|oe|/O|/o|TH|th|DH|dh)
    | \\u(?P<code>[0-9a-fA-F]{4})
    | \\(?P<accent>[`'^~",uvacHo])(?P<letter>[A-Za-z])
    | \\(?P<plain>[%&\\])
    | (?P<entity>&[A-Za-z]{2,8};)
    """,
    re.VERBOSE,
)


def plain_text(value: str) -> str:
    r"""Return a text such as a title as one line, with accents, without control characters.

    >>> plain_text(r" R\'iu R\'iu  Chiu, 100\% &Eacute; \u00e9 \aa \ss ")
    'Ríu Ríu Chiu, 100% É é å ß'
    """
    return one_line(unicodedata.normalize("NFC", _MNEMONIC.sub(_decoded, value)))


def one_line(value: str) -> str:
    """Return a text without control characters, with single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _decoded(found: re.Match[str]) -> str:
    if found["letters"]:
        return _LETTERS[found["letters"]]
    if found["accent"]:
        joined = unicodedata.normalize("NFC", found["letter"] + _ACCENTS[found["accent"]])
        return (
            joined if len(joined) == 1 else found[0]
        )  # no such letter: a backslash like any other
    if found["code"]:
        return chr(int(found["code"], 16))
    if found["plain"]:
        return found["plain"]
    letter = html.unescape(found["entity"])
    return letter if letter.isalpha() or letter == "&" else found["entity"]


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
