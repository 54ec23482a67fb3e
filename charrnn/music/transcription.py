"""Transcribe a performance, as in a MIDI file, into a tune.

A performance has the times at which keys go down and up, but no bars, rests or note values.
Transcription estimates these in steps, each a function:

    voices -> the busiest voice -> its highest line -> note values (quantise.py) -> bars
    -> repeats (repeats.py)
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple, TypeVar

import numpy as np

from charrnn.errors import CorpusError
from charrnn.music.quantise import WHOLE, Sound, note_values
from charrnn.music.repeats import with_repeats
from charrnn.music.tune import MOST_BARS, Bar, Key, Meter, Note, Tune

ABC_RANGE = range(36, 108)  # C,, to b''
DEFAULT_METER = (4, 4)
CHORD = 1.5  # units: notes that overlap and start within this time form a chord

# How well each pitch class, counted from the tonic, fits a key, as rated by listeners (Krumhansl &
# Kessler 1982).
PROFILES = {
    "maj": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "min": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}

T = TypeVar("T")


class Performance(NamedTuple):
    """Notes as played, and what the file says about their notation.

    The keys of `voices` are track and channel; those of `titles` are tracks. Meters and keys have
    the times, in units, from which they apply. `fine` is whether the clock has at least two ticks
    per unit: with a coarser one, times in whole units mean nothing.
    """

    voices: dict[tuple[int, int], list[Sound]]
    meters: list[tuple[int, Meter]]
    keys: list[tuple[int, Key]]
    titles: dict[int, str]
    fine: bool


def transcribe(played: Performance) -> tuple[Tune, tuple[str, ...]]:
    """Return the melody of a performance with at least one voice, and remarks for the user.

    Without a meter it is in 4/4; without a key it is in the likeliest one. Raises CorpusError for
    more than MOST_BARS bars, in words to follow the name of the file.
    """
    track, _ = busiest = max(played.voices, key=lambda voice: _business(played.voices[voice]))
    written = note_values(_highest_line(played.voices[busiest]), played.fine)
    line = _in_range(written)
    notices = []
    if not played.meters:
        notices.append("no meter in the file; assumed 4/4")
    if not played.keys:
        notices.append("no key in the file; estimated from the notes")
    if line != written:
        notices.append("moved out-of-range notes up or down by octaves")
    if len(played.voices) > 1:
        notices.append("used the busiest of several voices")
    tune = _in_bars(
        line,
        played.meters or [(0, DEFAULT_METER)],
        played.keys or [(0, _likeliest_key(line))],
        played.titles.get(0) or played.titles.get(track, ""),
    )
    folded = with_repeats(tune)
    if folded != tune:
        notices.append("treated repeated passages as repeated sections")
    return folded, tuple(notices)


def _business(voice: list[Sound]) -> tuple[float, float]:
    """Return how often a voice starts a note, reduced for chords, then its mean pitch."""
    times = len({sound.start for sound in voice})
    return times * times / len(voice), fmean(sound.pitch for sound in voice)


def _highest_line(voice: list[Sound]) -> list[Sound]:
    """Return the highest of the notes that sound together, without overlaps.

    A lower note that begins while a higher one still sounds belongs to another voice, unless more
    than half of it follows the higher one: then they were played legato.
    """
    line: list[Sound] = []
    latest = Sound(-CHORD, -CHORD, 0)
    for sound in sorted(voice):
        if sound.start < min(latest.start + CHORD, latest.end):
            latest = sound
            highest = max(line[-1], sound, key=lambda each: (each.pitch, each.end))
            line[-1] = highest._replace(start=line[-1].start)
            continue
        if line and sound.start < line[-1].end:
            last = line[-1]
            covered = min(last.end, sound.end) - sound.start
            if sound.pitch < last.pitch and covered > sound.length() / 2:
                continue
            line[-1] = last._replace(end=sound.start)
        line.append(sound)
        latest = sound
    return line


def _in_range(line: list[Sound]) -> list[Sound]:
    """Return the line moved by octaves into the range of ABC, notes still outside one by one."""

    def outside(octaves: int) -> tuple[int, int]:
        return sum(sound.pitch + 12 * octaves not in ABC_RANGE for sound in line), abs(octaves)

    up = 12 * min(range(-5, 6), key=outside)
    low, high = ABC_RANGE[0], ABC_RANGE[-1]
    moved = []
    for start, end, pitch in line:
        higher = pitch + up
        while higher < low:
            higher += 12
        while higher > high:
            higher -= 12
        moved.append(Sound(start, end, higher))
    return moved


def _likeliest_key(line: list[Sound]) -> Key:
    """Return the key whose profile correlates best with the duration of each pitch class."""
    heard = np.zeros(12)
    for sound in line:
        heard[sound.pitch % 12] += sound.end - sound.start
    fits = {}
    for mode, profile in PROFILES.items():
        ratings = np.array(profile) - np.mean(profile)
        for tonic in range(12):
            fits[tonic, mode] = heard @ np.roll(ratings, tonic) / np.linalg.norm(ratings)
    tonic, mode = max(fits, key=lambda key: float(fits[key]))
    return Key("C", mode).transposed(tonic)


def _at(changes: list[tuple[int, T]], time: float) -> T:
    """Return the value in force at a time; before the first change, the first value."""
    after = bisect_right(changes, time, key=lambda change: change[0])
    return changes[max(0, after - 1)][1]


def _bar_length(meter: Meter) -> int:
    return meter[0] * WHOLE // meter[1]


def _is_stated(meters: list[tuple[int, Meter]]) -> bool:
    """Return whether a meter at the end of the first bar confirms that bar's length."""
    return len(meters) > 1 and meters[1][0] == _bar_length(meters[0][1])


