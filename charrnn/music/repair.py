"""Repair tunes whose bars do not add up, where the notation shows what was meant.

Collections state one meter for songs that change it, omit a bar line at the end of a line of text,
lose triplets when they are converted, or end a section with a full bar although the next one begins
with a pick-up. Each repair corrects one such habit. The pitches and their order stay the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise

from charrnn.music.abc_repeats import with_true_ties
from charrnn.music.tune import FREE, Bar, Meter, Note, Tune

MOST_PARTS = 8  # into which a bar is divided
LONGEST_BAR = 4  # times as long as others
LONGEST_PICK_UP = Fraction(3, 4)  # of a bar
MOST_IRREGULAR = 0.9  # of the bars, unless the meter is wrong
MOST_MISPRINTS = 16  # bars of a tune, and at most an eighth of all
TUPLETS = {5: 2, 7: 2, 9: 4}  # sizes, and how much longer they may be meant

Rhythm = tuple[tuple[Fraction, bool], ...]  # durations, and whether they are rests


def repaired(tune: Tune) -> tuple[Tune, Counter[str]]:
    """Return the tune with bars that add up, and the number of repairs by kind.

    A tune that is regular, or that cannot be repaired, is returned as it is.
    """
    kinds: Counter[str] = Counter()
    result = tune
    for kind, repair in REPAIRS:
        irregular = len(result.irregular_bars())
        if not irregular or (
            kind != REPAIRS[0][0] and irregular > MOST_IRREGULAR * len(result.bars)
        ):
            break
        result, count = repair(result)
        if count:
            kinds[kind] += count
    if not kinds or result.irregular_bars():
        return tune, Counter()
    bars = [
        replace(bar, closes=bar.closes and not (after.opens or after.ending))
        for bar, after in zip(result.bars, [*result.bars[1:], Bar(())], strict=True)
    ]
    return with_true_ties(replace(result, bars=tuple(bars))), kinds


# ---- meters --------------------------------------------------------------------------------------


def correct_meter(tune: Tune) -> tuple[Tune, int]:
    """Replace a meter by the one that most of its bars have."""
    meters = tune.meters()
    changes = [index for index in range(1, len(meters)) if meters[index] != meters[index - 1]]
    count = 0
    for begin, end in pairwise([0, *changes, len(meters)]):
        meter = meters[begin]
        if meter is None:
            continue
        durations = Counter(bar.duration for bar in tune.bars[begin:end])
        duration, number = durations.most_common(1)[0]
        actual = _meter_of(duration, meter)
        if actual and number > max(3, (end - begin) // 2, 2 * durations[Fraction(*meter)]):
            meters[begin:end] = [actual] * (end - begin)
            count += 1
    return _with_meters(tune, meters), count


def mark_meters(tune: Tune, strict: bool = True) -> tuple[Tune, int]:
    """Mark changes of meter at irregular bars inside sections that have whole beats: if `strict`,
    two or more, or dotted ones in compound meters.
    """
    meters = tune.meters()
    edges = _edges(tune)
    count = 0
    for index in tune.irregular_bars():
        meter, duration = meters[index], tune.bars[index].duration
        if meter and (index not in edges or duration > Fraction(*meter)):
            actual = _meter_of(duration, meter, strict)
            if actual and actual != meter:
                meters[index] = actual
                count += 1
    return _with_meters(tune, meters), count


def _meter_of(duration: Fraction, like: Meter, strict: bool = True) -> Meter | None:
    """Return the meter of a bar in a tune in the meter `like`; None if it has a part of a beat."""
    if duration > LONGEST_BAR * Fraction(*like):
        return None
    count, unit = like
    if unit >= 8 and count > 3 and count % 3 == 0:
        if duration % Fraction(3, unit) == 0:
            return (int(duration * unit), unit)
        beats = [] if strict else [Fraction(1, 4)]
    else:
        beats = [Fraction(1, unit if unit < 8 or count < 6 else 4), Fraction(1, 4)]
    for beat in beats:
        if duration % beat == 0 and duration >= beat * (1 + strict):
            return (int(duration / beat), beat.denominator)
    return None


def _with_meters(tune: Tune, meters: list[Meter | None]) -> Tune:
    """Return the tune with these meters of its bars."""
    bars = [
        replace(bar, meter=None if meter == before else meter or FREE)
        for bar, before, meter in zip(tune.bars, [meters[0], *meters], meters, strict=False)
    ]
    return replace(tune, bars=tuple(bars), meter=meters[0])


# ---- bar lines -----------------------------------------------------------------------------------


def divide_bars(tune: Tune) -> tuple[Tune, int]:
    """Divide bars that are longer than their meter, if a note begins at each new bar line.

    A part may be shorter only where a section begins or ends.
    """
    ends, starts = _ends(tune), _starts(tune)
    bars: list[Bar] = []
    for index, (bar, meter) in enumerate(zip(tune.bars, tune.meters(), strict=True)):
        full = Fraction(*(meter or FREE))
        firsts = []
        if full and bar.duration > full:
            remainder = bar.duration % full
            firsts += [full] if not remainder or index in ends else []
            firsts += [remainder] if remainder and index in starts else []
        divided = (_divided(bar, first, full) for first in firsts)
        bars += next((parts for parts in divided if parts), [bar])
    return replace(tune, bars=tuple(bars)), len(bars) - len(tune.bars)


def _divided(bar: Bar, first: Fraction, full: Fraction) -> list[Bar]:
    """Return parts of a bar, the `first` and later ones of these durations; nothing if a note
    crosses a new bar line, or a part has only rests.
    """
    parts: list[list[Note]] = [[]]
    filled, wanted = Fraction(0), first
    for note in bar.notes:
        if filled == wanted:
            parts.append([])
            filled, wanted = Fraction(0), full
        parts[-1].append(note)
        filled += note.duration
        if filled > wanted:
            return []
    if len(parts) > MOST_PARTS or not all(any(note.pitch for note in part) for part in parts):
        return []
    begin = replace(bar, notes=tuple(parts[0]), repeats=False, closes=False)
    end = Bar(tuple(parts[-1]), repeats=bar.repeats, closes=bar.closes)
    return [begin, *(Bar(tuple(notes)) for notes in parts[1:-1]), end]


def join_bars(tune: Tune) -> tuple[Tune, int]:
    """Join two irregular bars that make up one: at the end of a line of text or of a phrase, or at
    a double bar line in a section that is repeated.

    If the key changes between them, the repeat starts there instead.
    """
    irregular, starts = set(tune.irregular_bars()), _starts(tune)
    bars = [tune.bars[0]]
    opened = 0  # where the current section starts, in `bars`
    count = 0
    parts = {
        index
        for index, meter in enumerate(tune.meters())
        if index and not {index - 1, index} & starts and {index - 1, index} <= irregular and meter
        if tune.bars[index - 1].duration + tune.bars[index].duration == Fraction(*meter)
    }
    for index, bar in enumerate(tune.bars[1:], 1):
        before = bars[-1]
        if index not in parts or index - 1 in parts or bar.ending or bar.meter:
            opened = len(bars) if bar.opens else opened
            bars.append(bar)
            continue
        count += 1
        if bar.key:
            bars[opened] = replace(bars[opened], opens=False)
            bars[-1] = replace(bars[-1], closes=True)
            opened = len(bars)
            bars.append(replace(bar, opens=True))
        else:
            notes = before.notes + bar.notes
            bars[-1] = replace(before, notes=notes, repeats=bar.repeats, closes=bar.closes)
    return replace(tune, bars=tuple(bars)), count


def join_endings(tune: Tune) -> tuple[Tune, int]:
    """Begin both endings with the incomplete bar before them, which their first bars complete."""
    starts, meters = _starts(tune), tune.meters()
    bars: list[Bar] = []
    begun: Bar | None = None  # the bar that the second ending begins with, too
    count = 0
    for index, bar in enumerate(tune.bars):
        if bar.ending == 1 and index - 1 not in starts:
            second = next((each for each in tune.bars[index:] if each.ending == 2), bar)
            before = bars[-1].duration
            full = Fraction(*(meters[index] or FREE))
            if before < full == before + bar.duration == before + second.duration:
                begun = bars.pop()
                count += 1
        if bar.ending and begun:
            bar = replace(bar, notes=begun.notes + bar.notes)
            begun = begun if bar.ending == 1 else None
        bars.append(bar)
    return replace(tune, bars=tuple(bars)), count


# ---- misprinted durations ------------------------------------------------------------------------


def mark_triplets(tune: Tune) -> tuple[Tune, int]:
    """Play three equal notes in the time of two where that alone makes a bar add up."""
    bars = list(tune.bars)
    count = 0
    for index, full in _misprinted(tune):
        notes = list(bars[index].notes)
        excess = bars[index].duration - full
        if excess <= 0:
            continue
        offsets = accumulate((note.duration for note in notes), initial=Fraction(0))
        places = [
            place
            for place, offset in zip(range(len(notes) - 2), offsets, strict=False)
            if offset % (2 * excess) == 0
            and all(note.pitch and note.duration == excess for note in notes[place : place + 3])
        ]
        if len(places) == 1:
            for place in range(places[0], places[0] + 3):
                notes[place] = replace(notes[place], duration=excess * Fraction(2, 3))
            bars[index] = replace(bars[index], notes=tuple(notes))
            count += 1
    return replace(tune, bars=tuple(bars)), count


def correct_tuplets(tune: Tune) -> tuple[Tune, int]:
    """Play five or seven notes in the time of four, or nine in that of eight, instead of two."""
    bars = list(tune.bars)
    count = 0
    for index, full in _misprinted(tune):
        for size, factor in TUPLETS.items():
            notes = tuple(
                replace(
                    note,
                    duration=note.duration * (1 if note.duration.denominator % size else factor),
                )
                for note in bars[index].notes
            )
            if sum(note.duration for note in notes) == full:
                bars[index] = replace(bars[index], notes=notes)
                count += 1
                break
    return replace(tune, bars=tuple(bars)), count


def correct_rhythms(tune: Tune) -> tuple[Tune, int]:
    """Give a bar the most similar rhythm among the other bars of the tune."""
    irregular = set(tune.irregular_bars())
    rhythms = Counter(_rhythm(bar) for index, bar in enumerate(tune.bars) if index not in irregular)
    bars = list(tune.bars)
    count = 0
    misprinted = list(_misprinted(tune))
    if len(misprinted) > min(MOST_MISPRINTS, max(2, len(bars) // 8)):
        return tune, 0
    for index, full in misprinted:
        own = _rhythm(bars[index])
        similar = [
            (sum(a != b for a, b in zip(rhythm, own, strict=True)), -number, rhythm)
            for rhythm, number in rhythms.items()
            if [is_rest for _, is_rest in rhythm] == [is_rest for _, is_rest in own]
            and sum(duration for duration, _ in rhythm) == full
        ]
        changes, _, rhythm = min(similar, default=(len(own), 0, own))
        if changes <= len(own) // 2:
            notes = (
                replace(note, duration=duration)
                for note, (duration, _) in zip(bars[index].notes, rhythm, strict=True)
            )
            bars[index] = replace(bars[index], notes=tuple(notes))
            count += 1
    return replace(tune, bars=tuple(bars)), count


def _rhythm(bar: Bar) -> Rhythm:
    return tuple((note.duration, note.pitch is None) for note in bar.notes)


def _misprinted(tune: Tune) -> Iterator[tuple[int, Fraction]]:
    """Yield the irregular bars inside sections, and the duration that they should have."""
    boundaries = _edges(tune)
    meters = tune.meters()
    for index in tune.irregular_bars():
        meter = meters[index]
        if meter and index not in boundaries and tune.bars[index].duration != Fraction(*meter):
            yield index, Fraction(*meter)


# ---- sections ------------------------------------------------------------------------------------


def _meetings(tune: Tune) -> set[tuple[int, int]]:
    """Return the pairs of a section's last bar and a bar that is played after it, where that
    section or another one starts.
    """
    bars = tune.bars
    return {
        (index, after)
        for index, after in pairwise(tune.played())
        if bars[index].repeats or bars[index].closes or bars[after].opens
    }


def _ends(tune: Tune) -> set[int]:
    return {end for end, _ in _meetings(tune)} | {len(tune.bars) - 1}


def _starts(tune: Tune) -> set[int]:
    return {start for _, start in _meetings(tune)} | {0}


def _edges(tune: Tune) -> set[int]:
    return _ends(tune) | _starts(tune)


def move_repeats(tune: Tune) -> tuple[Tune, int]:
    """Move the start of a repeat before or after a pick-up as the last bar of its section requires:
    one bar if that leaves no room for the pick-up, or lacks just that.
    """
    bars = list(tune.bars)
    meters = tune.meters()
    starts = _starts(tune)
    count = 0
    for end, start in sorted(_meetings(tune)):
        if start >= end or not bars[start].opens:
            continue
        full = Fraction(*(meters[end] or FREE))
        first, last, before = bars[start].duration, bars[end].duration, bars[start - 1]
        has_pick_up = first <= LONGEST_PICK_UP * full
        if has_pick_up and last == full and not _lasting(bars[end], full - first):
            moved = start + 1
        elif start - 1 in starts and not before.repeats and first == full == before.duration + last:
            moved = start - 1
        else:
            continue
        if bars[moved].ending:
            continue
        bars[start] = replace(bars[start], opens=False)
        bars[moved] = replace(bars[moved], opens=True)
        count += 1
    return replace(tune, bars=tuple(bars)), count


def complete_sections(tune: Tune) -> tuple[Tune, int]:
    """Make the last bar of a section and the pick-up that is played next add up: by a rest, or a
    shorter last note, and in two endings if different bars are played next.
    """
    bars = list(tune.bars)
    meters = tune.meters()
    following: dict[int, list[int]] = {}
    for end, start in sorted(_meetings(tune)):
        following.setdefault(end, []).append(start)
    count = 0
    for end in sorted(following, reverse=True):
        bar = bars[end]
        versions = [
            _before(bar, meters[end], bars[after], meters[after]) for after in following[end]
        ]
        first, second = versions[0], versions[-1]
        if not first or not second or first == second == bar:
            continue
        count += 1
        if first == second:
            bars[end] = first
        elif not bar.opens:
            last = replace(second, repeats=False, closes=True, meter=None, key=None, ending=2)
            bars[end : end + 1] = [replace(first, ending=1), last]
    return replace(tune, bars=tuple(bars)), count


def _before(bar: Bar, meter: Meter | None, after: Bar, following: Meter | None) -> Bar | None:
    """Return the last bar of a section, completed to be played before the bar `after`; None if
    that is impossible.
    """
    if not meter or not following:
        return bar
    full = Fraction(*following)
    has_pick_up = after.duration <= LONGEST_PICK_UP * full
    return _lasting(bar, full - after.duration if has_pick_up else Fraction(*meter))


def _lasting(bar: Bar, duration: Fraction) -> Bar | None:
    """Return the bar with another duration, by a rest at its end or a shorter last note; None if
    the last note is too short.
    """
    notes = list(bar.notes)
    while notes and notes[-1].pitch is None:
        notes.pop()
    missing = duration - sum((note.duration for note in notes), Fraction(0))
    if missing < 0:
        last = notes.pop()
        if last.duration + missing <= 0:
            return None
        notes.append(replace(last, duration=last.duration + missing))
    elif missing:
        notes.append(Note(None, missing))
    return replace(bar, notes=tuple(notes)) if notes else None


# In an order in which each step leaves less to guess for the next.
REPAIRS: list[tuple[str, Callable[[Tune], tuple[Tune, int]]]] = [
    ("wrong meter", correct_meter),
    ("missing bar line", divide_bars),
    ("extra bar line", join_bars),
    ("extra bar line", join_endings),
    ("unmarked meter change", mark_meters),
    ("missing triplet", mark_triplets),
    ("wrong tuplet", correct_tuplets),
    ("misprinted rhythm", correct_rhythms),
    ("unmarked meter change", lambda tune: mark_meters(tune, strict=False)),
    ("misplaced repeat", move_repeats),
    ("incomplete section", complete_sections),
]
