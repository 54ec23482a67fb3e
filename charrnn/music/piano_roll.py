"""A tune as a piano roll: an SVG with time to the right and a row for each semitone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from charrnn.music.harmony import NO_SYMBOLS, symbols_of
from charrnn.music.layout import (
    Measure,
    escaped,
    key_name,
    length_of,
    measures_of,
    systems_of,
    tonic_name,
    upbeat_of,
)
from charrnn.music.tune import Bar, Tune

# Lengths in the SVG's own units; a page may scale it.
_WIDTH, _NARROW = 1000, 400
_LEFT = 34  # for the tonic's name and the bar line
_GUTTER = 14  # after a bar that repeats, and at the right
_TOP = 20  # above each system, for endings and changes of key and meter
_GAP = 14  # below each system
_HEIGHT = 144  # of a system; less where rows would be taller than _ROW
_ROW = (2.0, 8.0)  # the least and greatest height of a semitone
_EIGHTH = 40  # the greatest width of an eighth note

_STYLE = """
.roll { --ink: #26323d; --line: #5b6b7a; --note: #38699b; --tonic: #c48a2c; }
@media screen and (prefers-color-scheme: dark) {
  .roll { --ink: #d5dde5; --line: #8b9aa8; --note: #84b3e2; --tonic: #d9a648; }
}
@media print { .roll { --ink: #000; --line: #000; --note: #000; --tonic: #000; } }
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


def piano_roll(tune: Tune, title: str = "", *, narrow: bool = False, chords: bool = False) -> str:
    """Return the tune as a standalone SVG: time to the right, a row for each semitone.

    The tonic's rows have a line and its name; rows outside the scale are shaded. A `narrow` drawing
    is for phones. With `chords`, their symbols are below the bars.
    """
    symbols = symbols_of(tune) if chords else NO_SYMBOLS
    measures = measures_of(tune)
    systems = systems_of(measures, narrow)
    width = _NARROW if narrow else _WIDTH
    pitches = [note.pitch for bar in tune.bars for note in bar.notes if note.pitch is not None]
    low, high = min(pitches, default=60) - 1, max(pitches, default=72) + 1
    row = min(_ROW[1], max(_ROW[0], _HEIGHT / (high - low + 1)))
    upbeat = max((upbeat_of(system) for system in systems), default=Fraction(0))
    longest = max(
        (length_of(system) - upbeat_of(system) for system in systems), default=Fraction(0)
    )
    gutters = (sum(measure.bar.repeats for measure in system[:-1]) for system in systems)
    room = width - _LEFT - _GUTTER * (1 + max(gutters, default=0))
    scale = min(room / float(upbeat + longest or 1), 8 * _EIGHTH)

    parts = []
    y = 0.0
    if title:
        y += 30
        parts.append(f'<text class="heading" x="{_LEFT}" y="20">{escaped(title)}</text>')
    for system in systems:
        roll = _Roll(scale, row, low, high, y + _TOP)
        x = _LEFT + float(upbeat - upbeat_of(system)) * scale
        for measure in system:
            first, last = measure is system[0], measure is measures[-1]
            parts += roll.measure(measure, x, first, last)
            parts += roll.symbols(symbols.get(measure.index, {}), x)
            x += float(measure.bar.duration) * scale + _GUTTER * measure.bar.repeats
        y += _TOP + roll.height + _GAP
    about = f"{title}: piano roll in {key_name(tune.key)}" if title else "Piano roll"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="roll" viewBox="0 0 {width} {_n(y)}"'
        f' role="img" aria-label="{escaped(about)}">\n<style>\n{_STYLE}\n</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


@dataclass(frozen=True)
class _Roll:
    """The scale and position of a system's drawing."""

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
            name = tonic_name(measure.key)
            yield f'<text class="name" x="{_n(x - 15)}" y="{_n(y)}">{name}</text>'

    def symbols(self, symbols: Mapping[Fraction, str], x: float) -> Iterator[str]:
        """Draw chord symbols below a measure at `x`."""
        y = self.top + self.height + 11
        for offset, symbol in symbols.items():
            yield f'<text x="{_n(x + float(offset) * self.scale)}" y="{_n(y)}">{symbol}</text>'

    def _across(self, pitches: Iterable[int], x: float, width: float) -> str:
        """Return the path along the middles of the pitches' rows."""
        middles = (self.y(pitch) + self.row / 2 for pitch in pitches)
        return "".join(f"M{_n(x)} {_n(y)}h{_n(width)}" for y in middles)

    def _words(self, measure: Measure, x: float, width: float) -> Iterator[str]:
        """Draw an ending's bracket, and the key and meter where they change, above a measure."""
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
    """Format a length with at most one decimal."""
    return f"{round(number, 1):g}"