def _in_bars(
    line: list[Sound], meters: list[tuple[int, Meter]], keys: list[tuple[int, Key]], title: str
) -> Tune:
    """Return the line divided into bars, with ties over bar lines and rests between notes.

    Empty bars at the start are omitted. A first bar that the line begins in the middle of, or that
    has a shorter meter of its own, is a pick-up; the last bar is then shorter by as much, if its
    notes allow.
    """
    first, last = int(line[0].start), int(line[-1].end)
    bar_lines = [0]
    while bar_lines[-1] < last:
        bar_lines.append(bar_lines[-1] + _bar_length(_at(meters, bar_lines[-1])))
        if len(bar_lines) > MOST_BARS:
            raise CorpusError(f"has more than {MOST_BARS:,} bars; split it into single tunes")
    meter = _at(meters, first)
    if _is_stated(meters):
        meter = max(_at(meters, 0), _at(meters, bar_lines[1]), key=_bar_length)
    else:
        bar_lines = [first, *(bar_line for bar_line in bar_lines if bar_line > first)]
    pick_up = bar_lines[1] - bar_lines[0]
    if pick_up < _bar_length(meter) and last <= bar_lines[-1] - pick_up:
        bar_lines[-1] -= pick_up

    key = _at(keys, bar_lines[0])
    in_force = [(meter, key), *((_at(meters, each), _at(keys, each)) for each in bar_lines[1:-1])]
    incomplete = _incomplete([each for each, _ in in_force], pick_up)
    in_force = [
        (in_force[incomplete[index]][0] if index in incomplete else each, key)
        for index, (each, key) in enumerate(in_force)
    ]
    bars = [Bar(notes) for notes in _divided(line, bar_lines)]
    for index, (before, now) in enumerate(pairwise(in_force), start=1):
        bars[index] = replace(
            bars[index],
            meter=None if now[0] == before[0] else now[0],
            key=None if now[1] == before[1] else now[1],
        )
        if index in incomplete and index + 1 in incomplete:
            bars[index] = replace(bars[index], closes=True)
    bars[-1] = replace(bars[-1], closes=True)
    return Tune(tuple(bars), key, meter, title)


def _incomplete(meters: list[Meter], pick_up: int) -> dict[int, int]:
    """Return the bars with a shorter meter that are incomplete bars, each with a bar that has its
    meter: two that make up a bar, where sections meet, and a last one that makes up a bar with a
    `pick_up` of this many units.
    """
    found: dict[int, int] = {}
    for index in range(1, len(meters) - 1):
        lengths = [_bar_length(meter) for meter in meters[index - 1 : index + 3]]
        following = lengths[3:] or lengths[:1]
        if lengths[0] == lengths[1] + lengths[2] == following[0] and index not in found:
            found |= {index: index - 1, index + 1: index - 1}
    if len(meters) > 2 and _bar_length(meters[-1]) + pick_up == _bar_length(meters[-2]):
        found[len(meters) - 1] = len(meters) - 2
    return found


def _divided(line: list[Sound], bar_lines: list[int]) -> list[tuple[Note, ...]]:
    """Return the notes and rests of each bar."""
    pieces: list[tuple[int | None, int, int]] = []
    now = bar_lines[0]
    for sound in line:
        start, end = int(sound.start), int(sound.end)
        pieces += [(None, now, start), (sound.pitch, start, end)]
        now = end
    pieces.append((None, now, bar_lines[-1]))
    bars: list[list[Note]] = [[]]
    for pitch, start, end in pieces:
        while start < end:
            if start == bar_lines[len(bars)]:
                bars.append([])
            stop = min(end, bar_lines[len(bars)])
            tied = pitch is not None and stop < end
            bars[-1].append(Note(pitch, Fraction(stop - start, WHOLE), tied))
            start = stop
    return [tuple(notes) for notes in bars]
