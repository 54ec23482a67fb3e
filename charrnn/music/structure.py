"""The structure of a tune: how its sections end, and how they repeat one another."""

from __future__ import annotations

from fractions import Fraction
from itertools import takewhile
from statistics import mean
from typing import NamedTuple

from charrnn.music.tune import Meter, Tune

# The degrees, in semitones above the tonic, from which a cadence reaches it: 2-1, 7-1 and 5-1.
SECOND, FIFTH, SEVENTH = (1, 2), (7,), (10, 11)
CADENCES = frozenset(SECOND + FIFTH + SEVENTH)


class Close(NamedTuple):
    """The last note of a section. Degrees are semitones above the tonic in force, 0 to 11."""

    degree: int
    before: int | None  # the degree of the last other pitch before it; None if there is none
    duration: Fraction  # of a whole note
    strong: bool  # whether it begins on a strong beat

    @property
    def cadence(self) -> bool:
        """Whether it reaches the tonic from the second, fifth or seventh degree."""
        return self.degree == 0 and self.before in CADENCES


def closes(tune: Tune) -> list[Close]:
    """Return the last note of each section that has notes, ties joined.

    A section with two endings closes with the second.

    >>> from charrnn.music.abc_parser import read_abc
    >>> closes(read_abc("M:6/8\\nK:Gmaj\\n|:G2AB2c|d3B2A|G6:|\\n\\n").tunes[0])
    [Close(degree=0, before=2, duration=Fraction(3, 4), strong=True)]
    """
    keys, meters = tune.keys(), tune.meters()
    found = []
    for section in tune.sections():
        pitches: list[int] = []
        bar, offset, duration, tied = section.start, Fraction(0), Fraction(0), False
        for index in section:
            now = Fraction(0)
            for note in tune.bars[index].notes:
                if note.pitch is not None and tied and note.pitch == pitches[-1]:
                    duration += note.duration
                elif note.pitch is not None:
                    pitches.append(note.pitch)
                    bar, offset, duration = index, now, note.duration
                tied = note.tied and note.pitch is not None
                now += note.duration
        if pitches:
            tonic, last = keys[bar].pitch_class, pitches[-1]
            before = next((pitch for pitch in reversed(pitches) if pitch != last), None)
            found.append(
                Close(
                    (last - tonic) % 12,
                    None if before is None else (before - tonic) % 12,
                    duration,
                    is_strong(offset, meters[bar]),
                )
            )
    return found


def is_strong(offset: Fraction, meter: Meter | None) -> bool:
    """Return whether a time after the beginning of a bar is a strong beat: the first, the middle of
    a bar with an even number of beats, and every beat in 9/8.

    >>> [is_strong(Fraction(3, 8), meter) for meter in ((6, 8), (3, 4), (9, 8))]
    [True, False, True]
    """
    beats, unit = meter or (1, 1)
    parts = 3 if (beats, unit) == (9, 8) else 2 if beats % 2 == 0 else 1
    return offset % (Fraction(beats, unit) / parts) == 0


def restated(tune: Tune) -> float | None:
    """Return the share of bars of the second section that the first has, too; None without one."""
    first, second = (*tune.sections(), range(0), range(0))[:2]
    if not second:
        return None
    known = {tune.bars[index].notes for index in first}
    return mean(tune.bars[index].notes in known for index in second)


def pickups_of(tune: Tune) -> list[int]:
    """Return the indices of the pick-ups: short bars that begin a section of several."""
    meters = tune.meters()
    return [
        section.start
        for section in tune.sections()
        if len(section) > 1
        and (meter := meters[section.start]) is not None
        and tune.bars[section.start].duration < Fraction(*meter)
    ]


def answers(tune: Tune) -> list[float]:
    """Return for each section the share of bars in its first half (A) that its second half (A')
    has at the same place.

    Pick-ups and second endings do not count. Sections with an odd number of bars, or only two, are
    skipped.
    """
    shares = []
    pickups = set(pickups_of(tune))
    for section in tune.sections():
        written = takewhile(lambda index: tune.bars[index].ending != 2, section)
        bars = [tune.bars[index].notes for index in written if index not in pickups]
        half, rest = divmod(len(bars), 2)
        if half > 1 and not rest:
            shares.append(mean(a == b for a, b in zip(bars[:half], bars[half:], strict=True)))
    return shares
