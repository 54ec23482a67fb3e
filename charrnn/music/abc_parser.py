"""ABC notation, version 2.1, as melodies use it: text to tunes.

The parser is generous, since real files are careless: it keeps what a melody is made of, counts
what it drops, and skips a tune that makes no sense. The tunes are in a normal form: see
abc_repeats.py.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.abc_fields import (
    EIGHTH,
    SIGNS,
    default_unit,
    read_key,
    read_meter,
    read_unit,
)
from charrnn.music.abc_repeats import (
    Draft,
    resolve_repeats,
    with_true_ties,
    without_third_endings,
)
from charrnn.music.tune import LETTERS, Bar, Key, Meter, Note, Tune

# How many notes' time a tuplet takes; one of 5, 7 or 9 takes 3 in compound time, else 2.
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# Limits that no music exceeds: they keep arithmetic fast, and what is read can be written.
_DIGITS = 7  # of a number
_LONGEST = 64  # whole notes that a note lasts
_FINEST = 9999  # parts of a whole note that a bar's notes are multiples of
_PITCHES = range(128)


@dataclass(frozen=True)
class Span:
    """Where a bar's notes stand in the text, and the unit note length they are written in."""

    start: int
    end: int
    unit: Fraction


@dataclass(frozen=True)
class Parsed:
    """The tunes of a text, the spans of each tune's bars, and what was left out.

    `skipped` has a line for each tune that can't be read, `dropped` counts what isn't melody.
    """

    tunes: tuple[Tune, ...]
    spans: tuple[tuple[Span, ...], ...]
    skipped: tuple[str, ...]
    dropped: Counter[str]


def read_abc(text: str, name: str = "text") -> Parsed:
    """Read all tunes of a text: those that begin with X:, and canonical ones, without.

    >>> from charrnn.music.abc_writer import canonical
    >>> tune = read_abc("X:1\\nT:Air\\nM:3/4\\nL:1/4\\nK:G\\nG>AB|[1 c3:|[2 d3|]").tunes[0]
    >>> print(canonical(tune), end="")
    M:3/4
    K:Gmaj
    |:G3AB2|1c6:|2d6|]
    <BLANKLINE>

    Raises CorpusError if no tune in it can be read.
    """
    tunes, spans, skipped = [], [], []
    dropped: Counter[str] = Counter()
    for source in _sources(text):
        try:
            tune, bars = _read_tune(source, dropped)
        except (CorpusError, ConfigError) as error:
            skipped.append(f"{name}:{source.line}: {error}")
            continue
        tunes.append(tune)
        spans.append(bars)
    if not tunes:
        why = skipped[0] if skipped else f"{name} has no X: and no K:"
        raise CorpusError(f"no tune in ABC notation could be read: {why}")
    return Parsed(tuple(tunes), tuple(spans), tuple(skipped), dropped)


# --- Text to the lines of each tune ---------------------------------------------------------------

_FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")  # `e:|` begins a line of music
_COMMENT = re.compile(r"(?<!\\)%.*")


@dataclass
class _Source:
    """The lines of one tune: (offset in the text, line), its header first."""

    line: int
    numbered: bool  # by an X:, so it comes from a file and isn't canonical text
    header: list[tuple[int, str]] = field(default_factory=list)
    body: list[tuple[int, str]] = field(default_factory=list)


def _sources(text: str) -> Iterator[_Source]:
    """Yield the tunes; each header begins with the fields that the file has before its first X:."""
    common: list[tuple[int, str]] = []
    source: _Source | None = None
    offset = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        found = _FIELD.match(line)
        letter = found.group(1) if found else ""
        blank = not line.strip()
        begun = source and (any(text.strip() for _, text in source.body) or not source.numbered)
        if source and (letter == "X" or (blank and begun)):
            if source.numbered or source.body:
                yield source
            else:  # what stands before the first tune
                common += [(at, text) for at, text in source.header if text[0] in "ML"]
            source = None
        if letter == "X":
            source = _Source(number, True, common.copy())
        elif source is None and letter and letter in "TMLK":
            source = _Source(number, False)
        if source and source.body:
            source.body.append((offset, line))
        elif source and letter:
            source.header.append((offset, line))
            if letter == "K":
                source.body.append((offset + len(line), ""))
        offset += len(line) + 1
    if source and source.numbered:
        yield source


