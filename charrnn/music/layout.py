"""The layout of a tune: its bars in systems.

A tune is drawn as written: bars in order, with repeat signs. Each note is numbered among the tune's
notes, rests not counted; performance.py returns when each number is played, twice inside a repeat.
A page can therefore highlight notes as they sound, in a piano roll (piano_roll.py) or in sheet
music (sheet_music.py).
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from charrnn.music.tune import Bar, Key, Meter, Note, Tune

_MODES = {
    "maj": "major",
    "min": "minor",
    "dor": "dorian",
    "phr": "phrygian",
    "lyd": "lydian",
    "mix": "mixolydian",
    "loc": "locrian",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """Return `text` escaped for HTML and XML, between tags and in attributes.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def beat(meter: Meter | None) -> Fraction:
    """Return the length of a beat in whole notes: three eighths in 6/8, 9/8 and 12/8.

    >>> beat((6, 8))
    Fraction(3, 8)
    >>> beat((4, 4))
    Fraction(1, 4)
    """
    if meter is None:
        return Fraction(1, 4)
    beats, unit = meter
    compound = beats > 3 and beats % 3 == 0
    return Fraction(3 if compound else 1, unit)


def key_name(key: Key) -> str:
    """Return the key as a musician writes it.

    >>> key_name(Key("Bb", "min"))
    'B♭ minor'
    """
    return f"{tonic_name(key)} {_MODES[key.mode]}"


def tonic_name(key: Key) -> str:
    """Return the tonic as a musician writes it."""
    return key.tonic.replace("#", "♯").replace("b", "♭")


@dataclass(frozen=True)
class Measure:
    """A bar, and the key and meter in force."""

    bar: Bar
    index: int  # of the bar in the tune
    first: int  # the number of its first note
    key: Key
    meter: Meter | None
    begins: bool  # a section
    ending: int  # that it belongs to; 0 for none
    news: str  # the key and meter where they change

    @property
    def missing(self) -> Fraction:
        """The part of the meter that is missing before it if it is a pick-up, otherwise 0."""
        if self.meter is None or not self.begins:
            return Fraction(0)
        return max(Fraction(0), Fraction(*self.meter) - self.bar.duration)

    @property
    def upbeat(self) -> bool:
        """Whether it is a pick-up: a section's first bar, shorter than the meter."""
        return self.missing > 0

    def beats(self) -> list[Fraction]:
        """Return the times of its beats in whole notes; those of a pick-up count from its end."""
        if self.meter is None:
            return [Fraction(0)]
        step = beat(self.meter)
        first = math.ceil(self.missing / step)
        last = math.ceil((self.missing + self.bar.duration) / step)
        return [number * step - self.missing for number in range(first, last)]

    def notes(self) -> Iterator[tuple[int, int, Fraction, Note]]:
        """Yield number, pitch and offset of each note, and the note; rests are skipped."""
        number = self.first
        offset = Fraction(0)
        for note in self.bar.notes:
            if note.pitch is not None:
                yield number, note.pitch, offset, note
                number += 1
            offset += note.duration


def measures_of(tune: Tune) -> list[Measure]:
    """Return the bars as written, each with the key and meter in force."""
    measures: list[Measure] = []
    number, ending = 0, 0
    starts = {section.start for section in tune.sections()}
    for index, (bar, key, meter) in enumerate(
        zip(tune.bars, tune.keys(), tune.meters(), strict=True)
    ):
        begins = index in starts
        ending = bar.ending or (0 if begins else ending)
        news = [key_name(key)] if bar.key or not measures else []
        if meter and (bar.meter or not measures):
            news.append(f"{meter[0]}/{meter[1]}")
        measures.append(Measure(bar, index, number, key, meter, begins, ending, ", ".join(news)))
        number += sum(note.pitch is not None for note in bar.notes)
    return measures


def length_of(measures: list[Measure]) -> Fraction:
    """Return the sum of the measures' durations in whole notes."""
    return sum((measure.bar.duration for measure in measures), Fraction(0))


def upbeat_of(measures: list[Measure]) -> Fraction:
    """Return the duration of the pick-up with which they begin, 0 if there is none."""
    return measures[0].bar.duration if measures[0].upbeat else Fraction(0)


def systems_of(measures: list[Measure], narrow: bool = False) -> list[list[Measure]]:
    """Divide measures into systems: each section begins one, and fills few of them evenly.

    A system has four bars, or eight short ones; a fifth fits, so that a section of eight with two
    endings has two systems. A `narrow` one, for phones, has two bars, or four short ones.
    """
    sections: list[list[Measure]] = []
    for measure in measures:
        if measure.begins:
            sections.append([])
        sections[-1].append(measure)
    systems: list[list[Measure]] = []
    for section in sections:
        whole = Fraction(*(section[0].meter or (4, 4)))
        bar = whole * (2 if whole <= Fraction(1, 2) else 1)
        done = -upbeat_of(section)
        total = length_of(section) + done
        share = 2 * bar if narrow else total / max(1, math.ceil(total / (5 * bar))) or Fraction(1)
        shares: dict[int, list[Measure]] = {}
        for measure in section:
            middle = done + measure.bar.duration / 2
            shares.setdefault(max(0, math.floor(middle / share)), []).append(measure)
            done += measure.bar.duration
        systems += shares.values()
    return systems
