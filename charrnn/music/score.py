"""A tune on paper: its bars in lines, and a drawing of them as a piano roll.

It is drawn as the tune is written: bars in order, repeats marked and not unrolled. Each note
bears its number among the tune's notes, rests not counted, as `data-note`; `performance` tells when
which number is played, twice where a repeat has it twice. So a page can light notes up as they
sound, whoever drew them (engraving.py does, too).
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Iterator
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

# Lengths in the piano roll's own units; a page scales it as it likes.
_WIDTH = 1000
_LEFT = 34  # for the tonic's name and the bar line
_GUTTER = 14  # after a bar that repeats, and at the right
_TOP = 20  # above each system, for endings and changes of key or metre
_GAP = 14  # below each system
_HEIGHT = 144  # of a system; less where rows would be taller than _ROW
_ROW = (2.0, 8.0)  # the least and most that a semitone is tall
_EIGHTH = 40  # the most that an eighth note is wide

_STYLE = """
.roll { --ink: #26323d; --line: #5b6b7a; --note: #38699b; --tonic: #c48a2c; }
@media screen and (prefers-color-scheme: dark) {
  .roll { --ink: #d5dde5; --line: #8b9aa8; --note: #84b3e2; --tonic: #d9a648; }
}
.roll text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.roll .name { font-weight: 600; text-anchor: end; fill: var(--tonic); }
.roll .heading { font-size: 20px; font-weight: 600; }
.roll .outside { stroke: var(--ink); opacity: .05; }
.roll .tonic { stroke: var(--tonic); opacity: .7; }
.roll .beat { stroke: var(--line); opacity: .22; stroke-width: .7; }
.roll .line { stroke: var(--line); fill: none; }
.roll .thick { stroke-width: 3; }
.roll .dot { fill: var(--line); }
.roll .note { fill: var(--note); }
""".strip()


def escaped(text: str) -> str:
    """Return `text` as it may stand in HTML and XML, between tags and in attributes.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def beat(meter: Meter | None) -> Fraction:
    """Return how long a beat is, in whole notes: in 6/8, 9/8 and 12/8 it is three eighths.

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


@dataclass(frozen=True)
class Played:
    """One playing of a written note. Times are in whole notes from the beginning of the tune."""

    number: int  # among the tune's notes, rests not counted
    pitch: int
    start: Fraction
    duration: Fraction
    sounds: Fraction  # together with the notes tied to it; 0 if it goes on from one before it
    stress: int  # 2 at the beginning of a bar, 1 on another beat, 0 off the beat


def performance(tune: Tune) -> list[Played]:
    """Return the notes as they are played, repeats twice: `Tune.events`, note by written note."""
    sounds = {event.start: event.duration for event in tune.events()}
    measures = measures_of(tune)
    played = []
    now = Fraction(0)
    for index in tune.played():
        measure = measures[index]
        beats = measure.beats()
        for number, pitch, offset, note in measure.notes():
            stress = 0 if offset not in beats else 1 if offset or measure.upbeat else 2
            start = now + offset
            sounding = sounds.get(start, Fraction(0))
            played.append(Played(number, pitch, start, note.duration, sounding, stress))
        now += measure.bar.duration
    return played


def piano_roll(tune: Tune, title: str = "") -> str:
    """Return the tune as an SVG that stands alone: time to the right, a row for each semitone.

    The tonic's rows have a line and its name, rows outside the scale are shaded.
    """
    measures = measures_of(tune)
    systems = systems_of(measures)
    pitches = [note.pitch for bar in tune.bars for note in bar.notes if note.pitch is not None]
    low, high = min(pitches, default=60) - 1, max(pitches, default=72) + 1
    row = min(_ROW[1], max(_ROW[0], _HEIGHT / (high - low + 1)))
    upbeat = max((_upbeat(system) for system in systems), default=Fraction(0))
    longest = max((_length(system) - _upbeat(system) for system in systems), default=Fraction(0))
    gutters = (sum(measure.bar.repeats for measure in system[:-1]) for system in systems)
    room = _WIDTH - _LEFT - _GUTTER * (1 + max(gutters, default=0))
    scale = min(room / float(upbeat + longest or 1), 8 * _EIGHTH)

    parts = []
    y = 0.0
    if title:
        y += 30
        parts.append(f'<text class="heading" x="{_LEFT}" y="20">{escaped(title)}</text>')
    for system in systems:
        roll = _Roll(scale, row, low, high, y + _TOP)
        x = _LEFT + float(upbeat - _upbeat(system)) * scale
        for measure in system:
            first, last = measure is system[0], measure is measures[-1]
            parts += roll.measure(measure, x, first, last)
            x += float(measure.bar.duration) * scale + _GUTTER * measure.bar.repeats
        y += _TOP + roll.height + _GAP
    about = f"{title}: piano roll in {key_name(tune.key)}" if title else "Piano roll"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="roll" viewBox="0 0 {_WIDTH} {_n(y)}"'
        f' role="img" aria-label="{escaped(about)}">\n<style>\n{_STYLE}\n</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def key_name(key: Key) -> str:
    """Return the key as a musician writes it.

    >>> key_name(Key("Bb", "min"))
    'B♭ minor'
    """
    return f"{_tonic(key)} {_MODES[key.mode]}"


def _tonic(key: Key) -> str:
    return key.tonic.replace("#", "♯").replace("b", "♭")


@dataclass(frozen=True)
class Measure:
    """A bar, and what holds in it."""

    bar: Bar
    index: int  # of the bar in the tune
    first: int  # the number of its first note
    key: Key
    meter: Meter | None
    begins: bool  # a section
    ending: int  # the one that it belongs to, 0 for none
    news: str  # the key and metre, where they are new

    @property
    def missing(self) -> Fraction:
        """How much of the metre is missing before it, if it is an upbeat."""
        if self.meter is None or not self.begins:
            return Fraction(0)
        return max(Fraction(0), Fraction(*self.meter) - self.bar.duration)

    @property
    def upbeat(self) -> bool:
        """Whether it is a section's first bar, and shorter than the metre."""
        return self.missing > 0

    def beats(self) -> list[Fraction]:
        """Return where its beats are, in whole notes; those of an upbeat count from its end."""
        if self.meter is None:
            return [Fraction(0)]
        step = beat(self.meter)
        first = math.ceil(self.missing / step)
        last = math.ceil((self.missing + self.bar.duration) / step)
        return [number * step - self.missing for number in range(first, last)]

    def notes(self) -> Iterator[tuple[int, int, Fraction, Note]]:
        """Yield number, pitch and offset of each note that is no rest, and the note."""
        number = self.first
        offset = Fraction(0)
        for note in self.bar.notes:
            if note.pitch is not None:
                yield number, note.pitch, offset, note
                number += 1
            offset += note.duration


def measures_of(tune: Tune) -> list[Measure]:
    """Return the bars as they are written, each with what holds in it."""
    measures: list[Measure] = []
    number, key, meter, ending = 0, tune.key, tune.meter, 0
    before = Bar((), closes=True)
    for bar in tune.bars:
        key, meter = bar.key or key, bar.meter or meter
        begins = bar.opens or before.closes or (before.repeats and not bar.ending)
        ending = bar.ending or (0 if begins else ending)
        news = [key_name(key)] if bar.key or not measures else []
        if meter and (bar.meter or not measures):
            news.append(f"{meter[0]}/{meter[1]}")
        measures.append(
            Measure(bar, len(measures), number, key, meter, begins, ending, ", ".join(news))
        )
        number += sum(note.pitch is not None for note in bar.notes)
        before = bar
    return measures


def _length(measures: list[Measure]) -> Fraction:
    return sum((measure.bar.duration for measure in measures), Fraction(0))


def _upbeat(measures: list[Measure]) -> Fraction:
    return measures[0].bar.duration if measures[0].upbeat else Fraction(0)


def systems_of(measures: list[Measure]) -> list[list[Measure]]:
    """Wrap measures: a section begins a system, and is shared out evenly among few systems.

    Four bars make a system, or eight that are short; a fifth fits, so that a section of eight with
    two endings has two systems.
    """
    sections: list[list[Measure]] = []
    for measure in measures:
        if measure.begins:
            sections.append([])
        sections[-1].append(measure)
    systems: list[list[Measure]] = []
    for section in sections:
        whole = Fraction(*(section[0].meter or (4, 4)))
        room = whole * (10 if whole <= Fraction(1, 2) else 5)
        done = -_upbeat(section)
        total = _length(section) + done
        share = total / max(1, math.ceil(total / room)) or Fraction(1)
        shares: dict[int, list[Measure]] = {}
        for measure in section:
            middle = done + measure.bar.duration / 2
            shares.setdefault(max(0, math.floor(middle / share)), []).append(measure)
            done += measure.bar.duration
        systems += shares.values()
    return systems


@dataclass(frozen=True)
class _Roll:
    """Where a system's pitches are on paper."""

    scale: float  # the width of a whole note
    row: float  # the height of a semitone
    low: int
    high: int
    top: float

    @property
    def height(self) -> float:
        return self.row * (self.high - self.low + 1)

    def y(self, pitch: int) -> float:
        """Return the upper edge of a pitch's row."""
        return self.top + (self.high - pitch) * self.row

    def measure(self, measure: Measure, x: float, first: bool, last: bool) -> Iterator[str]:
        """Draw a measure at `x`: the `first` of its system, the `last` of the tune."""
        bar, width = measure.bar, float(measure.bar.duration) * self.scale
        yield from self._rows(measure, x, width, first)
        yield (
            '<path class="beat" d="'
            + "".join(
                f"M{_n(x + float(offset) * self.scale)} {_n(self.top)}v{_n(self.height)}"
                for offset in measure.beats()
                if offset
            )
            + '"/>'
        )
        yield from self._words(measure, x, width)
        for number, pitch, offset, note in measure.notes():
            left = x + float(offset) * self.scale + 0.7
            long = float(note.duration) * self.scale - (0 if note.tied else 1.4)
            yield (
                f'<rect class="note" data-note="{number}" x="{_n(left)}" y="{_n(self.y(pitch))}"'
                f' width="{_n(max(1.0, long))}" height="{_n(self.row)}" rx="2"/>'
            )
        yield from self._lines(bar, x, x + width, first, last)

    def _rows(self, measure: Measure, x: float, width: float, first: bool) -> Iterator[str]:
        """Shade the rows outside the scale, and draw the tonic's lines."""
        scale, tonic = measure.key.scale(), measure.key.pitch_class
        pitches = range(self.low, self.high + 1)
        outside = (pitch for pitch in pitches if pitch % 12 not in scale)
        rows = f'stroke-width="{_n(self.row)}" d="{self._across(outside, x, width)}"'
        yield f'<path class="outside" {rows}/>'
        tonics = [pitch for pitch in pitches if pitch % 12 == tonic]
        yield f'<path class="tonic" d="{self._across(tonics, x, width)}"/>'
        for pitch in tonics if first else ():
            y = self.y(pitch) + self.row / 2 + 4
            yield f'<text class="name" x="{_n(x - 15)}" y="{_n(y)}">{_tonic(measure.key)}</text>'

    def _across(self, pitches: Iterable[int], x: float, width: float) -> str:
        """Return the path along the middles of the pitches' rows."""
        middles = (self.y(pitch) + self.row / 2 for pitch in pitches)
        return "".join(f"M{_n(x)} {_n(y)}h{_n(width)}" for y in middles)

    def _words(self, measure: Measure, x: float, width: float) -> Iterator[str]:
        """Write an ending's bracket, and the key and metre where they are new, above a measure."""
        bar, y = measure.bar, self.top - 5
        if measure.ending:
            start = f"M{_n(x + 2)} {_n(y)}v-10h" if bar.ending else f"M{_n(x)} {_n(y - 10)}h"
            yield f'<path class="line" d="{start}{_n(width - 2)}"/>'
        words = " ".join(filter(None, (f"{bar.ending}." if bar.ending else "", measure.news)))
        if words:
            yield f'<text x="{_n(x + 6 * bool(bar.ending))}" y="{_n(y)}">{words}</text>'

    def _lines(self, bar: Bar, x: float, end: float, first: bool, last: bool) -> Iterator[str]:
        """Draw the bar lines at both sides of a measure, and the dots of repeats."""
        thin, thick = [x] if first and not bar.opens else [], []
        if bar.opens:
            thick, thin = [x - 10], [x - 6.5]
            yield from self._dots(x - 3)
        if bar.repeats:
            yield from self._dots(end + 3)
            thin.append(end + 6.5)
            thick.append(end + 10)
        else:
            thin.append(end)
            thin += [end + 3] if bar.closes and not last else []
            thick += [end + 4] if last else []
        for kind, places in (("line", thin), ("line thick", thick)):
            if places:
                path = "".join(f"M{_n(x)} {_n(self.top)}v{_n(self.height)}" for x in places)
                yield f'<path class="{kind}" d="{path}"/>'

    def _dots(self, x: float) -> Iterator[str]:
        for y in (self.top + 0.4 * self.height, self.top + 0.6 * self.height):
            yield f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="2"/>'


def _n(number: float) -> str:
    """Write a length with one decimal at most."""
    return f"{round(number, 1):g}"
