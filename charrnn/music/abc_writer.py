"""Tunes to text in ABC notation, version 2.1.

There are two styles: canonical text, the one spelling of a tune from which networks learn, and
files for people and notation programs, with spaces between beats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from charrnn.music.abc_fields import EIGHTH
from charrnn.music.harmony import NO_SYMBOLS, Symbols, symbols_of
from charrnn.music.tune import Bar, Key, Meter, Note, Tune

BARS_IN_LINE = 4
_SPECIAL = "%\\"  # in the titles of files
_ALTERED = {2: "^^", 1: "^", 0: "=", -1: "_", -2: "__"}


def canonical(tune: Tune, title: bool = False, marks: Sequence[str] = ()) -> str:
    """Return the canonical text of the tune: header, one line of music, a blank line.

    `marks` are texts to insert at the beginning of each bar (countdown.py).

    >>> from charrnn.music.abc_parser import read_abc
    >>> tune = read_abc("M:2/4\\nK:C\\n|:c4|d4:|\\n\\n").tunes[0]
    >>> canonical(tune), canonical(tune, marks="IH")
    ('M:2/4\\nK:Cmaj\\n|:c4|d4:|\\n\\n', 'M:2/4\\nK:Cmaj\\n|:Ic4|Hd4:|\\n\\n')
    """
    head = _title(tune, "%") if title else ""
    return f"{head}M:{_meter_text(tune.meter)}\nK:{tune.key}\n{_body(tune, False, marks)}\n\n"


def write_abc(tunes: Iterable[Tune], *, chords: bool = False) -> str:
    """Return the tunes as a file for people and notation programs, numbered from 1.

    With `chords`, it has the symbols of the chords of harmony.py where they change; raises
    ConfigError for a tune without a key.
    """
    return "".join(
        f"X:{number}\n{_title(tune, _SPECIAL)}M:{_meter_text(tune.meter)}\nL:1/8\nK:{tune.key}\n"
        f"{_body(tune, True, symbols=symbols_of(tune) if chords else NO_SYMBOLS)}\n\n"
        for number, tune in enumerate(tunes, 1)
    )


def write_bars(tune: Tune, first: int, last: int, unit: Fraction = EIGHTH) -> str:
    """Return the music of the bars from `first` to `last` (indices, both included), without the bar
    lines before and after them.
    """
    return _music(tune, first, last + 1, unit, True).lstrip()


def _title(tune: Tune, special: str) -> str:
    """Return the title's line, with a backslash before each of the `special` characters."""
    title = re.sub(f"[{re.escape(special)}]", r"\\\g<0>", tune.title)
    title = " ".join(title.split()).lstrip("|: ")
    return f"T:{title}\n" if title else ""


def _meter_text(meter: Meter | None) -> str:
    return "none" if meter is None else f"{meter[0]}/{meter[1]}"


def _body(
    tune: Tune, spaced: bool, marks: Sequence[str] = (), symbols: Symbols = NO_SYMBOLS
) -> str:
    begin = "|:" if tune.bars[0].opens else ""
    end = ":|" if tune.bars[-1].repeats else "|]"
    return begin + _music(tune, 0, len(tune.bars), EIGHTH, spaced, marks, symbols) + end


def _music(
    tune: Tune,
    begin: int,
    end: int,
    unit: Fraction,
    spaced: bool,
    marks: Sequence[str] = (),
    symbols: Symbols = NO_SYMBOLS,
) -> str:
    """Return the bars from `begin` up to `end`, with the bar lines between them."""
    parts = []
    key = tune.key
    in_line = 0
    for index, (bar, meter) in enumerate(zip(tune.bars[:end], tune.meters(), strict=False)):
        before = tune.bars[index - 1]
        if index > begin:
            parts.append(_bar_line(before, bar))
            if spaced and in_line >= BARS_IN_LINE and not bar.ending:
                parts.append("\n")
                in_line = 0
        key = bar.key or key
        if index > begin or index == 0:
            parts += marks[index : index + 1]
            parts.append(f"[M:{_meter_text(meter)}]" if bar.meter else "")
            parts.append(f"[K:{bar.key}]" if bar.key else "")
        if index >= begin:
            short = max(Fraction(0), Fraction(*(meter or (0, 1))) - bar.duration)
            begins = index == 0 or bar.opens or before.repeats or before.closes
            in_line += not (short and begins)
            start = short if begins else Fraction(0)
            own = symbols.get(index, {})
            parts.append(_bar(bar, key, unit, spaced, _beat(meter), start, own))
    return "".join(parts)


