"""A grammar of tunes: which characters may come next, so that every bar adds up.

It knows the canonical text that music/abc.py writes, one character at a time, and allows only what
some whole tune goes on with, written in the alphabet that it is given: nothing leads into a dead
end. It is a `Constraint` (constraint.py), so whoever draws from what it allows gets a tune.

A tune is a string of words, and three small machines know which may come next:

    Song   sections, endings and the number of bars; the header and the bar lines move it on
    Time   how much of the bar is filled, and the tuplet that is open; lengths move it on
    Tone   the accidentals in force, and the tie that is open; pitches move it on

A state is the three together and the beginning of a word. A character that goes on with the word
does so; any other completes it and begins the next.

A pick-up and the bar that completes it count as one bar. So do a first and a second ending: the
second's bars stand for the first's. Time is counted in ticks, 64 to a whole note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from math import gcd
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.constraint import read
from charrnn.errors import ConfigError, require
from charrnn.music.tune import LETTERS, MODES, Key, Meter

WHOLE = 64  # ticks
UNIT = 8  # ticks of a note without a length
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
RANGE = range(36, 108)  # from C,, to b'', as MIDI numbers
ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
ANY = -1

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
HEADER = ("meter", "key")  # the parts before the first section

Ends = frozenset[tuple[int, str]]  # the ticks after which a bar may end, and with which line
Pitch = tuple[int, str]  # semitones up from the letter, and the letter with its octave marks


T = TypeVar("T")


def ticks_of(meter: Meter) -> int:
    """Return how long a bar is."""
    return meter[0] * WHOLE // meter[1]


class Song(NamedTuple):
    """Where in the tune a bar stands."""

    part: str = "meter"  # one of HEADER, or of LINES
    meter: Meter = (4, 4)
    key: Key = Key()
    section: int = 0  # of the form
    bars: int = 0  # before this one: in the tune or, given a form, in the section
    size: int = 0  # how many there must be; 0 leaves it open
    mark: int = 0  # bars before the first ending
    upbeat: int = 0  # ticks of the tune's first pick-up
    pickup: int = 0  # ticks of this section's
    owed: int = 0  # ticks of the pick-up that must come now; ANY at the tune's beginning

    @property
    def ticks(self) -> int:
        """How long a full bar is."""
        return ticks_of(self.meter)

    def bare(self) -> Song:
        """Return it without what a tune can be ended with or without."""
        return self._replace(meter=(4, 4), key=Key(), upbeat=0, pickup=0, owed=0)


class Time(NamedTuple):
    """Where in a bar a word stands."""

    ends: Ends
    done: int = 0  # ticks
    tuplet: tuple[int, int, int] | None = None  # of how many, notes to come, ticks written
    naming: str = ""  # "note" or "rest" if one was named and its length comes now


class Tone(NamedTuple):
    """What the next note is heard against."""

    key: Key = Key()
    altered: frozenset[tuple[str, int]] = frozenset()  # in this bar, against the signature
    held: Pitch | None = None  # the note before, if it is tied or may be yet


class State(NamedTuple):
    """What has been written, as far as it matters for what may come."""

    song: Song
    time: Time
    tone: Tone
    word: str = ""  # its beginning
    text: str = ""  # given a form: the section so far,
    copy: str = ""  # what remains of the section that is written again,
    written: tuple[tuple[str, str], ...] = ()  # and the letters and texts of those before


class Words(dict[str, Any]):
    """Words that may come next, and what each leads to.

    `after` has the characters that go on with every beginning of a word, as bits.
    """

    def __init__(self, words: Mapping[str, Any], bits: Mapping[str, int]) -> None:
        super().__init__((word, to) for word, to in words.items() if bits.keys() >= set(word))
        self.after: dict[str, int] = {}
        for word in self:
            for length, character in enumerate(word):
                self.after[word[:length]] = self.after.get(word[:length], 0) | bits[character]
            self.after.setdefault(word, 0)


def length_word(ticks: int) -> str:
    """Return how a length is written.

    >>> [length_word(ticks) for ticks in (8, 16, 4, 12, 2, 6)]
    ['', '2', '/', '3/2', '/4', '3/4']
    """
    n, d = ticks // gcd(ticks, UNIT), UNIT // gcd(ticks, UNIT)
    return ("" if n == 1 else str(n)) + ("" if d == 1 else "/" if (n, d) == (1, 2) else f"/{d}")


def spelling(key: Key) -> dict[int, tuple[int, str]]:
    """Return the semitones and the letter that write each of the 12 pitch classes in `key`."""
    written = {(LETTERS[letter] + s) % 12: (s, letter) for letter, s in key.signature().items()}
    for letter, semitone in LETTERS.items():
        written.setdefault(semitone, (0, letter))
    shift = 1 if key.sharps >= 0 else -1
    for letter, semitone in LETTERS.items():
        written.setdefault((semitone + shift) % 12, (shift, letter))
    return written


def spelled(key: Key, pitches: Iterable[int]) -> Iterator[Pitch]:
    """Yield how each pitch is written in `key`."""
    written = spelling(key)
    for pitch in pitches:
        semitones, letter = written[pitch % 12]
        octave = (pitch - semitones) // 12 - 5  # 0 is middle C's
        yield (
            semitones,
            letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave,
        )


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
    has the same pick-up in all of them. What isn't asked for is left open.

    Raises ConfigError for what cannot be, or cannot be written with `alphabet`.

    >>> grammar = Grammar("\\n/12346:ADEFGKM|]abcdefgj-", meter=(6, 8), key=Key("D"), bars=2)
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
    ) -> None:
        self.alphabet = alphabet
        self._bits = {character: 1 << id for id, character in enumerate(alphabet)}
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._range = pitches
        self._form = sections(form)
        self._size = section_size(bars, self._form)
        self._most = self._size or MAX_BARS // max(1, len(self._form))
        self._values = {  # the lengths that can be written
            length_word(ticks): ticks
            for ticks in range(1, 2 * MAX_TICKS)
            if self._bits.keys() >= set(length_word(ticks))
        }
        self._fills = {0}  # and the spans of time that they can fill
        for span in range(1, MAX_TICKS + 1):
            if any(span - ticks in self._fills for ticks in self._values.values()):
                self._fills.add(span)
        # Each is a function of few values, and those come again and again.
        self._ends, self._alive = cache(self._find_ends), cache(self._is_alive)
        self._room, self._totals = cache(self._find_room), cache(self._find_totals)
        self._lengths, self._starts = cache(self._find_lengths), cache(self._find_starts)
        self._pitches = cache(self._find_pitches)
        self._lines = self._writable("a bar line", LINES)
        self._headers(meter, key)
        self.start = self._at(Song())

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
        if state.copy and state.copy[0] != character:
            raise ConfigError(f"{character!r} cannot come here: {state.copy[0]!r} must")
        longer = state.word + character
        for words in self._choices(state):
            if longer in words.after:
                return state._replace(word=longer, copy=state.copy[1:])
        if not any(state.word in words for words in self._choices(state)):
            raise ConfigError(f"{character!r} cannot come after {state.word!r}")
        return self.advance(self._complete(state), character)

    def check(self, text: str) -> None:
        """Raise ConfigError, with the place, unless `text` is a tune that meets the constraint."""
        read(self, text.rstrip("\n") + "\n\n")

    # ---- words -----------------------------------------------------------------------------

    def _at(self, song: Song, held: Pitch | None = None) -> State:
        return State(song, Time(self._ends(song)), Tone(song.key, held=held))

    def _choices(self, state: State) -> tuple[Words, ...]:
        if state.time.naming:
            return (self._lengths(state.time),)
        starts = self._starts(state.time, state.tone.held is not None)
        if self._lengths(state.time._replace(naming="rest")):
            return (self._pitches(state.tone), starts)
        return (starts,)

    def _next(self, state: State) -> int:
        if state.copy:
            return self._bits[state.copy[0]]
        bits = 0
        for words in self._choices(state):
            bits |= words.after.get(state.word, 0)
            if state.word in words:
                bits |= self._next(self._complete(state))
        return bits

    def _complete(self, state: State) -> State:
        """Return the state after its word, with the next one not yet begun."""
        song, time, tone, word, text, copy, written = state
        if self._form:
            text += word
        if time.naming:
            time, tied = self._lengths(time)[word]
            tone = tone if tied else tone._replace(held=None)
        elif word in (pitches := self._pitches(tone)):
            tone = pitches[word]
            time = time._replace(naming="note" if tone.held else "rest")
        elif (tuplet := self._starts(time, tone.held is not None)[word]) is not None:
            time = tuplet
        else:
            after = self._turn(song, word, time.done)
            assert after is not None, "the line was allowed"
            if self._form and word not in INNER:
                letter = self._form[song.section][0]
                written = (*written, (letter, state.text)) if song.part not in HEADER else ()
                text, copy = "", dict(written).get(self._form[after.section][0], "")
            song, time, tone, *_ = self._at(after, tone.held)
        return State(song, time, tone, "", text, copy, written)

    # ---- lengths: what fills a bar ---------------------------------------------------------

    def _find_room(self, ends: Ends, done: int) -> frozenset[int]:
        """Return the spans that may come after `done`: what they leave of the bar can be filled."""
        spans = (end - done - rest for end, _ in ends for rest in self._fills)
        return frozenset(span for span in spans if span > 0)

    def _find_lengths(self, time: Time) -> Words:
        """Lengths, each leading to the time after it and whether it is tied."""
        words = {}
        for word, ticks in self._values.items():
            after = self._after(time, ticks)
            if after is not None:
                words[word] = after, False
                if time.naming == "note" and self._leads_on(after):
                    words[word + "-"] = after, True
        return Words(words, self._bits)

    def _after(self, time: Time, ticks: int) -> Time | None:
        """Return the time after a note of so many ticks, None where it doesn't fit."""
        ends, done, tuplet, _ = time
        if tuplet is None:
            return Time(ends, done + ticks) if ticks in self._room(ends, done) else None
        count, left, written = tuplet
        if not self._tuplet_fits(time, count, left - 1, written + ticks):
            return None
        if left > 1:
            return Time(ends, done, (count, left - 1, written + ticks))
        return Time(ends, done + (written + ticks) * TUPLETS[count] // count)

    def _tuplet_fits(self, time: Time, count: int, left: int, written: int) -> bool:
        """Whether a tuplet with so many notes to come can end where the bar goes on."""
        room = self._room(time.ends, time.done)
        most = max(room, default=0) * count // TUPLETS[count]
        totals = self._totals(count, left, written, most)
        wanted = (x * count // TUPLETS[count] for x in room if x % TUPLETS[count] == 0)
        return any(totals >> total & 1 for total in wanted)

    def _find_totals(self, count: int, left: int, written: int, most: int) -> int:
        """Return what the notes of a tuplet can last together, as written, up to `most` ticks: bit
        t is set for t ticks.

        A tuplet is as short as can be: it ends with the first note after which the time is a whole
        number of ticks again.
        """
        if written > most or (written > 0 and (written % count == 0) != (left == 0)):
            return 0
        if left == 0:
            return 1 << written
        totals = 0
        for ticks in self._values.values():
            totals |= self._totals(count, left - 1, written + ticks, most)
        return totals

    def _leads_on(self, time: Time) -> bool:
        """Whether a tied note may come: in this bar, or after a plain bar line."""
        return bool(
            time.tuplet or (time.done, "|") in time.ends or self._room(time.ends, time.done)
        )

    def _find_starts(self, time: Time, tied: bool) -> Words:
        """Tuplets, each leading to the time in it, and bar lines, which lead to None."""
        if time.tuplet:
            return Words({}, self._bits)
        words: dict[str, Time | None] = {}
        for count, beats in TUPLETS.items():
            for notes in range(2, MAX_TUPLET + 1):
                word = f"({count}" if notes == count else f"({count}:{beats}:{notes}"
                if self._tuplet_fits(time, count, notes, 0):
                    words[word] = time._replace(tuplet=(count, notes, 0))
        for end, line in time.ends:
            if end == time.done and (line == "|" or not tied):
                words[line] = None
        return Words(words, self._bits)

    # ---- pitches ---------------------------------------------------------------------------

    def _find_pitches(self, tone: Tone) -> Words:
        """Pitches and the rest, each leading to the tone after it."""
        key, altered, held = tone
        signature, in_force = key.signature(), dict(altered)
        words = {} if held else {"z": tone}
        for semitones, name in [held] if held else spelled(key, self._range):
            usual = signature[name[0].upper()]
            accidental = "" if in_force.get(name, usual) == semitones else ACCIDENTALS[semitones]
            now = in_force | {name: semitones}
            changes = frozenset(item for item in now.items() if item != (name, usual))
            words[accidental + name] = Tone(key, changes, (semitones, name))
        return Words(words, self._bits)

    # ---- bar lines -------------------------------------------------------------------------

    def _find_ends(self, song: Song) -> Ends:
        """Return when the bar may end, and how; a line of the header is a bar without notes."""
        if song.part == "meter":
            return frozenset((0, word) for word in self._meters)
        if song.part == "key":
            return frozenset((0, word) for word in self._keys)
        if song.owed > 0:
            return frozenset({(song.owed, "|")})
        ends = {(ticks, "|") for ticks in self._pickups(song)} if song.owed == ANY else set()
        for line in self._lines:
            for ticks in self._durations(song, line):
                after = self._turn(song, line, ticks)
                if after is not None and self._alive(after.bare()):
                    ends.add((ticks, line))
        return frozenset(ends)

    def _pickups(self, song: Song) -> list[int]:
        """Return how long a pick-up may be for it and the bar that completes it to be filled."""
        return [t for t in range(1, song.ticks) if {t, song.ticks - t} <= self._fills]

    def _durations(self, song: Song, line: str) -> set[int]:
        """Return how long the bar before `line` may be: with the pick-up played next, if there is
        one, it is a full bar.
        """
        full = song.ticks
        if line in ("|", "|1") or song.owed == ANY:
            return {full}
        if line.startswith(":"):  # back to this section's
            return {full - song.pickup}
        if self._form or line == "|]\n\n":
            return {full - song.upbeat}
        return {full, *self._pickups(song)}

    def _is_alive(self, song: Song) -> bool:
        """Whether a tune can be ended from here; pick-ups are no matter, for they always fit."""
        afters = (self._turn(song, line, song.ticks) for line in self._lines)
        return song.part == "meter" or any(
            after is not None and self._alive(after.bare()) for after in afters
        )

    def _turn(self, song: Song, line: str, ticks: int) -> Song | None:
        """Return the song after a bar of so many ticks and `line`, None where that can't stand.

        This is where sections and bars are counted.
        """
        if song.part == "meter":
            return song._replace(part="key", meter=self._meters[line])
        if song.part == "key":
            key, part = self._keys[line]
            return song._replace(part=part, key=key, size=self._size, owed=ANY)
        part = LINES[line].get(song.part)
        if part is None:
            return None
        if song.owed and ticks < song.ticks:
            upbeat = ticks if song.owed == ANY else song.upbeat
            return song._replace(upbeat=upbeat, pickup=ticks, owed=0)
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
            return Song()
        owed = song.ticks - ticks
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
        self._meters = self._writable(
            "the metre", {f"M:{n}/{d}\n": (n, d) for n, d in ([meter] if meter else METERS)}
        )
        for word, (n, d) in list(self._meters.items()):
            if n * WHOLE // d not in self._fills:
                del self._meters[word]
        require(bool(self._meters), f"no notes fill a bar: the alphabet lacks {self._lacks('/')}")
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
            if self._pitches(Tone(key)) and self._alive(Song(part, size=self._size))
        }
        require(
            bool(self._keys),
            f"no such tune can be ended: the alphabet lacks {self._lacks(':|]12')}",
        )

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
