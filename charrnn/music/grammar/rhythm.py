"""How much of a bar is filled: which lengths and bar lines may come next.

This machine rejects bars of the wrong length. Each bar comes with the lines that may end it and the
times at which each may stand. A note may last only so long that the lengths that the alphabet can
write still fill the rest of the bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, reduce
from operator import or_

from charrnn.music.abc_writer import length_text
from charrnn.music.countdown import ALL_MARKS
from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.words import (
    LINE,
    REST,
    Alphabet,
    Length,
    Meaning,
    Tuplet,
    Words,
    bitset,
    members,
)
from charrnn.music.tune import Meter

WHOLE = 32  # ticks of a whole note
UNIT = 4  # ticks of a note without a length
MAX_TICKS = 2 * WHOLE  # of a bar
TUPLETS = {3: 2}  # notes of a tuplet: notes in whose time they are played
MAX_TUPLET = 9  # notes

Ends = tuple[tuple[str, int], ...]  # the lines that may end a bar, each with the set of its times


def is_plain(line: str) -> bool:
    """Return whether a note may be tied over the line: a single one, or a mark alone.

    >>> [is_plain(line) for line in ("|", "|k", "k", "||", ":|")]
    [True, True, True, False, False]
    """
    return line.strip(ALL_MARKS) in ("|", "")


def ticks_of(meter: Meter) -> int:
    """Return the length of a full bar."""
    return meter[0] * WHOLE // meter[1]


@dataclass(eq=False, slots=True)
class RhythmState:
    """How much of a bar is filled before the next word."""

    ends: Ends
    done: int  # ticks
    tuplet: Tuplet | None  # that is open
    naming: str  # "note" or "rest" between its pitch and its length, else ""


def after_note(tuplet: Tuplet | None, ticks: int) -> tuple[int, Tuplet | None]:
    """Return by how many ticks a note advances the bar, and the tuplet that is open after it.

    A tuplet advances the bar only when it ends.
    """
    if tuplet is None:
        return ticks, None
    number, left, written = tuplet
    if left > 1:
        return 0, Tuplet(number, left - 1, written + ticks)
    return (written + ticks) * TUPLETS[number] // number, None


class Rhythm:
    """The machine of lengths, tuplets and bar lines.

    >>> rhythm = Rhythm(Alphabet("abc234|"))
    >>> state = rhythm.begin((("|", 1 << 8),))  # 8 ticks: the length of c2
    >>> words, takes_pitches = rhythm.words(state, tied=False)
    >>> words.meanings, takes_pitches
    ({}, True)
    >>> rhythm.words(rhythm.advance(state, REST), tied=False)[0].meanings
    {'': Length(ticks=4, tied=False), '2': Length(ticks=8, tied=False)}
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        lengths = {length_text(Fraction(ticks, UNIT)): ticks for ticks in range(1, 2 * MAX_TICKS)}
        self._lengths = {w: ticks for w, ticks in lengths.items() if alphabet.can_write(w)}
        self.fills = self._find_fills()  # the durations that notes can fill, 0 included
        self._state = cache(RhythmState)

    def begin(self, ends: Ends) -> RhythmState:
        """Return the state at the beginning of a bar that may end as `ends` says."""
        return self._state(ends, 0, None, "")

    @cached_method
    def words(self, state: RhythmState, tied: bool) -> tuple[Words, bool]:
        """Return the words that may come next, and whether a pitch or a rest may come as well.

        `tied` says that the last note is tied: only a plain bar line may come between.
        """
        room, ties, lines = self._moment(state.ends, state.done)
        if state.naming:
            return self._length_words(room, ties, state.tuplet, state.naming), False
        if state.tuplet:
            return Words({}, self._alphabet), True
        may_stand = {line: LINE for line in lines if is_plain(line) or not tied}
        return Words(self._tuplets(room) | may_stand, self._alphabet), room > 0

    @cached_method
    def advance(self, state: RhythmState, meaning: Meaning) -> RhythmState:
        """Return the state after a word."""
        match meaning:
            case Length(ticks):
                passed, tuplet = after_note(state.tuplet, ticks)
                return self._state(state.ends, state.done + passed, tuplet, "")
            case Tuplet():
                return self._state(state.ends, state.done, meaning, "")
        naming = "rest" if meaning == REST else "note"
        return self._state(state.ends, state.done, state.tuplet, naming)

    def _find_fills(self) -> int:
        fills = 1
        for time in range(1, MAX_TICKS + 1):
            ticks_of_notes = self._lengths.values()
            if any(ticks <= time and fills >> time - ticks & 1 for ticks in ticks_of_notes):
                fills |= 1 << time
        return fills

    @cached_method
    def _moment(self, ends: Ends, done: int) -> tuple[int, int, list[str]]:
        """Return the durations that the next note may have, those that it may have if tied, and
        the lines that may stand here. A tied note continues in this bar or after a plain bar line.
        """
        left = reduce(or_, (times >> done for _, times in ends))
        plain = reduce(or_, (times >> done for line, times in ends if is_plain(line)), 0)
        room = self._room(left)
        ties = bitset(t for t in members(room) if plain >> t & 1 or self._room(left >> t))
        return room, ties, [line for line, times in ends if times >> done & 1]

    @cached_method
    def _room(self, left: int) -> int:
        """Return the durations that the next note may have if the bar must end after one of the
        times `left`: those after which notes can fill the rest.
        """
        ends = members(left)
        spans = range(1, left.bit_length())
        return bitset(
            t for t in spans if any(end >= t and self.fills >> end - t & 1 for end in ends)
        )

    @cached_method
    def _length_words(self, room: int, ties: int, tuplet: Tuplet | None, naming: str) -> Words:
        """Return the words for the lengths that fit, with and without a tie."""
        words: dict[str, Meaning] = {}
        for word, ticks in self._lengths.items():
            passed, open_tuplet = after_note(tuplet, ticks)
            if open_tuplet:
                whole = open_tuplet.written % open_tuplet.number == 0
                fits, can_tie = not whole and self._tuplet_fits(room, open_tuplet), True
            else:
                whole = tuplet is None or (tuplet.written + ticks) % tuplet.number == 0
                fits = whole and room >> passed & 1 > 0
                can_tie = ties >> passed & 1 > 0
            if fits:
                words[word] = Length(ticks, tied=False)
                if can_tie and naming == "note":
                    words[word + "-"] = Length(ticks, tied=True)
        return Words(words, self._alphabet)

    @cached_method
    def _tuplets(self, room: int) -> dict[str, Meaning]:
        """Return the words that open a tuplet that can end after one of the times of `room`."""
        words: dict[str, Meaning] = {}
        for count, beats in TUPLETS.items():
            for notes in range(2, MAX_TUPLET + 1):
                if self._tuplet_fits(room, Tuplet(count, notes)):
                    word = f"({count}" if notes == count else f"({count}:{beats}:{notes}"
                    words[word] = Tuplet(count, notes)
        return words

    def _tuplet_fits(self, room: int, tuplet: Tuplet) -> bool:
        """Return whether an open tuplet can end after one of the times of `room`."""
        number, left, written = tuplet
        totals = self._totals(number, left, written % number) << written
        return bool(totals & self._goal(room, number))

    @cached_method
    def _goal(self, room: int, number: int) -> int:
        """Return the written durations of a tuplet that last one of the times of `room`."""
        beats = TUPLETS[number]
        return bitset(time * number // beats for time in members(room) if time % beats == 0)

    @cached_method
    def _totals(self, number: int, left: int, phase: int) -> int:
        """Return the written durations that the last `left` notes of a tuplet can have together,
        if those before leave a remainder of `phase` ticks after division by `number`.

        A tuplet ends with the first note after which it has lasted a whole number of ticks: the
        canonical text always has the shortest tuplet.
        """
        totals = 0
        for ticks in self._lengths.values():
            after = (phase + ticks) % number
            if left > 1 and after != 0:
                totals |= self._totals(number, left - 1, after) << ticks
            elif left == 1 and after == 0:
                totals |= 1 << ticks
        return totals & (1 << 2 * MAX_TICKS) - 1
