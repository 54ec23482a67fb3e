"""MIDI files: a tune written as one, and the melody found in one.

A MIDI file tells when, by the ticks of a clock, which key goes down and comes up, and perhaps the
metre and the key signature; of bars, rests and note values it knows nothing. Writing is simple,
and reading is a row of guesses, each a function:

    the notes of each voice -> the busiest voice -> its highest line -> note values -> bars

Times are counted in units of 1/192 of a whole note, the largest of which both 1/64 and the note of
a triplet of 64ths are multiples: 48 to the quarter. They are floats as they were played, and
integers as they are written. What lies on these units was put there by a program, ours or
another, and stays; what doesn't was played by a human being, or made to sound as if.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from statistics import fmean, median
from typing import Any, NamedTuple, TypeVar

import mido
import numpy as np

from charrnn.errors import CorpusError, require
from charrnn.music.tune import MODES, Bar, Key, Meter, Note, Tune, tempo_of

WHOLE = 192  # units
QUARTER = WHOLE // 4
TICKS = 480  # a quarter note in the files that we write: ten to the unit
FLUTE = 73  # a General MIDI program, counted from 0
PERCUSSION = 9  # the channel, counted from 0, whose notes are drums
MAX_BYTES = 1_000_000
MAX_LENGTH = 1_800 * WHOLE  # an hour at 120 quarter notes a minute
ABC_RANGE = range(36, 108)  # C,, to b''
DEFAULT_METER = (4, 4)
CHORD = 1.5  # units: notes that begin within so short a time, and sound together, are one

# How well each pitch class, counted from the tonic, fits a key: the ratings that listeners gave
# (Krumhansl & Kessler 1982).
PROFILES = {
    "maj": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "min": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}

# Into how many parts a quarter note may be divided, and what speaks against each: as much as so
# many squared deviations, of 1/25 of a quarter note each, of the notes from their places.
DIVISIONS = {2: 0.0, 4: 1.0, 3: 2.0, 8: 6.0, 6: 8.0}
DEVIATION = QUARTER / 25
SAME_PLACE = 8.0  # what speaks against two notes in one place

T = TypeVar("T")


class Sound(NamedTuple):
    """A key held down: when it went down and when it came up, in units."""

    start: float
    end: float
    pitch: int


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


# ---- writing -------------------------------------------------------------------------------------


def write_midi(tune: Tune, tempo: float | None = None, program: int = FLUTE) -> bytes:
    """Return a MIDI file, type 0, of the tune as it is played, repeats and all.

    `tempo` is in quarter notes a minute, by default `tempo_of` the metre; `program` is the General
    MIDI instrument, 0 to 127. Modes other than major and minor get the signature's relative major
    or minor. Raises ConfigError for what MIDI has no room for.
    """
    require(0 <= program <= 127, f"the program is {program}: it must be 0 to 127")
    events = tune.events()
    for event in events:
        require(
            0 <= event.pitch <= 127,
            f"a note has the pitch {event.pitch}: MIDI has 0 to 127, so transpose the tune",
        )
    beat = mido.bpm2tempo(tempo_of(tune.meter, tempo))
    # Messages with their ticks, and which goes first at the same tick: a note ends before the
    # signatures change, and those change before a note begins.
    timed = [
        (0, 1, mido.MetaMessage("track_name", name=_latin(tune.title))),
        (0, 1, mido.MetaMessage("set_tempo", tempo=beat)),
        (0, 1, mido.Message("program_change", program=program)),
    ]
    for start, (beats, unit) in _written_meters(tune):
        message = mido.MetaMessage("time_signature", numerator=beats, denominator=unit)
        timed.append((_ticks(start), 1, message))
    for start, key in _changes(tune, "key"):
        message = mido.MetaMessage("key_signature", key=_signature(key))
        timed.append((_ticks(start), 1, message))
    for event in events:
        down, up = _ticks(event.start), _ticks(event.start + event.duration)
        timed.append((down, 2, mido.Message("note_on", note=event.pitch)))
        timed.append((up, 0, mido.Message("note_off", note=event.pitch)))
    length = sum((tune.bars[index].duration for index in tune.played()), Fraction(0))
    timed.append((_ticks(length), 3, mido.MetaMessage("end_of_track")))

    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(timed, key=lambda each: each[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    data = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[track]).save(file=data)
    return data.getvalue()


def _ticks(time: Fraction) -> int:
    return round(time * 4 * TICKS)


def _latin(title: str) -> str:
    """Return a text whose Latin-1 bytes, which mido writes, are the title in UTF-8."""
    return title.encode("utf-8", "replace").decode("latin-1")


def _signature(key: Key) -> str:
    """Return MIDI's name for the major or minor key with the signature of `key`.

    >>> _signature(Key("F#", "min")), _signature(Key("D", "dor")), _signature(Key("A", "mix"))
    ('F#m', 'Am', 'D')
    """
    mode = "min" if (key.pitch_class + 3) % 12 in key.scale() else "maj"
    altered, letter = divmod(key.sharps + 1 - MODES[mode], 7)
    return "FCGDAEB"[letter] + ("", "#", "b")[altered] + ("m" if mode == "min" else "")


def _changes(tune: Tune, what: str) -> list[tuple[Fraction, Any]]:
    """Return when the tune's metre, or key, is heard to change, and to what; the first is at 0.

    A change holds for the bars written after it, so a repeat that goes back takes it back.
    """
    in_force = [getattr(tune, what)]
    for bar in tune.bars:
        in_force.append(getattr(bar, what) or in_force[-1])
    changes: list[tuple[Fraction, Any]] = []
    now = Fraction(0)
    for index in tune.played():
        value = in_force[index + 1]
        if not changes or changes[-1][1] != value:
            changes.append((now, value))
        now += tune.bars[index].duration
    return changes


def _written_meters(tune: Tune) -> list[tuple[Fraction, Meter]]:
    """Return the changes of metre; one more where the first bar needs it.

    As notation programs do, a pick-up gets a metre of its own length. Likewise, if the tune begins
    with a rest, its metre stands twice, at the beginning and one bar later: see `_is_stated`.
    """
    changes = [
        (start, meter if meter and _is_possible(meter) else DEFAULT_METER)
        for start, meter in _changes(tune, "meter")
    ]
    if not changes:
        return []
    meter, events = changes[0][1], tune.events()
    length = tune.bars[0].duration
    first = (length.numerator, length.denominator)
    if not _is_possible(first):
        length, first = Fraction(*meter), meter
    elif length == Fraction(*meter):
        first = meter
    if first == meter and (not events or events[0].start == 0):
        return changes
    return [(Fraction(0), first), (length, meter), *changes[1:]]


def _is_possible(meter: Meter) -> bool:
    """Whether there is room for the metre in a file, and for its bars on our units."""
    return 1 <= meter[0] <= 255 and meter[1] in (1, 2, 4, 8, 16, 32, 64)


# ---- reading -------------------------------------------------------------------------------------


def read_midi(data: bytes, name: str) -> tuple[Tune, tuple[str, ...]]:
    """Return the melody in a MIDI file of type 0 or 1, and what a person should be told about it.

    Without a metre in the file it is 4/4, without a key the likeliest one. Raises CorpusError,
    with the `name`, for what is no MIDI file, has no melody in it, or is too long for a tune.
    """
    file = _parse(data, name)
    score = _collect(file, name)
    if not score.voices:
        raise CorpusError(
            f"{name} has no notes outside the percussion channel: leave it out, or give a file "
            "with a melody"
        )
    track, _ = busiest = max(score.voices, key=lambda voice: _business(score.voices[voice]))
    played = _highest_line(score.voices[busiest])
    # A clock so slow that everything falls on our units proves nothing by it.
    written = _note_values(played, fine=file.ticks_per_beat >= 2 * QUARTER)
    line = _in_range(written)
    notices = []
    if not score.meters:
        notices.append("no metre in the file: taken as 4/4")
    if not score.keys:
        notices.append("no key in the file: estimated from the notes")
    if line != written:
        notices.append("notes out of range: moved by octaves")
    if len(score.voices) > 1:
        notices.append("several voices: the busiest one taken")
    tune = _in_bars(
        line,
        score.meters or [(0, DEFAULT_METER)],
        score.keys or [(0, _likeliest_key(line))],
        score.titles.get(0) or score.titles.get(track, ""),
    )
    return tune, tuple(notices)


def _parse(data: bytes, name: str) -> Any:
    """Return what mido makes of the bytes."""
    if len(data) > MAX_BYTES:
        raise CorpusError(
            f"{name} has {len(data):,} bytes: a tune's MIDI file has at most {MAX_BYTES:,}"
        )
    try:
        # mido reads such a run as one number, in quadratic time.
        if re.search(rb"[\x80-\xff]{1000}", data):
            raise ValueError("a number of a thousand digits")
        file = mido.MidiFile(file=io.BytesIO(data))
    except Exception:  # mido has no error of its own: it lets through whatever happens
        raise CorpusError(
            f"{name} is no MIDI file, or a damaged one: export it again as a standard MIDI file"
        ) from None
    if file.type not in (0, 1) and len(file.tracks) > 1:
        raise CorpusError(
            f"{name} is a MIDI file of type {file.type}, independent tracks: save it as type 0 or 1"
        )
    if file.ticks_per_beat <= 0:
        raise CorpusError(
            f"{name} counts time in frames of film (SMPTE), not in beats: export it with ticks "
            "per quarter note"
        )
    return file


class _Score(NamedTuple):
    """What a file holds that matters here; voices are named by track and channel."""

    voices: dict[tuple[int, int], list[Sound]]
    meters: list[tuple[int, Meter]]
    keys: list[tuple[int, Key]]
    titles: dict[int, str]


def _collect(file: Any, name: str) -> _Score:
    """Gather notes, metres, keys and names from all tracks."""
    voices: dict[tuple[int, int], list[Sound]] = defaultdict(list)
    meters: dict[int, Meter] = {}
    keys: dict[int, Key] = {}
    titles: dict[int, str] = {}
    for number, track in enumerate(file.tracks):
        ticks = 0
        held: dict[tuple[int, int], float] = {}
        for message in track:
            ticks += message.time
            is_note = message.type in ("note_on", "note_off")
            if ticks * QUARTER > MAX_LENGTH * file.ticks_per_beat:
                if is_note:
                    raise CorpusError(
                        f"{name} goes on for more than {MAX_LENGTH // WHOLE:,} whole notes: give "
                        "tunes one by one"
                    )
                continue
            now = ticks * QUARTER / file.ticks_per_beat
            if is_note and message.channel != PERCUSSION:
                voice, pitch = (number, message.channel), message.note
                start = held.pop((message.channel, pitch), now)
                if start < now:
                    voices[voice].append(Sound(start, now, pitch))
                if message.type == "note_on" and message.velocity > 0:
                    held[message.channel, pitch] = now
            elif message.type == "time_signature":
                meter = (message.numerator, message.denominator)
                if _is_possible(meter):
                    meters[round(now)] = meter
            elif message.type == "key_signature":
                mode = "min" if message.key.endswith("m") else "maj"
                keys[round(now)] = Key(message.key.removesuffix("m"), mode)
            elif message.type == "track_name":
                titles.setdefault(number, _title(message.name))
        # A key never let go is held until the voice goes on.
        for (channel, pitch), start in held.items():
            sounds = voices[number, channel]
            end = min((sound.start for sound in sounds if sound.start > start), default=now)
            if start < end:
                sounds.append(Sound(start, end, pitch))
    return _Score(dict(voices), sorted(meters.items()), sorted(keys.items()), titles)


def _title(name: str) -> str:
    """Return a track's name as one line; it is UTF-8, or else Latin-1."""
    with suppress(UnicodeDecodeError):
        name = name.encode("latin-1").decode("utf-8")
    return "".join(c for c in " ".join(name.split()) if c.isprintable())


