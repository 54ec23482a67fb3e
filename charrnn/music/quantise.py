"""Performed times to note values: where on the beat each note is written, and how long it lasts.

Times are counted in units of 1/192 of a whole note, the largest of which both 1/64 and the note of
a triplet of 64ths are multiples: 48 to the quarter. They are floats as they were played, and
integers as they are written. What lies on these units was put there by a program, ours or
another, and stays; what doesn't was played by a human being, or made to sound as if.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

WHOLE = 192  # units
QUARTER = WHOLE // 4
MAX_LENGTH = 1_800 * WHOLE  # an hour at 120 quarter notes a minute

# Into how many parts a quarter note may be divided, and what speaks against each: as much as so
# many squared deviations, of 1/25 of a quarter note each, of the notes from their places.
DIVISIONS = {2: 0.0, 4: 1.0, 3: 2.0, 8: 6.0, 6: 8.0}
DEVIATION = QUARTER / 25
SAME_PLACE = 8.0  # what speaks against two notes in one place


class Sound(NamedTuple):
    """A key held down: when it went down and when it came up, in units."""

    start: float
    end: float
    pitch: int

    def length(self) -> float:
        """Return how long it was held."""
        return self.end - self.start


class Grid(NamedTuple):
    """Places in a quarter note, in units: where they are played, and where they are written."""

    played: Sequence[float]
    written: Sequence[int]
    cost: float


GRIDS = [
    Grid(places, places, cost)
    for places, cost in (
        (range(0, QUARTER + 1, QUARTER // parts), cost) for parts, cost in DIVISIONS.items()
    )
]


def note_values(played: list[Sound], fine: bool) -> list[Sound]:
    """Return the notes with times in whole units, as they would be written.

    Where most of the notes of a file with a `fine` clock begin, or end, on a unit, those that do
    stay. The others move to the places of their quarter note's likeliest division, and last until
    the next note begins, unless there is time for a rest of an eighth. Where hardly any note lasts
    until the next, but each for at least half as long, that is how it was played, not written.
    """
    places, in_thirds = _places([sound.start for sound in played], fine)
    longest: dict[int, Sound] = {}  # of the notes in one place: the others are grace notes
    for place, sound in zip(places, played, strict=True):
        longest[place] = max(longest.get(place, sound), sound, key=Sound.length)
    line = list(longest.items())
    gaps = [after.start - sound.end for (_, sound), (_, after) in pairwise(line)]
    short = [0.5 < gap <= sound.length() for gap, (_, sound) in zip(gaps, line, strict=False)]
    detached = sum(short) > max(8, 0.9 * len(gaps))
    exact = fine and not detached and _mostly_whole([sound.end for _, sound in line])
    written = []
    following = [*(place for place, _ in line[1:]), 2 * MAX_LENGTH]
    for (place, sound), after, gap in zip(line, following, [*gaps, MAX_LENGTH], strict=True):
        step = QUARTER // (3 if sound.end // QUARTER in in_thirds else 2)
        if exact and _is_whole(sound.end) and gap > 0.5:
            end = round(sound.end)
        elif gap < WHOLE / 8 or (detached and gap <= sound.length()):
            end = after
        else:
            end = round(sound.end / step) * step
        end = min(after, end if end > place else place + step)
        written.append(Sound(place, end, sound.pitch))
    return written


def _is_whole(time: float) -> bool:
    """Whether it is on a unit, give or take the tick by which some programs part the notes."""
    return abs(time - round(time)) < 0.11


def _mostly_whole(times: list[float]) -> bool:
    return sum(map(_is_whole, times)) > 0.75 * len(times)


def _places(starts: list[float], fine: bool) -> tuple[list[int], set[int]]:
    """Return the unit at which each note is written, and the quarters divided into thirds."""
    exact = fine and _mostly_whole(starts)
    quarters: dict[int, list[float]] = defaultdict(list)
    for start in starts:
        quarters[int(start // QUARTER)].append(start % QUARTER)
    grids = [*GRIDS, *_swing(list(quarters.values()))]
    places: list[int] = []
    in_thirds = set()
    for quarter, offsets in quarters.items():
        grid = min(grids, key=lambda grid: _cost(grid, offsets))
        if QUARTER // 3 in grid.written:
            in_thirds.add(quarter)
        if exact and all(map(_is_whole, offsets)):
            moved = [round(offset) for offset in offsets]
        else:
            moved = [grid.written[_nearest(grid.played, offset)] for offset in offsets]
        places += [quarter * QUARTER + offset for offset in moved]
    return places, in_thirds


def _nearest(places: Sequence[float], offset: float) -> int:
    return min(range(len(places)), key=lambda index: abs(places[index] - offset))


def _cost(grid: Grid, offsets: list[float]) -> float:
    """Return what speaks against the grid as the one on which a quarter's notes are meant."""
    nearest = [_nearest(grid.played, offset) for offset in offsets]
    squares = [
        ((grid.played[index] - offset) / DEVIATION) ** 2
        for index, offset in zip(nearest, offsets, strict=True)
    ]
    return grid.cost + sum(squares) + SAME_PLACE * (len(nearest) - len(set(nearest)))


def _swing(quarters: list[list[float]]) -> list[Grid]:
    """Return the grid of swung eighths, if quarters divided in two are mostly divided unequally."""
    halves = []
    for offsets in quarters:
        inner = [offset for offset in offsets if QUARTER / 8 < offset < QUARTER * 7 / 8]
        if len(inner) == 1 and QUARTER * 0.4 < inner[0] < QUARTER * 0.73:
            halves += inner
    if len(halves) < 8 or median(halves) < QUARTER * 0.55:
        return []
    return [Grid((0.0, median(halves), QUARTER), (0, QUARTER // 2, QUARTER), 0.0)]
