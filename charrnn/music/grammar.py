"""A grammar of tunes: which characters may come next, so that every bar adds up.

It knows the canonical text that abc.py writes, one character at a time, and allows only what
some whole tune goes on with, written in the alphabet that it is given: nothing leads into a dead
end. It is a `Constraint` (constraint.py), so whoever draws from what it allows gets a tune.

A tune is a string of words, and three small machines know which may come next:

    Song   sections, endings and the number of bars; the header and the bar lines move it on (a
           title is as many bars without notes as it has characters)
    Time   how much of the bar is filled, and the tuplet that is open; lengths move it on
    Tone   the accidentals in force, and the tie that is open; pitches move it on

A state is the three together and the beginning of a word. A character that goes on with the word
does so; any other completes it and begins the next.

A pick-up and the bar that completes it count as one bar. So do a first and a second ending: the
second's bars stand for the first's. Time is counted in ticks, 32 to a whole note,
and a set of times is a number: bit t is set if t is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, reduce
from itertools import groupby
from operator import or_
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError, require
from charrnn.inference.constraint import read
from charrnn.music.abc_writer import length_text
from charrnn.music.tune import MODES, Key, Meter

WHOLE = 32  # ticks
UNIT = 4  # ticks of a note without a length
MAX_TICKS = 2 * WHOLE  # of a bar
MAX_BARS = 64  # of a tune that may have any number
METERS = (*((n, 2) for n in (2, 3)), *((n, 4) for n in (2, 3, 4, 5, 6)))
METERS += tuple((n, 8) for n in (3, 5, 6, 7, 9, 12))
KEYS = tuple(  # all with at most 7 accidentals, along the circle of fifths
    Key("FCGDAEB"[fifth % 7] + ("", "#", "b")[fifth // 7], mode)
    for mode, fifths in MODES.items()
    for fifth in range(-6 - fifths, 9 - fifths)
)
TUPLETS = {3: 2}  # so many notes in the time of so many
MAX_TUPLET = 9  # notes
RANGE = range(48, 97)  # from C, to c'', as MIDI numbers
ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}

# What each bar line leads to from the parts of a section in which it may stand. "once" is a section
# without repeat, "first" and "second" are the endings of one with.
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
INNER = ("|", "|1", ":|2")  # the others close a section
ANY, NONE = -1, -2  # pick-ups
PICKUPS = ("|", "|:")  # may come after a pick-up, which isn't repeated before the second
HEADER = ("opening", "title", "meter", "key")  # the parts before the first section
MAX_TITLE = 60  # characters, about

NO_KEY = Key()
REST, LINE = "rest", "line"

Ends = tuple[tuple[str, int], ...]  # how a bar may end, and the times at which


class Pitch(NamedTuple):
    """A pitch as it is written."""

    semitones: int  # up from the letter
    name: str  # the letter with its octave marks


class Length(NamedTuple):
    """The length of a note or rest."""

    ticks: int
    tied: bool


class Tuplet(NamedTuple):
    """A tuplet that is open."""

    number: int  # of notes in the time of TUPLETS[number]
    left: int  # notes to come
    written: int = 0  # the ticks of its notes, as written


T = TypeVar("T")


def ticks_of(meter: Meter) -> int:
    """Return how long a bar is."""
    return meter[0] * WHOLE // meter[1]


class Song(NamedTuple):
    """Where in the tune a bar stands."""

    part: str = "meter"  # one of HEADER, or of LINES
    meter: Meter = (4, 4)
    key: Key = NO_KEY
    section: int = 0  # of the form
    bars: int = 0  # before this one: in the tune or, given a form, in the section
    size: int = 0  # how many there must be; 0 leaves it open
    mark: int = 0  # bars before the first ending
    upbeat: int = 0  # ticks of the tune's first pick-up
    pickup: int = 0  # ticks of this section's
    owed: int = 0  # where a section begins, the ticks of the pick-up that must come, ANY or NONE

    @property
    def ticks(self) -> int:
        """How long a full bar is."""
        return ticks_of(self.meter)

    def bare(self) -> Song:
        """Return it without what a tune can be ended with or without."""
        return self._replace(meter=(4, 4), key=NO_KEY, upbeat=0, pickup=0, owed=0)


Meaning = Length | Tuplet | Pitch | str  # what a word says; REST and LINE say no more than that


@dataclass(frozen=True, eq=False)  # made once of each value, so told apart by identity
class Time:
    """Where in a bar a word stands."""

    ends: Ends
    done: int = 0  # ticks
    tuplet: Tuplet | None = None
    naming: str = ""  # "note" or "rest" if one was named and its length comes now


@dataclass(frozen=True, eq=False)  # likewise
class Tone:
    """What the next note is heard against."""

    key: Key
    altered: frozenset[tuple[str, int]] = frozenset()  # names in this bar, against the signature
    held: Pitch | None = None  # the note before, if it is tied or may be yet
    first: bool = False  # a tune begins with a note, for one of rests alone is none


Place = tuple[Time, Tone, str]  # in a bar: with the word that has been begun


class State(NamedTuple):
    """What has been written, as far as it matters for what may come."""

    song: Song
    place: Place
    text: str = ""  # given a form: the section so far,
    copy: str = ""  # what remains of the section that is written again,
    written: tuple[tuple[str, str], ...] = ()  # and the letters and texts of those before


class Words(dict[str, Meaning]):
    """Words that may come next, and what each stands for.

    `after` has the characters that go on with every beginning of a word, as a set of their ids.
    """

    def __init__(self, words: Mapping[str, Meaning], bits: Mapping[str, int]) -> None:
        super().__init__((word, to) for word, to in words.items() if bits.keys() >= set(word))
        after = self.after = dict.fromkeys(self, 0)
        for word in self:
            for length, character in enumerate(word):
                beginning = word[:length]
                after[beginning] = after.get(beginning, 0) | bits[character]


def members(times: int) -> list[int]:
    """Return the times of a set."""
    return [time for time in range(times.bit_length()) if times >> time & 1]


def bitset(times: Iterable[int]) -> int:
    """Return the set of some times.

    >>> bitset([0, 3]), members(9)
    (9, [0, 3])
    """
    return sum(1 << time for time in set(times))


def after_note(tuplet: Tuplet | None, ticks: int) -> tuple[int, Tuplet | None]:
    """Return how far the bar gets with a note, and the tuplet that is open then.

    A tuplet moves the bar on when it ends.
    """
    if tuplet is None:
        return ticks, None
    number, left, written = tuplet
    if left > 1:
        return 0, Tuplet(number, left - 1, written + ticks)
    return (written + ticks) * TUPLETS[number] // number, None


def spelled(key: Key, pitch: int) -> Pitch:
    """Return how a key writes a MIDI number."""
    letter, semitones, octave = key.spelling(pitch)
    high = letter.lower() + "'" * (octave - 1)
    return Pitch(semitones, high if octave > 0 else letter + "," * -octave)


def pitch_word(tone: Tone, pitch: Pitch) -> str:
    """Return how a pitch is written: with an accidental unless it is in force."""
    semitones, name = pitch
    in_force = dict(tone.altered).get(name, signature(tone.key)[name[0].upper()])
    return name if semitones == in_force else ACCIDENTALS[semitones] + name


@cache
def signature(key: Key) -> dict[str, int]:
    """Return what the signature does to each letter, in semitones."""
    return key.signature()


class Section(NamedTuple):
    """A section that is written in a tune of some form."""

    letter: str
    repeats: bool


def sections(form: str) -> tuple[Section, ...]:
    """Return the sections that are written for a form; raises ConfigError if it is none.

    >>> sections("AABA")
    (Section(letter='A', repeats=True), Section(letter='B', repeats=False), \
Section(letter='A', repeats=False))
    """
    require(
        re.fullmatch("[A-Z]{0,32}", form) is not None and not re.search(r"(.)\1\1", form),
        f"form is {form!r}: it must be capital letters such as AABB, at most two alike in turn",
    )
    return tuple(Section(letter, len(list(run)) == 2) for letter, run in groupby(form))


def section_size(bars: int | None, form: tuple[Section, ...]) -> int:
    """Return how many bars each of the sections has, or the tune if it has no form; 0 is open."""
    if bars is None:
        return 0
    require(1 <= bars <= 256, f"bars is {bars}: it must be 1 to 256")
    if not form:
        return bars
    size, rest = divmod(bars, len(form))
    near = " or ".join(str(len(form) * n) for n in (size, size + 1) if n)
    require(
        rest == 0, f"bars is {bars}, for {len(form)} written sections of one length: take {near}"
    )
    return size


class Grammar:
    """The constraint that a tune in canonical ABC meets, with what is asked of it.

    `bars` are counted as written, each repeat once; `form` has a letter for each section, as it is
    played: letters alike in turn are a repeat, and one that comes back is written again, character
    for character. The bars are divided evenly over the sections that are written; a tune of a form
    has the same pick-up in all of them. What isn't asked for is left open. With `titles`, a tune
    may begin with one.

    Raises ConfigError for what cannot be, or cannot be written with `alphabet`.

    >>> grammar = Grammar("\\n/1234568:ABCDEFGKM|]abcdefgjm-", meter=(6, 8), key=Key("D"), bars=2)
    >>> grammar.check("M:6/8\\nK:Dmaj\\nd2fe2d|A3A3|]")
    """

    def __init__(
        self,
        alphabet: str,
        meter: Meter | None = None,
        key: Key | None = None,
        bars: int | None = None,
        form: str = "",
        pitches: range = RANGE,
        titles: bool = False,
    ) -> None:
        self.alphabet = alphabet
        self._bits = {character: 1 << id for id, character in enumerate(alphabet)}
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._range = pitches
        self._form = sections(form)
        self._size = section_size(bars, self._form)
        self._most = self._size or MAX_BARS // max(1, len(self._form))
        words = {length_text(Fraction(ticks, UNIT)): ticks for ticks in range(1, 2 * MAX_TICKS)}
        self._values = {  # the lengths that can be written
            word: ticks for word, ticks in words.items() if self._bits.keys() >= set(word)
        }
        self._fills = 1  # and the times that they can fill
        for time in range(1, MAX_TICKS + 1):
            if any(
                ticks <= time and self._fills >> time - ticks & 1 for ticks in self._values.values()
            ):
                self._fills |= 1 << time
        # Each is a function of few values, and those come again and again.
        self._pass, self._hear = cache(self._find_pass), cache(self._find_hear)
        self._inside, self._step = cache(self._find_inside), cache(self._find_step)
        self._ends, self._alive = cache(self._find_ends), cache(self._is_alive)
        self._moment, self._room = cache(self._find_moment), cache(self._find_room)
        self._totals, self._lengths = cache(self._find_totals), cache(self._find_lengths)
        self._tuplets, self._pitches = cache(self._find_tuplets), cache(self._find_pitches)
        self._pickups = cache(self._find_pickups)
        self._own, self._time, self._tone = cache(self._find_own), cache(Time), cache(Tone)
        self._goal, self._spelled = cache(self._find_goal), cache(self._find_spelled)
        self._lines = list(self._writable("a bar line", LINES))
        self._title = self._find_title() if titles else []
        self._first = Song("opening" if self._title else "meter")
        self._headers(meter, key)
        self.start = State(self._first, self._bar(self._first))

    def allowed(self, state: State) -> NDArray[np.bool_]:
        """Return which characters of the alphabet may come next, (V,)."""
        bits = self._next(state)
        mask = self._masks.get(bits)
        if mask is None:
            mask = np.array([bool(bits & bit) for bit in self._bits.values()])
            self._masks[bits] = mask
        return mask

    def advance(self, state: State, character: str) -> State:
        """Return the state after one more character; raises ConfigError if it isn't allowed."""
        song, place, text, copy, written = state
        if copy and copy[0] != character:
            raise ConfigError(f"{character!r} cannot come here: {copy[0]!r} must")
        after = self._step(place, character)
        if after is None:
            return self.advance(self._next_bar(state), character)
        return State(song, after, text + character if self._form else "", copy[1:], written)

    def check(self, text: str) -> None:
        """Raise ConfigError, with the place, unless `text` is a tune that meets the constraint."""
        read(self, text.rstrip("\n") + "\n\n")

    # ---- words -----------------------------------------------------------------------------

    def _next(self, state: State) -> int:
        """Return the characters that may come next, as a set."""
        if state.copy:
            return self._bits[state.copy[0]]
        bits, is_line = self._inside(state.place)
        return bits | self._next(self._next_bar(state)) if is_line else bits

    def _find_inside(self, place: Place) -> tuple[int, bool]:
        """Return the characters that may come next in this bar, as a set, and whether its line is
        complete, so that the next bar may begin.
        """
        time, tone, word = place
        bits, is_line = 0, False
        for words in self._choices(time, tone):
            bits |= words.after.get(word, 0)
            if word in words:
                is_line = words[word] == LINE
                bits |= 0 if is_line else self._inside(self._next_word(place, words[word]))[0]
        return bits, is_line

    def _find_step(self, place: Place, character: str) -> Place | None:
        """Return the place after a character, None if the bar's line was complete before it."""
        time, tone, word = place
        choices = self._choices(time, tone)
        for words in choices:
            if word + character in words.after:
                return time, tone, word + character
        for words in choices:
            if word in words:
                if words[word] == LINE:
                    return None
                return self._step(self._next_word(place, words[word]), character)
        raise ConfigError(f"{character!r} cannot come after {word!r}")

    def _choices(self, time: Time, tone: Tone) -> tuple[Words, ...]:
        """Return the words of which one is being written."""
        own, sounds = self._own(time, tone.held is not None)
        return (own, self._pitches(tone)) if sounds else (own,)

    def _find_own(self, time: Time, tied: bool) -> tuple[Words, bool]:
        """Return the words that the time allows, and whether it allows those for pitches, too."""
        room, ties, lines = self._moment(time.ends, time.done)
        if time.naming:
            return self._lengths(room, ties, time.tuplet, time.naming), False
        if time.tuplet:
            return Words({}, self._bits), True
        may_stand = {line: LINE for line in lines if line == "|" or not tied}
        return Words(self._tuplets(room) | may_stand, self._bits), room > 0

    def _next_word(self, place: Place, meaning: Meaning) -> Place:
        """Return the place after a word with this meaning."""
        return self._pass(place[0], meaning), self._hear(place[1], meaning), ""

    def _find_pass(self, time: Time, meaning: Meaning) -> Time:
        """Return the time after a word."""
        match meaning:
            case Length(ticks):
                passed, tuplet = after_note(time.tuplet, ticks)
                return self._time(time.ends, time.done + passed, tuplet)
            case Tuplet():
                return self._time(time.ends, time.done, meaning)
        return self._time(time.ends, time.done, time.tuplet, "rest" if meaning == REST else "note")

    def _find_hear(self, tone: Tone, meaning: Meaning) -> Tone:
        """Return the tone after a word."""
        match meaning:
            case Length(_, tied=False):
                return self._tone(tone.key, tone.altered)
            case Pitch(semitones, name):
                altered = dict(tone.altered) | {name: semitones}
                if signature(tone.key)[name[0].upper()] == semitones:
                    del altered[name]
                return self._tone(tone.key, frozenset(altered.items()), meaning)
        return tone

    # ---- bars and sections -----------------------------------------------------------------

    def _bar(self, song: Song, held: Pitch | None = None) -> Place:
        tone = self._tone(song.key, frozenset(), held, song.owed == ANY)
        return self._time(self._ends(song)), tone, ""

    def _next_bar(self, state: State) -> State:
        """Return the state after its bar line."""
        song, (time, tone, line), text, copy, written = state
        after = self._turn(song, line, time.done)
        assert after is not None, "the line was allowed"
        if line not in INNER and self._form:
            letter = self._form[song.section].letter
            written = (*written, (letter, text.removesuffix(line)))
            if song.part in HEADER or after.part in HEADER:  # before the first, or after the last
                written = ()
            again = dict(written).get(self._form[after.section].letter, "")
            text, copy = "", again and again + self._close(after.section)
        return State(after, self._bar(after, tone.held), text, copy, written)

    def _close(self, section: int) -> str:
        """Return the line that a section of the form ends with, if it has no endings."""
        parts = ["repeated" if each.repeats else "once" for each in self._form] + ["end"]
        leads = {parts[section]: parts[section + 1]}
        return next(ln for ln in LINES if ln not in INNER and leads.items() <= LINES[ln].items())

    # ---- pitches ---------------------------------------------------------------------------

    def _find_pitches(self, tone: Tone) -> Words:
        """Return the words for the pitches that may come next, and for the rest."""
        pitches = [tone.held] if tone.held else self._spelled(tone.key)
        words: dict[str, Meaning] = {pitch_word(tone, pitch): pitch for pitch in pitches}
        if not tone.held and not tone.first:
            words["z"] = REST
        return Words(words, self._bits)

    def _find_spelled(self, key: Key) -> list[Pitch]:
        return [spelled(key, pitch) for pitch in self._range]

    # ---- lengths: what fills a bar ---------------------------------------------------------

    def _find_room(self, left: int) -> int:
        """Return how long the next note may be if the bar must end after one of the times `left`:
        what remains then can be filled, too.
        """
        ends = members(left)
        spans = range(1, left.bit_length())
        return bitset(
            t for t in spans if any(end >= t and self._fills >> end - t & 1 for end in ends)
        )

    def _find_moment(self, ends: Ends, done: int) -> tuple[int, int, list[str]]:
        """Return how long the next note may be, how long with a tie, and the lines that may stand
        here: a tied note may go on in this bar, or after a plain bar line.
        """
        left = reduce(or_, (times >> done for _, times in ends))
        plain = reduce(or_, (times >> done for line, times in ends if line == "|"), 0)
        room = self._room(left)
        ties = bitset(t for t in members(room) if plain >> t & 1 or self._room(left >> t))
        return room, ties, [line for line, times in ends if times >> done & 1]

    def _find_lengths(self, room: int, ties: int, tuplet: Tuplet | None, naming: str) -> Words:
        """Return the words for the lengths that fit, with and without a tie."""
        words = {}
        for word, ticks in self._values.items():
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
        return Words(words, self._bits)

    def _find_tuplets(self, room: int) -> Words:
        words = {}
        for count, beats in TUPLETS.items():
            for notes in range(2, MAX_TUPLET + 1):
                if self._tuplet_fits(room, Tuplet(count, notes)):
                    word = f"({count}" if notes == count else f"({count}:{beats}:{notes}"
                    words[word] = Tuplet(count, notes)
        return Words(words, self._bits)

    def _tuplet_fits(self, room: int, tuplet: Tuplet) -> bool:
        """Whether an open tuplet can end after one of the times of `room`."""
        number, left, written = tuplet
        totals = self._totals(number, left, written % number) << written
        return bool(totals & self._goal(room, number))

    def _find_goal(self, room: int, number: int) -> int:
        """Return how long a tuplet may be, as written, to last one of the times of `room`."""
        beats = TUPLETS[number]
        return bitset(time * number // beats for time in members(room) if time % beats == 0)

    def _find_totals(self, number: int, left: int, phase: int) -> int:
        """Return how long the notes to come in a tuplet can be together, as written, when those
        before leave `phase` ticks after division by `number`.

        It ends with the first note after which it has lasted a whole number of ticks: the shortest
        tuplet is the one that is written.
        """
        totals = 0
        for ticks in self._values.values():
            after = (phase + ticks) % number
            if left > 1 and after != 0:
                totals |= self._totals(number, left - 1, after) << ticks
            elif left == 1 and after == 0:
                totals |= 1 << ticks
        return totals & (1 << 2 * MAX_TICKS) - 1

    # ---- bar lines -------------------------------------------------------------------------

    def _find_ends(self, song: Song) -> Ends:
        """Return how the bar may end, and when; a line of the header is a bar without notes."""
        if song.part in HEADER:
            return tuple((word, 1) for word in self._heading(song))
        ends = {}
        for line in self._lines if song.owed <= 0 else ():
            after = self._turn(song, line, song.ticks)
            if after is not None and self._alive(after.bare()):
                ends[line] = self._durations(song, line)
        if song.owed == ANY or song.owed > 0:
            pickups = self._pickups(song.ticks) if song.owed == ANY else 1 << song.owed
            for line in PICKUPS:
                after = self._turn(song, line, 0)
                if after is not None and self._alive(after.bare()):
                    ends[line] = ends.get(line, 0) | pickups
        return tuple(ends.items())

    def _find_pickups(self, full: int) -> int:
        """Return how long a pick-up may be for it and the bar that completes it to be filled."""
        fills = members(self._fills)
        return bitset(time for time in fills if 0 < time < full and full - time in fills)

    def _durations(self, song: Song, line: str) -> int:
        """Return how long the bar before `line` may be: with the pick-up that is played next, if
        there is one, it is a full bar.
        """
        full = song.ticks
        if line in ("|", "|1") or song.owed < 0:
            return 1 << full
        if line.startswith(":"):  # back to this section's
            return 1 << full - song.pickup
        if self._form:
            return 1 << full - song.upbeat
        if line == "|]\n\n":
            return 1 << full | 1 << full - song.upbeat
        return 1 << full | self._pickups(full)  # whatever it lacks, the pick-up to come has

    def _is_alive(self, song: Song) -> bool:
        """Whether a tune can be ended from here; pick-ups are no matter, for they always fit."""
        lines = reversed(self._lines)  # the shortest way first
        afters = (self._turn(song, line, song.ticks) for line in lines)
        return song.part in HEADER or any(
            after is not None and self._alive(after.bare()) for after in afters
        )

    def _turn(self, song: Song, line: str, ticks: int) -> Song | None:
        """Return the song after a bar of so many ticks and `line`, None where that can't stand.

        This is where sections and bars are counted.
        """
        if line == "T:" and song.part == "opening":
            return song._replace(part="title")
        if song.part == "title":
            return Song() if line == "\n" else song._replace(bars=song.bars + 1)
        if song.part in ("opening", "meter"):
            return song._replace(part="key", meter=self._meters[line])
        if song.part == "key":
            key, begun = self._keys[line]
            return song._replace(part=begun, key=key, size=self._size, owed=ANY)
        part = LINES[line].get(song.part)
        if part is None:
            return None
        if song.owed not in (0, NONE) and ticks < song.ticks:
            if line not in PICKUPS or (self._form and line == "|:"):
                return None
            upbeat = ticks if song.owed == ANY else song.upbeat
            pickup = ticks if line == "|" else 0
            return song._replace(part=part, upbeat=upbeat, pickup=pickup, owed=0)
        bars, most = song.bars + 1, song.size or self._most
        full = song.size in (0, bars)
        if line in ("|", "|1"):
            if bars >= most or (line == "|1" and self._returns(song.section)):
                return None
            mark = bars if line == "|1" else song.mark
            return song._replace(part=part, bars=bars, mark=mark, owed=0)
        if line == ":|2":
            if self._form and not full:
                return None
            size = bars if self._form else song.size
            return song._replace(part=part, bars=song.mark, size=size, owed=0)
        section, size = song.section, song.size
        if self._form:
            section, size = section + 1, bars
            last = section == len(self._form)
            repeats = not last and self._form[section].repeats
            if not full or last != (part == "end") or repeats != (part == "repeated"):
                return None
            bars = 0
        elif not full if part == "end" else bars >= most:
            return None
        if part == "end":
            return self._first
        owed = song.ticks - ticks or NONE
        return Song(part, song.meter, song.key, section, bars, size, 0, song.upbeat, 0, owed)

    def _returns(self, section: int) -> bool:
        """Whether a section of the form is written more than once; then it has no endings, for
        they need a repeat, and it may come back without one.
        """
        letters = [letter for letter, _ in self._form]
        return bool(letters) and letters.count(letters[section]) > 1

    # ---- what was asked for ----------------------------------------------------------------

    def _headers(self, meter: Meter | None, key: Key | None) -> None:
        """Find the header's lines that can be written, and after which a tune can."""
        if meter:
            n, d = meter
            require(
                n > 0 and d in (1, 2, 4, 8, 16, 32) and ticks_of(meter) <= MAX_TICKS,
                f"the metre is {n}/{d}: it must be like 6/8, and at most two whole notes",
            )
        self._meters = self._writable(
            "the metre", {f"M:{n}/{d}\n": (n, d) for n, d in ([meter] if meter else METERS)}
        )
        for word, (n, d) in list(self._meters.items()):
            if not self._fills >> n * WHOLE // d & 1:
                del self._meters[word]
        require(bool(self._meters), f"no notes fill a bar: the alphabet lacks {self._lacks('/4')}")
        openings = {"": "once", "|:": "repeated"}
        keys = {
            f"K:{key}\n{line}": (key, part)
            for key in ([key] if key else KEYS)
            for line, part in openings.items()
            if not self._form or self._form[0].repeats == (part == "repeated")
        }
        self._keys = {
            word: (key, part)
            for word, (key, part) in self._writable("the key", keys).items()
            if self._pitches(Tone(key, first=True)) and self._alive(Song(part, size=self._size))
        }
        require(
            bool(self._keys),
            f"no such tune can be written: the alphabet lacks {self._lacks(':|]12^=_ABCDEFG')}",
        )

    def _heading(self, song: Song) -> Iterable[str]:
        """Return what may come next in the header: lines or, in a title, what it is made of."""
        match song.part:
            case "opening":
                return ("T:", *self._meters)
            case "title" if song.bars == 0:
                return [word for word in self._title if word[0] not in " |:"]
            case "title":
                return ("\n", *(self._title if song.bars < MAX_TITLE else ()))
        return self._meters if song.part == "meter" else self._keys

    def _find_title(self) -> list[str]:
        """Return what a title is made of, as words: characters after single spaces or none, and
        after a backslash, which ABC has before % and for accents. None if it cannot be written.
        """
        seen = [c for c in self.alphabet if not c.isspace() and c != "\\"]
        words = [before + c for before in ("", " ", "\\", " \\") for c in seen]
        words = [word for word in words if "%" not in word or "\\" in word]
        may_begin = any(len(word) == 1 and word not in "|:" for word in words)
        return words if may_begin and "T" in self._bits else []

    def _writable(self, what: str, words: Mapping[str, T]) -> dict[str, T]:
        """Return the words that the alphabet can write; raises ConfigError if there are none."""
        writable = {word: to for word, to in words.items() if self._bits.keys() >= set(word)}
        first = next(iter(words))
        require(
            bool(writable),
            f"{what} {first.strip()} cannot be written: the alphabet lacks {self._lacks(first)}",
        )
        return writable

    def _lacks(self, characters: str) -> str:
        return ", ".join(repr(c) for c in dict.fromkeys(characters) if c not in self._bits)


class Gap(NamedTuple):
    """A bar of a tune that is to be filled."""

    duration: Fraction
    key: Key  # in force
    line: str  # what stands between it and the next bar
    held: int | None = None  # the pitch of a note before that is tied to its first


class Filling(Grammar):
    """The constraint that some bars of a tune meet, one after another, and nothing else of it.

    It allows `before`, canonical text, and then bars that each last as long as their gap, with the
    gap's line after them. A note is tied to the next gap's over a plain bar line, and to nothing
    after the last. Raises ConfigError for a gap that cannot be filled with `alphabet`.
    """

    def __init__(self, alphabet: str, before: str, gaps: Iterable[Gap]) -> None:
        super().__init__(alphabet)
        self._gaps = tuple(gaps)
        for gap in self._gaps:
            ticks = gap.duration * WHOLE
            require(
                ticks.denominator == 1 and self._fills >> int(ticks) & 1 > 0,
                f"a bar lasts {gap.duration} of a whole note: choose bars that last a number of "
                f"1/{WHOLE}, and at most {MAX_TICKS // WHOLE}",
            )
        self.start = State(Song(), self._gap(0, None), copy=before)
        for index, gap in enumerate(self._gaps):
            require(
                bool(self._pitches(self._gap(index, None)[1])),
                f"a bar in {gap.key} must begin with a tied note that cannot be written: the "
                "alphabet lacks it",
            )

    def advance(self, state: State, character: str) -> State:
        """Return the state after one more character; raises ConfigError if it isn't allowed."""
        if state.copy[:1] == character:
            return state._replace(copy=state.copy[1:])
        return super().advance(state, character)

    def _gap(self, index: int, tied: Pitch | None) -> Place:
        duration, key, line, held = self._gaps[index]
        held_here = tied if held is None else spelled(key, held)
        ends = ((line, 1 << int(duration * WHOLE)),)
        return self._time(ends), self._tone(key, frozenset(), held_here), ""

    def _next_bar(self, state: State) -> State:
        """Return the state after a gap: in the next one, or, after the last, at the start."""
        index = state.song.bars + 1
        if index == len(self._gaps):
            return self.start
        tone = state.place[1]
        return State(state.song._replace(bars=index), self._gap(index, tone.held))
