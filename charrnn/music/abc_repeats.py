"""Bring repeats, endings and ties, as people write them in ABC and MusicXML, into the normal form
of a Tune.

In the normal form every repeat has its start marked, endings are first or second ones, and ties
lead to a note of the same pitch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from charrnn.errors import CorpusError
from charrnn.music.tune import FREE, Bar, Key, Meter, Note, Tune

# Limits far beyond real music, which keep arithmetic fast and every tune writable.
LONGEST = 64  # duration of a note, in whole notes
FINEST = 9999  # the common denominator of the durations in a bar
MOST_NOTES = 1000  # in a bar


@dataclass(kw_only=True)
class Draft:
    """A bar while it is read, with repeat signs and ending as they are in the source."""

    meter: Meter | None
    key: Key
    opens: bool
    ending: int
    notes: list[Note] = field(default_factory=list)
    duration: Fraction = Fraction(0)
    finest: int = 1  # common denominator of the durations
    repeats: bool = False
    closes: bool = False

    def add(self, note: Note) -> None:
        """Add a note at the end; raises CorpusError for a bar beyond the limits."""
        self.notes.append(note)
        self._count(note.duration, note.duration)
        if len(self.notes) > MOST_NOTES:
            raise CorpusError(f"a bar has more than {MOST_NOTES:,} notes")

    def stretch_last(self, factor: Fraction) -> None:
        """Multiply the duration of the last note; raises CorpusError as `add` does."""
        last = self.notes[-1]
        self.notes[-1] = replace(last, duration=last.duration * factor)
        self._count(self.notes[-1].duration, self.notes[-1].duration - last.duration)

    def _count(self, duration: Fraction, added: Fraction) -> None:
        """Keep the totals, as the bar is read: sums of arbitrary fractions would grow long."""
        if duration > LONGEST:
            raise CorpusError(f"a note is longer than {LONGEST} whole notes")
        self.finest = math.lcm(self.finest, duration.denominator)
        if self.finest > FINEST:
            raise CorpusError(f"the durations in a bar have no common denominator up to {FINEST}")
        self.duration += added

    def is_full(self) -> bool:
        """Return whether the notes fill the meter."""
        return self.meter is not None and self.duration == Fraction(*self.meter)


D = TypeVar("D", bound=Draft)


def tune_of(drafts: list[D], title: str, ignored: Counter[str]) -> tuple[Tune, list[D]]:
    """Return the tune of bars as they were read, and the bars that it has.

    Raises CorpusError for a tune without notes.
    """
    drafts = with_two_endings(drafts, ignored)
    if not any(note.pitch is not None for draft in drafts for note in draft.notes):
        raise CorpusError("no notes")
    resolve_repeats(drafts)
    bars = []
    for before, draft in zip([drafts[0], *drafts], drafts, strict=False):
        bars.append(
            Bar(
                tuple(draft.notes),
                opens=draft.opens,
                repeats=draft.repeats,
                closes=draft.closes,
                ending=draft.ending,
                meter=(draft.meter or FREE) if draft.meter != before.meter else None,
                key=draft.key if draft.key != before.key else None,
            )
        )
    return with_true_ties(Tune(tuple(bars), drafts[0].key, drafts[0].meter, title)), drafts


def with_two_endings(drafts: list[D], ignored: Counter[str]) -> list[D]:
    """Return the bars without the third and later endings of a section, counted in `ignored`, and
    the others numbered 1 and 2.
    """
    kept: list[D] = []
    dropping = False
    last = rank = 0  # number, and place among the endings of its section, of the last ending
    for draft in drafts:
        if draft.opens:
            last = rank = 0
        if draft.ending:
            rank = rank + 1 if draft.ending > last else 1
            last, draft.ending = draft.ending, min(draft.ending, 2)
            dropping = rank > 2
            if dropping:
                ignored["third or later ending"] += 1
        elif draft.opens:
            dropping = False
        if not dropping:
            kept.append(draft)
        elif draft.repeats or draft.closes:
            dropping = False
    return kept


def resolve_repeats(drafts: Sequence[Draft]) -> None:
    """Bring repeats and endings into the normal form: `|:`, then `:|`, with two endings or none.

    A `:|` without its `|:` repeats from the end of the last section, which is a `:|`, the end of a
    second ending or, after one of these, a double bar line; otherwise from the start of the tune.
    """
    begin, opened = 0, False
    first: int | None = None
    second: int | None = None
    ended = 0  # index of the bar after the second ending
    starts = [draft.opens for draft in drafts] + [False]
    for draft in drafts:
        draft.opens = False
    for index, draft in enumerate(drafts):
        before = drafts[index - 1]
        if index == ended:
            begin, opened, first, second = index, False, None, None
        elif index > begin > 0 and before.closes and not opened and first is None:
            begin = index
        if starts[index]:
            if opened and second is None and index > begin:
                _repeat(drafts, begin, index - 1, first)
            elif first is not None and second is None:
                drafts[first].ending = 0
            begin, opened, first, second = index, True, None, None
        if draft.ending == 2 and first is not None and second is None:
            _repeat(drafts, begin, index - 1, None)
            second, ended = index, _after_second(drafts, starts, index, index - first)
        elif draft.ending == 1 and first is None and index > begin:
            first = index
        else:
            draft.ending = 0
        if not draft.repeats:
            continue
        if second is not None:
            draft.repeats, draft.closes = False, True
        elif first is not None and index + 1 < len(drafts) and not starts[index + 1]:
            drafts[index + 1].ending = 2
        else:
            _repeat(drafts, begin, index, first)
            begin, opened, first = index + 1, False, None
    if first is not None and second is None:
        drafts[first].ending = 0
    for draft, after in pairwise(drafts):
        if after.opens or after.ending:
            draft.closes = False
    drafts[-1].closes = not drafts[-1].repeats


def _after_second(drafts: Sequence[Draft], starts: list[bool], second: int, length: int) -> int:
    """Return the index of the bar after a second ending.

    The ending stops at a double bar line or repeat sign; if that sign is the `:|` of a later
    section, the ending is as long as the first one.
    """
    for index in range(second, len(drafts)):
        if drafts[index].repeats:
            return min(index + 1, second + length)
        if drafts[index].closes or starts[index + 1]:
            return index + 1
    return len(drafts)


def _repeat(drafts: Sequence[Draft], begin: int, end: int, unfinished: int | None) -> None:
    """Repeat the bars from `begin` to `end`; a first ending without a second one is no ending."""
    drafts[begin].opens = True
    drafts[end].repeats = True
    for draft in drafts[begin : end + 1]:
        draft.closes = False
    if unfinished is not None:
        drafts[unfinished].ending = 0


def with_true_ties(tune: Tune) -> Tune:
    """Remove the ties that never lead to a note of the same pitch."""
    if not any(note.tied for bar in tune.bars for note in bar.notes):
        return tune
    joined = set()
    last: tuple[int, int] | None = None
    for index in tune.played():
        for place, note in enumerate(tune.bars[index].notes):
            if last and note.pitch == tune.bars[last[0]].notes[last[1]].pitch:
                joined.add(last)
            last = (index, place)
    bars = [
        replace(
            bar,
            notes=tuple(
                replace(note, tied=note.tied and (index, place) in joined)
                for place, note in enumerate(bar.notes)
            ),
        )
        for index, bar in enumerate(tune.bars)
    ]
    return replace(tune, bars=tuple(bars))
