"""Quantise performed times to note values.

Times are in units of 1/192 of a whole note (48 per quarter), the largest unit that divides both
64ths and triplet 64ths. Played times are floats, written times integers. Times on whole units come
from a program and are kept; others come from a human player, or a program that imitates one.
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

# The numbers of parts that a quarter note may be divided into, and the cost of each, in squared
# deviations of DEVIATION.
DIVISIONS = {2: 0.0, 4: 1.0, 3: 2.0, 8: 6.0, 6: 8.0}
DEVIATION = QUARTER / 25
SAME_PLACE = 8.0  # cost of two notes in one place


class Sound(NamedTuple):
    """A note: the times at which its key went down and up, in units."""

    start: float
    end: float
    pitch: int

    def length(self) -> float:
        """Return the duration in units."""
        return self.end - self.start


class Grid(NamedTuple):
    """Places in a quarter note, in units, as played and as written."""

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

    If most notes of a file with a `fine` clock begin, or end, on whole units, those that do are
    kept. Other notes move to the likeliest division of their quarter note, and last until the next
    note begins unless the gap is at least an eighth. If nearly all notes are followed by a gap no
    longer than themselves, the gaps are articulation and not written.
    """
    places, in_thirds = _places([sound.start for sound in played], fine)
    longest: dict[int, Sound] = {}  # note in each place; the others are grace notes
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
    """Return whether a time is on a unit, within the tick that some programs put between notes."""
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
    """Return the cost of placing a quarter note's notes on the grid."""
    nearest = [_nearest(grid.played, offset) for offset in offsets]
    squares = [
        ((grid.played[index] - offset) / DEVIATION) ** 2
        for index, offset in zip(nearest, offsets, strict=True)
    ]
    return grid.cost + sum(squares) + SAME_PLACE * (len(nearest) - len(set(nearest)))


def _swing(quarters: list[list[float]]) -> list[Grid]:
    """Return the grid of swung eighths, if most quarters divided in two are divided unequally."""
    halves = []
    for offsets in quarters:
        inner = [offset for offset in offsets if QUARTER / 8 < offset < QUARTER * 7 / 8]
        if len(inner) == 1 and QUARTER * 0.4 < inner[0] < QUARTER * 0.73:
            halves += inner
    if len(halves) < 8 or median(halves) < QUARTER * 0.55:
        return []
    return [Grid((0.0, median(halves), QUARTER), (0, QUARTER // 2, QUARTER), 0.0)]