# --- The music ------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""
      \[(?P<field>[A-Za-z]:[^\]]*)\]
    | (?P<text>"[^"]*"?)
    | (?P<grace>\{[^}]*\}?)
    | (?P<decoration>![^!|\s:\[\]"]+!|\+[^+|\s:\[\]"]+\+|[~.H-WYh-w])
    | (?P<line>(?:\[\||:*\||::)(?:[|:]|(?<=\|)\])*)
      (?:[ \t]*\[?[ \t]*(?P<ending>\d[\d,.-]*))?
    | \[[ \t]*(?P<variant>\d[\d,.-]*)
    | \((?P<p>\d+)(?P<q>:\d*)?(?P<r>:\d*)?
    | \[(?P<chord>[^\[\]|]*)\](?P<chord_length>\d*/*\d*)
    | (?P<note>(?P<sign>[\^=_]*)(?P<letter>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>\d*/*\d*))
    | (?P<rests>[ZX])(?P<count>\d*)
    | (?P<broken>>+|<+)
    | (?P<tie>-)
    | (?P<slur>[()])
    | (?P<overlay>&[^|]*)
    | (?P<space>[\s`\\$*;]+|!|y\d*)
    | (?P<dirt>.)
    """,
    re.VERBOSE,
)
_CHORD_NOTE = re.compile(r"([\^=_]*)([A-Ga-gzx])([,']*)(\d*/*\d*)(-?)")
_NAMES = {"decoration": "decorations", "grace": "grace notes", "slur": "slurs"}


def _number(digits: str, default: int = 1) -> int:
    """Return a number above 0, or the default; raises CorpusError for a huge one."""
    if len(digits) > _DIGITS:
        raise CorpusError(f"{digits[:10]}... is too large a number for music")
    return int(digits or 0) or default


@lru_cache
def _length(text: str) -> Fraction:
    """Return a note's length in units: `3/2`, `/`, `//`, `` for 1; raises CorpusError."""
    over, slashes, under = text.partition("/")
    if not slashes:
        return Fraction(_number(over))
    halves = 1 + len(under) - len(under.lstrip("/"))
    under = under.lstrip("/")
    if halves > 8:
        raise CorpusError(f"a note's length has {halves} slashes: that is too short")
    return Fraction(_number(over), _number(under) if under else 2**halves)


class _Reader:
    """What holds at a place in the music; `bars` has what was read."""

    def __init__(self, source: _Source, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self.numbered = source.numbered
        self.meter: Meter | None = (4, 4)
        self.key = Key()
        self.signature = self.key.signature()
        self.title = ""
        self.bars: list[Draft] = []
        self.bar: Draft | None = None  # the one that is being read, once it has a first note
        self.opens = False
        self.ending = 0
        self.accidentals: dict[str, int] = {}
        self.tied: tuple[str, int] | None = None  # a tied note's letter and octave, and pitch
        self.begun: int | None = None  # where the tokens of this bar begin
        self.end = 0  # where the last token ends
        self.place = ""  # the letter and octave of the last note
        self.stretch = Fraction(1)  # what a broken rhythm does to the next note
        self.tuplet = Fraction(1)
        self.tuplet_left = 0
        self.voice: str | None = None
        self.silent = False  # in another voice than the first
        unit: Fraction | None = None if source.numbered else EIGHTH
        for _, line in source.header:
            letter, value = line[0], _COMMENT.sub("", line[2:])
            if letter == "L":
                unit = read_unit(value)
            elif letter == "T" and not self.title:
                self.title = " ".join(value.replace("\\%", "%").split())
            else:
                self.change(letter, value)
        self.unit = unit or default_unit(self.meter)

    def change(self, letter: str, value: str) -> None:
        """Read a field of the header or the body."""
        if letter == "M":
            self.meter = read_meter(value)
        elif letter == "K":
            self.key, self.signature = read_key(value)
            self.accidentals = {}
        elif letter == "L":
            self.unit = read_unit(value)
        elif letter == "w":
            self.dropped["lyrics"] += 1

    def body_field(self, letter: str, value: str) -> None:
        if letter == "V":
            voice = (value.split() or [""])[0]
            if self.voice is None and not (self.bar or self.bars):
                self.voice = voice
            elif self.voice is None:
                self.voice = "1"
            self.silent = voice != self.voice
            self.dropped["voices"] += self.silent
        elif not self.silent:
            self.change(letter, value)

    def read(self, offset: int, line: str) -> None:
        """Read a line of the body."""
        found = _FIELD.match(line)
        if found:
            self.body_field(found.group(1), _COMMENT.sub("", found.group(2)))
            return
        for token in _TOKEN.finditer(_COMMENT.sub("", line)):
            self.token(token, offset)
        if self.bar and self.bar.is_full():  # old collections leave out bar lines at line ends
            self.bar_line("|", None)

    def token(self, token: re.Match[str], offset: int) -> None:
        if token["field"]:
            self.body_field(token["field"][0], token["field"][2:])
            return
        if self.silent or token["space"]:
            return
        if token["line"]:
            self.bar_line(token["line"], token["ending"])
            return
        if token["variant"]:
            self.bar_line("|", token["variant"])
            return
        if self.begun is None:
            self.begun = offset + token.start()
        self.end = offset + token.end()
        if token["note"]:
            self.note(token["sign"], token["letter"], token["octave"], _length(token["length"]))
        elif token["chord"] is not None:
            self.chord(token["chord"], _length(token["chord_length"]))
        elif token["rests"]:
            self.rests(_number(token["count"]))
        elif token["p"]:
            self.begin_tuplet(token["p"], token["q"], token["r"])
        elif token["broken"]:
            self.break_rhythm(token["broken"])
        elif token["tie"]:
            self.tie()
        elif token["text"]:
            kind = "annotations" if token["text"][1:2] in tuple("^_<>@") else "chord symbols"
            self.dropped[kind] += 1
        elif token["overlay"]:
            self.dropped["voices"] += 1
        else:
            self.dropped[_NAMES.get(str(token.lastgroup), "characters")] += 1
        if self.bar:
            self.bar.end = self.end

    def note(self, sign: str, letter: str, octave: str, length: Fraction) -> None:
        self.add(self.pitch(sign, letter, octave), length)

    def pitch(self, sign: str, letter: str, octave: str) -> int | None:
        """Return the pitch, None for a rest; an accidental holds from here to the bar's end.

        It holds at all octaves, as ABC 2.1 has it; in canonical text at its own.
        """
        if letter in "zx":
            return None
        where = letter.upper()
        height = (letter.islower()) + octave.count("'") - octave.count(",")
        self.place = f"{where}{height}"
        place = where if self.numbered else self.place
        if sign:
            self.accidentals[place] = SIGNS.get(sign, 0)
        natural = 60 + 12 * height + LETTERS[where]
        if not sign and self.tied and self.tied[0] == self.place:
            return self.tied[1]  # a tie over a bar line carries the accidental along
        pitch = natural + self.accidentals.get(place, self.signature[where])
        if pitch not in _PITCHES:
            raise CorpusError(f"the note {letter}{octave[:10]} is out of the range of MIDI")
        return pitch

    def add(self, pitch: int | None, length: Fraction) -> None:
        duration = length * self.unit
        if self.stretch != 1:
            duration *= self.stretch
            self.stretch = Fraction(1)
        if self.tuplet_left:
            duration *= self.tuplet
            self.tuplet_left -= 1
        if self.bar is None:
            begin = self.end if self.begun is None else self.begun
            self.bar = Draft(
                begin, self.end, self.unit, self.meter, self.key, self.opens, self.ending
            )
            self.opens, self.ending = False, 0
        self.bar.notes.append(Note(pitch, duration))
        self.tied = None

    def chord(self, inside: str, length: Fraction) -> None:
        """Keep the highest note, at the length of the first."""
        notes = [
            (self.pitch(sign, letter, octave), _length(text), tie)
            for sign, letter, octave, text, tie in _CHORD_NOTE.findall(inside)
        ]
        pitched = [(pitch, tie) for pitch, _, tie in notes if pitch is not None]
        self.dropped["chords"] += len(pitched) > 1
        if notes:
            pitch, tie = max(pitched, default=(None, ""))
            self.add(pitch, notes[0][1] * length)
            if tie:
                self.tie()

    def tie(self) -> None:
        drafts = [self.bar] if self.bar else self.bars[-1:]
        for draft in drafts:
            last = draft.notes[-1]
            if last.pitch is not None:
                draft.notes[-1] = replace(last, tied=True)
                self.tied = (self.place, last.pitch)

    def rests(self, count: int) -> None:
        """Read rests that last whole bars."""
        begun = self.begun
        for _ in range(count):
            self.begun = begun
            self.add(None, Fraction(*(self.meter or (4, 4))) / self.unit)
            if count > 1:
                self.bar_line("|", None)

    def begin_tuplet(self, p: str, q: str | None, r: str | None) -> None:
        notes = _number(p)
        compound = self.meter is not None and self.meter[0] % 3 == 0 and self.meter[0] > 3
        default = _IN_TIME_OF.get(notes, 3 if compound else 2)
        self.tuplet = Fraction(_number((q or "")[1:], default), notes)
        self.tuplet_left = _number((r or "")[1:], notes)

    def break_rhythm(self, signs: str) -> None:
        if not self.bar or len(signs) > 8:
            return
        short = Fraction(1, 2 ** len(signs))
        last = self.bar.notes[-1]
        before, after = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        self.bar.notes[-1] = replace(last, duration=last.duration * before)
        self.stretch = after

    def bar_line(self, line: str, ending: str | None) -> None:
        """End the bar, if it has notes, and note down what the line says of it and the next."""
        if self.bar:
            self.bars.append(self.bar)
            self.bar = None
        self.begun = None
        if self.bars and not self.opens:
            last = self.bars[-1]
            last.repeats |= line[0] == ":"
            last.closes |= "||" in line or "]" in line or "[" in line
        self.opens |= line[-1] == ":"
        if ending:
            self.ending = int(ending[0]) or 1
        self.accidentals = {}


def _read_tune(source: _Source, dropped: Counter[str]) -> tuple[Tune, tuple[Span, ...]]:
    if not source.body:
        raise CorpusError("the tune has no K:, which ends its header")
    seen: Counter[str] = Counter()
    reader = _Reader(source, seen)
    for offset, line in source.body:
        reader.read(offset, line)
    reader.bar_line("|", None)
    drafts = without_third_endings(reader.bars, seen)
    if not any(note.pitch is not None for draft in drafts for note in draft.notes):
        raise CorpusError("the tune has no notes")
    for draft in drafts:
        _check_rhythm(draft.notes)
    resolve_repeats(drafts)
    meter, key = drafts[0].meter, drafts[0].key
    bars = []
    for before, draft in zip([drafts[0], *drafts], drafts, strict=False):
        bars.append(
            Bar(
                tuple(draft.notes),
                opens=draft.opens,
                repeats=draft.repeats,
                closes=draft.closes,
                ending=draft.ending,
                meter=draft.meter if draft.meter != before.meter else None,
                key=draft.key if draft.key != before.key else None,
            )
        )
    dropped.update(seen)
    tune = with_true_ties(Tune(tuple(bars), key, meter, reader.title))
    return tune, tuple(Span(draft.begin, draft.end, draft.unit) for draft in drafts)


def _check_rhythm(notes: list[Note]) -> None:
    if max(note.duration for note in notes) > _LONGEST:
        raise CorpusError(f"a note lasts longer than {_LONGEST} whole notes")
    if math.lcm(*(note.duration.denominator for note in notes)) > _FINEST:
        raise CorpusError("a bar's notes have lengths that no one can count")
