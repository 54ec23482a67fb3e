"""Ranges of pitches: of instruments, as users write them, and of a corpus."""

from __future__ import annotations

import re
from collections.abc import Iterable

from charrnn.errors import ConfigError, require
from charrnn.music.tune import LETTERS, Tune

# As written: a tin whistle sounds an octave higher. Of strings, first position.
INSTRUMENTS = {
    "fiddle": range(55, 84),  # G3 to B5
    "whistle-D": range(62, 84),  # D4 to B5
    "flute": range(62, 87),  # D4 to D6
    "mandolin": range(55, 84),  # G3 to B5
    "accordion": range(53, 94),  # F3 to A6
    "voice": range(57, 77),  # A3 to E5
}
COVERED = 0.99  # share of a corpus's notes that its range covers
_SCIENTIFIC = re.compile(r"([A-Ga-g])(#|b|)(\d)")
_ABC = re.compile(r"(\^|_|)([A-Ga-g])(,*|'*)")


def parse_range(text: str) -> range:
    """Return the pitches of an instrument or between two pitches, in scientific or ABC notation.

    Raises ConfigError for anything else.

    >>> parse_range("whistle-D") == parse_range("D4-B5") == parse_range("D-b")
    True
    """
    if text in INSTRUMENTS:
        return INSTRUMENTS[text]
    low, high = (parse_pitch(end) for end in text.partition("-")[::2])
    if low is None or high is None:
        raise ConfigError(
            f"`pitches` must be one of {', '.join(INSTRUMENTS)}, or two pitches such as D4-B5 or "
            f"D-b; got {text!r}"
        )
    require(low < high, f"`pitches` must give the lower pitch first; got {text!r}")
    return range(low, high + 1)


def parse_pitch(text: str) -> int | None:
    """Return the MIDI number of a pitch in scientific or ABC notation; None for other text.

    >>> parse_pitch("C4"), parse_pitch("C"), parse_pitch("Bb5"), parse_pitch("_b")
    (60, 60, 82, 82)
    """
    if found := _SCIENTIFIC.fullmatch(text):
        letter, sign, octave = found.groups()
        return 12 * int(octave) + 12 + LETTERS[letter.upper()] + {"#": 1, "b": -1, "": 0}[sign]
    if found := _ABC.fullmatch(text):
        sign, letter, marks = found.groups()
        height = letter.islower() + marks.count("'") - marks.count(",")
        return 60 + 12 * height + LETTERS[letter.upper()] + {"^": 1, "_": -1, "": 0}[sign]
    return None


def name_of(pitch: int) -> str:
    """Return a pitch in scientific notation.

    >>> name_of(60), name_of(82)
    ('C4', 'Bb5')
    """
    names = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
    return f"{names[pitch % 12]}{pitch // 12 - 1}"


def range_of(tunes: Iterable[Tune]) -> range | None:
    """Return the range that covers COVERED of the tunes' notes; None without notes.

    It omits as many of the highest notes as of the lowest.
    """
    pitches = sorted(
        note.pitch
        for tune in tunes
        for bar in tune.bars
        for note in bar.notes
        if note.pitch is not None
    )
    if not pitches:
        return None
    outside = int(len(pitches) * (1 - COVERED) / 2)
    return range(pitches[outside], pitches[-1 - outside] + 1)
