"""Where a bar stands in its tune: header, sections, endings, and the number of bars to come.

A bar line decides which bar follows. A line of the header counts as a bar without notes, and a
title as one such bar for each of its words. A pick-up and the bar that completes it count as one
bar, and so do corresponding bars of a first and a second ending.

In a countdown (`charrnn.music.countdown`), each bar begins with a mark of the number of bars left
in its section. It, too, counts as a bar without notes. The first mark of a section decides how long
it is, and whether it is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import takewhile
from typing import NamedTuple

from charrnn.errors import require
from charrnn.music.countdown import ALL_MARKS, FULL, LAST_MARKS, MARKS, index_of, shortness
from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.form import section_size, sections
from charrnn.music.grammar.header import OPENINGS, key_lines, meter_lines, title_words
from charrnn.music.grammar.rhythm import MAX_TICKS, WHOLE, Ends, ticks_of
from charrnn.music.grammar.words import Alphabet, bitset, members
from charrnn.music.tune import Key, Meter

# What each bar line leads to from the parts of a section in which it may stand. "once" is a section
# without a repeat; "first" and "second" are the endings of one with a repeat.
LINES: dict[str, dict[str, str]] = {
    "|": {part: part for part in ("once", "repeated", "first", "second")},
    "|1": {"repeated": "first"},
    ":|2": {"first": "second"},
    ":|": {"repeated": "once"},
    "::": {"repeated": "repeated"},
    "||": {"once": "once", "second": "once"},
    "|:": {"once": "repeated", "second": "repeated"},
    ":|\n\n": {"repeated": "end"},
    "|]\n\n": {"once": "end", "second": "end"},
}
INNER = ("|", "|1", ":|2", *ALL_MARKS)  # lines inside a section; the others close one
PICKUPS = ("|", "|:")  # lines that may come after a pick-up; "|:" if it is not repeated
HEADER = ("opening", "title", "meter", "key")  # the parts before the first section
ANY, NONE = -1, -2  # values of SongState.owed
MAX_BARS = 64  # of a tune whose number of bars is open
MAX_TITLE = 60  # words, and so about as many characters

NO_KEY = Key()
# The index of the mark of a last bar that lacks this many ticks of its meter.
SHORTNESS = [shortness(Fraction(ticks, WHOLE)) for ticks in range(MAX_TICKS + 1)]


def known_marks(alphabet: Alphabet) -> tuple[list[str], list[str]]:
    """Return which MARKS and LAST_MARKS an alphabet can write; those of the other kind if none."""
    marks, last = _first_known(alphabet, MARKS), _first_known(alphabet, LAST_MARKS)
    return marks or last, last or marks


def _first_known(alphabet: Alphabet, marks: str) -> list[str]:
    """Return the first of the marks that the alphabet can write, up to one that it lacks.

    Where it lacks some of those for a last bar, another one takes their place. Returns [] if it
    lacks all of them, or the mark of the bar before: then it has the others for the names of keys.
    """
    ends = [mark for mark in marks[FULL::-1] if alphabet.can_write(mark)]
    if not ends or not alphabet.can_write(marks[FULL + 1]):
        return []
    ends = [mark if mark in ends else ends[0] for mark in marks[: FULL + 1]]
    return [*ends, *takewhile(alphabet.can_write, marks[FULL + 1 :])]


class SongState(NamedTuple):
    """Where in the tune a bar stands."""

    part: str = "meter"  # one of HEADER, or a part of a section as in LINES
    meter: Meter = (4, 4)
    key: Key = NO_KEY
    section: int = 0  # index in the form
    bars: int = 0  # before this one: in the tune or, given a form, in the section
    size: int = 0  # the number of bars required; 0 for any
    mark: int = 0  # bars before the first ending
    upbeat: int = 0  # ticks of the tune's first pick-up
    pickup: int = 0  # ticks of this section's pick-up
    owed: int = 0  # where a section begins: ticks of the pick-up that must come, ANY or NONE
    # In a countdown:
    marked: bool = True  # whether the bar has its mark
    left: int = 0  # bars of the section from this one on; 0 if that is open
    last: bool | None = None  # whether the section is the last; None if that is open
    short: int = 7  # the set of indices of marks that its last bar may have

    @property
    def in_header(self) -> bool:
        """Whether the tune has no bar yet."""
        return self.part in HEADER

    @property
    def full_bar(self) -> int:
        """The ticks of a full bar."""
        return ticks_of(self.meter)

    @property
    def bars_of_first_ending(self) -> int:
        """In a first ending, the number of its bars up to and including this one."""
        return self.bars + 1 - self.mark

    def is_pickup(self, ticks: int) -> bool:
        """Return whether this bar, if it lasts `ticks`, is a pick-up."""
        return self.owed not in (0, NONE) and ticks < self.full_bar

    def countable(self) -> SongState:
        """Return the state without what has no effect on whether the tune can still be ended.

        In a countdown, the way to the last bar of the section is known.
        """
        part, _, _, section, bars, size, mark, _, _, _, marked, left, last, short = self
        if left:
            bars, left, marked, short = bars + left - 1, 1, True, 7
        return SongState(
            part, (4, 4), NO_KEY, section, bars, size, mark, 0, 0, 0, marked, left, last, short
        )

    def ending(self) -> SongState:
        """Return the state without what has no effect on how this bar may end."""
        if self.left > 1:
            return self._replace(key=NO_KEY, upbeat=0, pickup=0)
        return self._replace(key=NO_KEY)


class Song:
    """The machine of header lines and bar lines, for a tune with the given properties.

    `fills` is the set of durations that notes can fill (rhythm.py); `can_begin` says in which keys
    a first note can be written. The other arguments are those of `tunes.tune_grammar`, and so are
    the errors raised.

    >>> song = Song(Alphabet("M:34\\nKCmajor/|]"), fills=-1, can_begin=lambda key: True, bars=2)
    >>> state = song.start
    >>> for line in ("M:3/4\\n", "K:Cmaj\\n"):
    ...     state = song.after(state, line, 0)
    >>> [line for line, _ in song.ends(state)]
    ['|', '||', '|:']
    >>> [line for line, _ in song.ends(song.after(state, "|", 24))]
    ['|]\\n\\n']
    """

    def __init__(
        self,
        alphabet: Alphabet,
        fills: int,
        can_begin: Callable[[Key], bool],
        meter: Meter | None = None,
        key: Key | None = None,
        bars: int | None = None,
        form: str = "",
        titles: bool = False,
        countdown: bool = False,
    ) -> None:
        self.form = sections(form)
        self._size = section_size(bars, self.form)
        self._most = self._size or MAX_BARS // max(1, len(self.form))
        self._fills = fills
        self._lines = list(alphabet.writable("a bar line", LINES))
        self._title = title_words(alphabet) if titles else []
        self._countdown = countdown
        self._marks = known_marks(alphabet)
        self._tells_last = self._marks[0] != self._marks[1]
        self.start = SongState("opening" if self._title else "meter")
        self._endable = {self.start: True}  # whether a tune can be ended from there
        self._meters = meter_lines(alphabet, fills, meter)
        parts = [
            part
            for part in OPENINGS
            if not self.form or self.form[0].repeats == (part == "repeated")
        ]
        self._keys = {
            line: (each, part)
            for line, (each, part) in key_lines(alphabet, key, parts).items()
            if can_begin(each) and self._can_end(self._begin(SongState(part, size=self._size)))
        }
        missing = alphabet.missing(":|]12^=_ABCDEFG" + LAST_MARKS[0] * countdown)
        require(bool(self._keys), f"cannot write these tunes: the alphabet lacks {missing}")

    def after(self, song: SongState, line: str, ticks: int) -> SongState | None:
        """Return the state after a bar of `ticks` that ends with `line`; None if that line is not
        allowed there.
        """
        if song.in_header:
            return self._after_header(song, line)
        if not song.marked:
            return self._marked(song)[line]
        after = self._after_bar(song, line, ticks)
        if after is None or not self._countdown:
            return after
        if song.is_pickup(ticks):
            return after._replace(marked=False)
        if line in ("|", "|1"):
            return after._replace(marked=False, left=song.left - 1) if song.left > 1 else None
        is_last = song.last if song.last is not None else after == self.start
        if song.left > 1 or (line != ":|2" and (after == self.start) != is_last):
            return None
        if line == ":|2":
            return after._replace(marked=False, left=0, short=7)
        return after if after == self.start else self._begin(after)

    def closing_line(self, section: int) -> str:
        """Return the line that closes a section of the form that has no endings."""
        parts = ["repeated" if each.repeats else "once" for each in self.form] + ["end"]
        leads = {parts[section]: parts[section + 1]}
        return next(ln for ln in LINES if ln not in INNER and leads.items() <= LINES[ln].items())

    # ---- which bar follows -----------------------------------------------------------------

    def _after_bar(self, song: SongState, line: str, ticks: int) -> SongState | None:
        part = LINES[line].get(song.part)
        if part is None:
            return None
        if song.is_pickup(ticks):
            return self._after_pickup(song, line, part, ticks)
        if line in INNER:
            return self._inside_section(song, line, part)
        return self._after_section(song, part, ticks)

    def _after_header(self, song: SongState, line: str) -> SongState:
        if song.part == "title":
            return SongState() if line == "\n" else song._replace(bars=song.bars + 1)
        if song.part == "key":
            key, part = self._keys[line]
            return self._begin(song._replace(part=part, key=key, size=self._size, owed=ANY))
        if line == "T:":
            return song._replace(part="title")
        return song._replace(part="key", meter=self._meters[line])

    def _after_pickup(self, song: SongState, line: str, part: str, ticks: int) -> SongState | None:
        if line not in PICKUPS or (self.form and line == "|:"):
            return None
        upbeat = ticks if song.owed == ANY else song.upbeat
        pickup = ticks if line == "|" else 0
        return song._replace(part=part, upbeat=upbeat, pickup=pickup, owed=0)

    def _inside_section(self, song: SongState, line: str, part: str) -> SongState | None:
        bars, size, mark = song.bars + 1, song.size, song.mark
        if line == ":|2":
            if self.form:
                if size not in (0, bars):
                    return None
                size = bars
            return song._replace(part=part, bars=mark, size=size, owed=0)
        if bars >= (size or self._most):
            return None
        if line == "|1":
            if self._comes_back(song.section):
                return None
            mark = bars
        return song._replace(part=part, bars=bars, mark=mark, owed=0)

    def _after_section(self, song: SongState, part: str, ticks: int) -> SongState | None:
        section, bars, size = song.section, song.bars + 1, song.size
        is_complete = size in (0, bars)
        if self.form:
            section, size, bars = section + 1, bars, 0
            is_last = section == len(self.form)
            repeats = not is_last and self.form[section].repeats
            if not is_complete or is_last != (part == "end") or repeats != (part == "repeated"):
                return None
        elif not is_complete if part == "end" else bars >= (size or self._most):
            return None
        if part == "end":
            return self.start
        owed = song.full_bar - ticks or NONE
        return SongState(part, song.meter, song.key, section, bars, size, 0, song.upbeat, 0, owed)

    # ---- a countdown -------------------------------------------------------------------------

    def _begin(self, song: SongState) -> SongState:
        """Return the state where a section begins, in a countdown before its mark."""
        if not self._countdown:
            return song
        last = song.section == len(self.form) - 1 if self.form and self._tells_last else None
        return song._replace(marked=False, left=0, last=last, short=7)

    @cached_method
    def _marked(self, song: SongState) -> dict[str, SongState]:
        """Return the marks that may come, and the state after each."""
        most = (song.size or self._most) - song.bars
        marked = {}
        is_open = song.last is None and self._tells_last
        for last in (False, True) if is_open else (song.last,):
            marks = self._marks[bool(last)]
            longest = len(marks) - FULL
            lefts: Iterable[int]
            if song.left:
                # The highest mark stands for more bars, too, if their number is open.
                more = not song.size and song.left + 1 == longest <= most
                lefts = (song.left, song.left + 1) if more else (song.left,)
            elif song.size and (self.form or last):
                lefts = (most,)
            else:
                lefts = range(1, min(longest, most) + 1)
            for left in lefts if marks else ():
                after = song._replace(marked=True, left=left, last=last)
                if left > 1:
                    marked[marks[min(index_of(left), len(marks) - 1)]] = after
                    continue
                for mark in dict.fromkeys(marks[: FULL + 1]):
                    short = bitset(n for n in range(FULL + 1) if marks[n] == mark) & song.short
                    if short:
                        marked[mark] = after._replace(short=short)
        return marked

    def _comes_back(self, section: int) -> bool:
        """Return whether a section of the form is written more than once. Such a section has no
        endings: they need a repeat, and it may come back without one.
        """
        letters = [letter for letter, _ in self.form]
        return bool(letters) and letters.count(letters[section]) > 1

    # ---- how a bar may end -----------------------------------------------------------------

    def ends(self, song: SongState) -> Ends:
        """Return the lines that may end a bar, each with the set of times at which it may."""
        return self._ends(song.ending())

    @cached_method
    def _ends(self, song: SongState) -> Ends:
        if song.in_header:
            return tuple((line, 1) for line in self._header_lines(song))
        if not song.marked:
            return tuple(
                (mark, 1)
                for mark, after in self._marked(song).items()
                if self._can_end(after) and (after.left > 1 or self.ends(after))
            )
        ends = {}
        for line in self._lines if song.owed <= 0 else ():
            if self._may_stand(song, line, song.full_bar):
                ends[line] = self._fitting(song, self._durations(song, line))
        if song.owed == ANY or song.owed > 0:
            # No section of one bar has a pick-up of its own, which is rare: checking each pick-up
            # against the mark of the last bar would take long.
            free = 0 if song.left == 1 else self._pickups(song.full_bar)
            pickups = free if song.owed == ANY else 1 << song.owed
            for line in PICKUPS:
                if self._may_stand(song, line, 0):
                    ends[line] = ends.get(line, 0) | self._completed(song, line, pickups)
        return tuple((line, times) for line, times in ends.items() if times)

    def _fitting(self, song: SongState, times: int) -> int:
        """Return those of the times at which a bar may end with which its mark agrees."""
        if song.left != 1:
            return times
        full = song.full_bar
        return bitset(time for time in members(times) if song.short >> SHORTNESS[full - time] & 1)

    def _header_lines(self, song: SongState) -> Iterable[str]:
        match song.part:
            case "opening":
                return ("T:", *self._meters)
            case "title" if song.bars == 0:
                return [word for word in self._title if word[0] not in " |:"]
            case "title":
                return ("\n", *(self._title if song.bars < MAX_TITLE else ()))
        return self._meters if song.part == "meter" else self._keys

    def _may_stand(self, song: SongState, line: str, ticks: int) -> bool:
        """Return whether the tune can still be ended after a bar of `ticks` and `line`."""
        after = self.after(song, line, ticks)
        return after is not None and self._can_end(after)

    def _can_end(self, song: SongState) -> bool:
        """Return whether the tune can still be ended; pick-ups always can be completed.

        A depth-first search, not a recursive function: a tune may have hundreds of bars. It ends,
        because bars and sections only increase, except from a first ending to the second.
        """
        song = song.countable()
        path = [song]
        while song not in self._endable:
            state, can_end, unknown = path[-1], False, None
            for step in self._steps(state):
                after = step.countable()
                can_end = self._endable.get(after, False)
                if can_end:
                    break
                if unknown is None and after not in self._endable:
                    unknown = after
            if can_end or unknown is None:
                self._endable[path.pop()] = can_end
            else:
                path.append(unknown)
        return self._endable[song]

    def _steps(self, song: SongState) -> Iterable[SongState]:
        """Return the states that may follow a full bar or a mark, those near the end first."""
        if not song.marked:
            return self._marked(song).values()
        afters = (self.after(song, line, song.full_bar) for line in reversed(self._lines))
        return (after for after in afters if after is not None)

    def _durations(self, song: SongState, line: str) -> int:
        """Return the durations that a bar may have before `line`: together with the pick-up that
        is played next, if there is one, it lasts a full bar.
        """
        full = song.full_bar
        if line in ("|", "|1") or song.owed < 0:
            return 1 << full
        if line.startswith(":"):  # back to the pick-up of this section
            return 1 << full - song.pickup
        if self.form:
            return 1 << full - song.upbeat
        if line == "|]\n\n":
            return 1 << full | 1 << full - song.upbeat
        return 1 << full | self._pickups(full)  # the next pick-up completes the bar

    def _completed(self, song: SongState, line: str, pickups: int) -> int:
        """Return those of the pick-ups after which the last bar can have its mark."""
        if song.left != 1:
            return pickups
        after = {time: self.after(song, line, time) for time in members(pickups)}
        return bitset(time for time, bar in after.items() if bar and self.ends(bar))

    @cached_method
    def _pickups(self, full: int) -> int:
        """Return the durations of a pick-up such that notes can fill both it and the bar that
        completes it.
        """
        fills = members(self._fills)
        return bitset(time for time in fills if 0 < time < full and full - time in fills)
