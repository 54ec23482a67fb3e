"""How a tune is played: when each note sounds and how loud, with repeats, accents and swing.

Audio, MIDI files and the page all play a tune as `performance` does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from charrnn.errors import require, require_type
from charrnn.music.harmony import chords_of
from charrnn.music.layout import Measure, measures_of
from charrnn.music.structure import is_strong
from charrnn.music.tune import Tune

WEAK, BEAT, STRONG, DOWNBEAT = 70, 78, 84, 92  # velocities
PHRASE, SWELL = 4, 8  # bars; what the middle of a phrase adds to the velocity
BASS, CHORD = 40, 52  # the lowest pitches of a chord's bass and of its other notes
STRUM = 46  # velocity
QUARTER = Fraction(1, 4)
MAX_SWING = 2.5
UNIT = Fraction(1, 48)  # of a quarter note: readers of MIDI files take whole units for notation


@dataclass(frozen=True)
class Style:
    """How tunes are played; raises ConfigError for values out of range.

    `swing` is the ratio of the first eighth note of a quarter to the second: 1 is even, 2 suits
    hornpipes. With `chords`, an accompaniment plays the chords of harmony.py, whose symbols are
    shown.
    """

    swing: float = 1.0
    chords: bool = False

    def __post_init__(self) -> None:
        require_type(self.swing, (int, float), "swing", "a number")
        require(
            1 <= self.swing <= MAX_SWING,
            f"`swing` must be between 1 and {MAX_SWING:g}, got {self.swing:g}",
        )


PLAIN = Style()


@dataclass(frozen=True)
class Played:
    """A written note as played. Times are in whole notes from the beginning of the tune."""

    number: int  # among the tune's notes, rests not counted
    pitch: int
    start: Fraction
    duration: Fraction
    sounds: Fraction  # with the notes tied to it; 0 if it continues a tied note
    velocity: int  # the loudness, as in MIDI


def performance(tune: Tune, style: Style = PLAIN) -> list[Played]:
    """Return the notes as played, with repeats: `Tune.events` by written note.

    The velocity is highest at the beginning of a bar, then on other strong beats, then on weak
    ones, and swells slightly to the middle of each phrase of four bars.
    """
    sounds = {event.start: event.duration for event in tune.events()}
    measures = measures_of(tune)
    phrased = _bars_of_phrases(measures)
    swung = _swing(tune, measures, style)
    played = []
    now = Fraction(0)
    for index in tune.played():
        measure = measures[index]
        for number, pitch, offset, note in measure.notes():
            start = now + offset
            begins, ends = swung(start), swung(start + note.duration)
            sounding = swung(start + sounds[start]) - begins if start in sounds else Fraction(0)
            velocity = _velocity(measure, offset, phrased[index])
            played.append(Played(number, pitch, begins, ends - begins, sounding, velocity))
        now += measure.bar.duration
    return played


@dataclass(frozen=True)
class Strum:
    """The notes of a chord as played. Times are in whole notes from the beginning of the tune."""

    pitches: tuple[int, ...]  # from the bass up
    start: Fraction
    sounds: Fraction
    velocity: int = STRUM


def accompaniment(tune: Tune, style: Style) -> list[Strum]:
    """Return the chords as played, with repeats, softer than the melody; none unless in style.

    Raises ConfigError for a tune without a key.
    """
    chords = defaultdict(list)
    for chord in chords_of(tune) if style.chords else ():
        chords[chord.bar].append(chord)
    strums = []
    now = Fraction(0)
    for index in tune.played():
        for triad, _, start, end in chords[index]:
            root, *others = triad.classes
            bass = BASS + (root - BASS) % 12
            upper = sorted(CHORD + (pitch - CHORD) % 12 for pitch in (root, *others))
            strums.append(Strum((bass, *upper), now + start, end - start))
        now += tune.bars[index].duration
    return strums


def _velocity(measure: Measure, offset: Fraction, bar: int) -> int:
    """Return the loudness of a note, given the number of its bar in the phrase; -1 is a pick-up."""
    base = WEAK
    if offset in measure.beats():
        strong = is_strong(measure.missing + offset, measure.meter)
        base = STRONG if strong else BEAT
        if not offset and not measure.upbeat:
            base = DOWNBEAT
    whole = Fraction(*measure.meter) if measure.meter else measure.bar.duration
    place = min(Fraction(1), max(Fraction(0), (bar + (measure.missing + offset) / whole) / PHRASE))
    return base + round(SWELL * 4 * place * (1 - place))


def _bars_of_phrases(measures: list[Measure]) -> list[int]:
    """Return each measure's number in its phrase, -1 for a pick-up; the second ending is numbered
    as the first.
    """
    numbers: list[int] = []
    bar = first = 0
    for measure in measures:
        bar = -1 if measure.upbeat else 0 if measure.begins else bar + 1
        if measure.bar.ending == 1:
            first = bar
        elif measure.bar.ending == 2:
            bar = first
        numbers.append(bar % PHRASE if bar >= 0 else bar)
    return numbers


def _swing(tune: Tune, measures: list[Measure], style: Style) -> Callable[[Fraction], Fraction]:
    """Return the function from a time as written to a time as played.

    Halves of quarter notes become unequal in meters of halves and quarters; tuplets stay even. In a
    pick-up, and before one, beats count as in a full bar.
    """
    order = [measures[index] for index in tune.played()]
    starts = list(accumulate((measure.bar.duration for measure in order), initial=Fraction(0)))
    swing = Fraction(style.swing).limit_denominator(1000)
    first = swing / (swing + 1)  # share of the quarter note
    if swing > 1 and abs(first - round(first / UNIT) * UNIT) < UNIT / 5:
        first += UNIT / 3

    def swung(time: Fraction) -> Fraction:
        index = min(bisect_right(starts, time), len(order)) - 1
        measure = order[index]
        if measure.meter is None or measure.meter[1] > 4:
            return time
        within = (time - starts[index] + measure.missing) % QUARTER
        if within.denominator & (within.denominator - 1):
            return time
        half = QUARTER / 2
        late = (2 * first - 1) * (within if within <= half else QUARTER - within)
        return min(time + late, max(starts[index + 1], time))

    return swung
