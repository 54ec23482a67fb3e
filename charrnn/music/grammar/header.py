"""The lines of a tune's header: title, meter and key."""

from __future__ import annotations

from collections.abc import Collection

from charrnn.errors import require
from charrnn.music.grammar.rhythm import MAX_TICKS, ticks_of
from charrnn.music.grammar.words import Alphabet
from charrnn.music.tune import MODES, Key, Meter

METERS = (*((n, 2) for n in (2, 3)), *((n, 4) for n in (2, 3, 4, 5, 6)))
METERS += tuple((n, 8) for n in (3, 5, 6, 7, 9, 12))
KEYS = tuple(  # all with at most 7 accidentals, along the circle of fifths
    Key("FCGDAEB"[fifth % 7] + ("", "#", "b")[fifth // 7], mode)
    for mode, fifths in MODES.items()
    for fifth in range(-6 - fifths, 9 - fifths)
)
OPENINGS = {"once": "", "repeated": "|:"}  # how a tune begins, by the part (song.py) it begins with


def meter_lines(alphabet: Alphabet, fills: int, meter: Meter | None) -> dict[str, Meter]:
    """Return the lines for `meter`, or for all of METERS, whose bars can be filled.

    `fills` is the set of durations that notes can fill (rhythm.py). Raises ConfigError for a meter
    that is out of range or cannot be written.

    >>> meter_lines(Alphabet("M:/2\\n"), -1, None)
    {'M:2/2\\n': (2, 2)}
    """
    if meter:
        n, d = meter
        require(
            n > 0 and d in (1, 2, 4, 8, 16, 32) and ticks_of(meter) <= MAX_TICKS,
            "`meter` must be a time signature such as 6/8: the lower number must be 1, 2, 4, 8, 16 "
            f"or 32, and a bar may last at most two whole notes; got '{n}/{d}'",
        )
    lines = {f"M:{n}/{d}\n": (n, d) for n, d in ([meter] if meter else METERS)}
    writable = alphabet.writable("the meter", lines)
    filled = {line: each for line, each in writable.items() if fills >> ticks_of(each) & 1}
    require(bool(filled), f"cannot fill a bar: the alphabet lacks {alphabet.missing('/4')}")
    return filled


def key_lines(
    alphabet: Alphabet, key: Key | None, parts: Collection[str]
) -> dict[str, tuple[Key, str]]:
    """Return the lines for `key`, or for all of KEYS, each followed by the opening of one of the
    `parts`; to each belong its key and part. Raises ConfigError if none can be written.
    """
    keys = {
        f"K:{each}\n{OPENINGS[part]}": (each, part)
        for each in ([key] if key else KEYS)
        for part in parts
    }
    return alphabet.writable("the key", keys)


def title_words(alphabet: Alphabet) -> list[str]:
    """Return the words of a title: characters after at most one space.

    A backslash may precede each, as ABC has it for % and for accents. Returns no words if the
    alphabet cannot write a title.
    """
    seen = [c for c in alphabet.characters if not c.isspace() and c != "\\"]
    words = [before + c for before in ("", " ", "\\", " \\") for c in seen]
    words = [word for word in words if "%" not in word or "\\" in word]
    return words if alphabet.can_write("T") else []