def _bar_line(before: Bar, after: Bar) -> str:
    if before.repeats:
        return "::" if after.opens else f":|{after.ending or ''}"
    if after.opens:
        return "|:"
    if after.ending:
        return f"|{after.ending}"
    return "||" if before.closes else "|"


def _beat(meter: Meter | None) -> Fraction:
    """Return the duration of the groups of notes that are written without a space."""
    count, unit = meter or (4, 4)
    if unit >= 8:
        return Fraction(3 if count % 3 == 0 else count, unit)
    return Fraction(2 if (count, unit) == (4, 4) else 1, unit)


def _bar(
    bar: Bar,
    key: Key,
    unit: Fraction,
    spaced: bool,
    beat: Fraction,
    start: Fraction,
    symbols: Mapping[Fraction, str],
) -> str:
    """Return the notes of a bar, with chord symbols at some offsets; `start` is the time in the
    meter at which it begins.
    """
    signature = key.signature()
    heard: dict[str, int] = {}  # the accidentals so far, by letter, and by letter and octave
    now = start
    parts = []
    for group in _groups(bar.notes):
        if spaced and now != start and now % beat == 0:
            parts.append(" ")
        p = math.lcm(*(note.duration.denominator for note in group))
        p //= p & -p
        q = 1 << (p.bit_length() - 1)
        if p > 1:
            short = (p, q, len(group)) == (3, 2, 3)
            parts.append("(3" if short else f"({p}:{q}:{len(group)}")
        for note in group:
            if now - start in symbols:
                parts.append(f'"{symbols[now - start]}"')
            parts.append(pitch_text(note.pitch, key, signature, heard, spaced))
            parts.append(length_text(note.duration / unit * p / q))
            parts.append("-" if note.tied else "")
            now += note.duration
    return "".join(parts)


def _groups(notes: Iterable[Note]) -> Iterator[list[Note]]:
    """Yield single notes, and the notes of a tuplet together: the shortest run whose duration has
    a power of two as its denominator.
    """
    group: list[Note] = []
    total = Fraction(0)
    for note in notes:
        group.append(note)
        total += note.duration
        if total.denominator & (total.denominator - 1) == 0:
            yield group
            group, total = [], Fraction(0)
    if group:
        yield group


def pitch_text(
    pitch: int | None, key: Key, signature: dict[str, int], heard: dict[str, int], careful: bool
) -> str:
    """Return accidental, letter and octave marks.

    Some readers apply an accidental to all octaves; `careful` writes those that only they need.
    """
    if pitch is None:
        return "z"
    letter, alteration, height = key.spelling(pitch)
    place = f"{letter}{height}"
    accidental = ""
    known = [heard.get(name, signature[letter]) for name in (place, letter)[: 1 + careful]]
    if known != [alteration] * len(known):
        accidental = _ALTERED[alteration]
        heard[place] = heard[letter] = alteration
    if height > 0:
        return accidental + letter.lower() + "'" * (height - 1)
    return accidental + letter + "," * -height


def length_text(length: Fraction) -> str:
    """Return the text after a note for a length in units.

    >>> [length_text(Fraction(ticks, 4)) for ticks in (4, 8, 2, 6, 1, 3)]
    ['', '2', '/', '3/2', '/4', '3/4']
    """
    over, under = length.numerator, length.denominator
    if under == 1:
        return "" if over == 1 else str(over)
    return ("" if over == 1 else str(over)) + ("/" if (over, under) == (1, 2) else f"/{under}")