def _business(voice: list[Sound]) -> tuple[float, float]:
    """Return how often a voice sets in, less if with chords, and second how high it lies."""
    times = len({sound.start for sound in voice})
    return times * times / len(voice), fmean(sound.pitch for sound in voice)


def _highest_line(voice: list[Sound]) -> list[Sound]:
    """Return the highest of the notes that sound together, none lasting into the next one.

    A lower note that begins while a higher one still sounds belongs to another voice, unless it
    outlasts that one by more than half: then they were played legato.
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
            if sound.pitch < last.pitch and covered > _length(sound) / 2:
                continue
            line[-1] = last._replace(end=sound.start)
        line.append(sound)
        latest = sound
    return line


def _note_values(played: list[Sound], fine: bool) -> list[Sound]:
    """Return the notes with times in whole units, as they would be written.

    Where most of the notes of a file with a `fine` clock begin, or end, on a unit, those that do
    stay. The others move to the places of their quarter note's likeliest division, and last until
    the next note begins, unless there is time for a rest of an eighth. Where hardly any note lasts
    until the next, but each for at least half as long, that is how it was played, not written.
    """
    places, in_thirds = _places([sound.start for sound in played], fine)
    longest: dict[int, Sound] = {}  # of the notes in one place: the others are grace notes
    for place, sound in zip(places, played, strict=True):
        longest[place] = max(longest.get(place, sound), sound, key=_length)
    line = list(longest.items())
    gaps = [after.start - sound.end for (_, sound), (_, after) in pairwise(line)]
    short = [0.5 < gap <= _length(sound) for gap, (_, sound) in zip(gaps, line, strict=False)]
    detached = sum(short) > max(8, 0.9 * len(gaps))
    exact = fine and not detached and _mostly_whole([sound.end for _, sound in line])
    written = []
    following = [*(place for place, _ in line[1:]), 2 * MAX_LENGTH]
    for (place, sound), after, gap in zip(line, following, [*gaps, MAX_LENGTH], strict=True):
        step = QUARTER // (3 if sound.end // QUARTER in in_thirds else 2)
        if exact and _is_whole(sound.end) and gap > 0.5:
            end = round(sound.end)
        elif gap < WHOLE / 8 or (detached and gap <= _length(sound)):
            end = after
        else:
            end = round(sound.end / step) * step
        end = min(after, end if end > place else place + step)
        written.append(Sound(place, end, sound.pitch))
    return written


def _length(sound: Sound) -> float:
    return sound.end - sound.start


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


def _in_range(line: list[Sound]) -> list[Sound]:
    """Return the line moved by octaves to where ABC can write most of it, and then all of it."""

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
    """Return the key whose profile correlates best with how long each pitch class sounds."""
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
    """Return the value in force at a time; before the first change, that first one."""
    after = bisect_right(changes, time, key=lambda change: change[0])
    return changes[max(0, after - 1)][1]


def _bar_length(meter: Meter) -> int:
    return meter[0] * WHOLE // meter[1]


def _is_stated(meters: list[tuple[int, Meter]]) -> bool:
    """Whether a metre at the first bar's end says that the first bar is as it was written."""
    return len(meters) > 1 and meters[1][0] == _bar_length(meters[0][1])


def _in_bars(
    line: list[Sound], meters: list[tuple[int, Meter]], keys: list[tuple[int, Key]], title: str
) -> Tune:
    """Return the line divided into bars, tied over the bar lines, with rests between the notes.

    Empty bars before it are left out. If it begins in the course of a bar, or if the first metre
    is that of one shorter bar, that is a pick-up; the last bar is then short by as much, if it can.
    """
    first, last = int(line[0].start), int(line[-1].end)
    bar_lines = [0]
    while bar_lines[-1] < last:
        bar_lines.append(bar_lines[-1] + _bar_length(_at(meters, bar_lines[-1])))
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
    bars = [Bar(notes) for notes in _divided(line, bar_lines)]
    for index, (before, now) in enumerate(pairwise(in_force), start=1):
        bars[index] = replace(
            bars[index],
            meter=None if now[0] == before[0] else now[0],
            key=None if now[1] == before[1] else now[1],
        )
    return Tune(tuple(bars), key, meter, title)


def _divided(line: list[Sound], bar_lines: list[int]) -> list[tuple[Note, ...]]:
    """Return the notes of each bar, rests filled in."""
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
