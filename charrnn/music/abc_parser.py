"""Read ABC notation, version 2.1, as used for melodies.

Real files are careless, so the parser is tolerant: it keeps the melody, counts what it ignores, and
skips tunes that it cannot read. abc_repeats.py brings repeats and endings into a normal form.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.abc_fields import (
    EIGHTH,
    SIGNS,
    default_unit,
    one_line,
    plain_text,
    read_key,
    read_meter,
    read_shifts,
    read_unit,
    states_key,
)
from charrnn.music.abc_repeats import Draft, tune_of
from charrnn.music.abc_sources import FIELD, Source, sources
from charrnn.music.tune import LETTERS, MOST_BARS, Key, Meter, Note, Tune
from charrnn.progress import report

# A tuplet of p notes lasts as long as q; tuplets of 5, 7 and 9: 3 in compound time, otherwise 2.
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# Limits far beyond real music, which bound time and memory.
_DIGITS = 7  # in a number
_FREE_RESTS = 16  # bars of rests that any tune may have; longer ones have one for 4 characters
_PITCHES = range(128)


@dataclass(frozen=True)
class Span:
    """The part of the text that holds a bar's notes, the unit note length there, and by how many
    semitones the notes sound higher than they are written (octave=, transpose=).
    """

    start: int
    end: int
    unit: Fraction
    shift: int


@dataclass(kw_only=True)
class _Draft(Draft):
    """A bar while it is read, with its span."""

    begin: int
    end: int
    unit: Fraction
    shift: int


@dataclass(frozen=True)
class Parsed:
    """The tunes in a text, the spans of each tune's bars, and the text of each tune alone.

    `skipped` has a line for each tune that cannot be read; `ignored` counts, by kind, the notation
    that is not part of the melody.
    """

    tunes: tuple[Tune, ...]
    spans: tuple[tuple[Span, ...], ...]
    skipped: tuple[str, ...]
    ignored: Counter[str]
    texts: tuple[str, ...] = ()


def read_abc(text: str, name: str = "text") -> Parsed:
    """Return the tunes in a text: numbered ones (X:), and canonical ones, which have no number.

    >>> from charrnn.music.abc_writer import canonical
    >>> tune = read_abc("X:1\\nT:Air\\nM:3/4\\nL:1/4\\nK:G\\nG>AB|[1 c3:|[2 d3|]").tunes[0]
    >>> print(canonical(tune), end="")
    M:3/4
    K:Gmaj
    |:G3AB2|1c6:|2d6|]
    <BLANKLINE>

    `name` identifies the text in messages. Raises CorpusError if it contains no readable tune.
    """
    tunes, spans, skipped, texts = [], [], [], []
    ignored: Counter[str] = Counter()
    lines = 1 + text.count("\n")
    for source in sources(text):
        report(f"reading {name}", source.line / lines)
        try:
            tune, bars = _read_tune(source, ignored)
        except (CorpusError, ConfigError) as error:
            skipped.append(f"{name}:{source.line}: skipped tune: {error}")
            continue
        tunes.append(tune)
        spans.append(bars)
        texts.append(source.alone(text))
    if not tunes:
        place, _, reason = (
            (skipped or [""])[0].removeprefix(f"{name}:").partition(": skipped tune: ")
        )
        why = f"line {place}: {reason}" if reason else "it has no X: or K: field"
        raise CorpusError(f"no tunes found in {name}; {why}")
    texts[-1] += text[source.end :].rstrip()  # comments and free text after the last tune
    return Parsed(tuple(tunes), tuple(spans), tuple(skipped), ignored, tuple(texts))


# --- The music ------------------------------------------------------------------------------------

# Every part that can fail after a long match is possessive or excludes its own first character, so
# that reading a line takes time in proportion to its length.
_TOKEN = re.compile(
    r"""
      \[(?P<field>[A-Za-z]:[^\[\]]*)\]
    | (?P<text>"[^"]*"?)
    | (?P<grace>\{[^}]*\}?)
    | (?P<decoration>![^!|\s:\[\]"]{1,40}!|\+[^+|\s:\[\]"]{1,40}\+|[~.H-WYh-w])
    | (?P<line>(?:\[\||:*+\||::)(?:[|:]|(?<=\|)\])*+)
      (?:[ \t]*+(?:\[[ \t]*+)?(?P<ending>\d[\d,.-]*+))?
    | \[[ \t]*+(?P<variant>\d[\d,.-]*+)
    | \((?P<p>\d++)(?P<q>:\d*+)?(?P<r>:\d*+)?
    | \[(?P<chord>[^\[\]|]*)\](?P<chord_length>\d*+/*+\d*+)
    | (?P<note>(?P<sign>[\^=_]{0,2})(?P<letter>[A-Ga-gzx])(?P<octave>[,']*+)(?P<length>\d*+/*+\d*+))
    | (?P<rests>[ZX])(?P<count>\d*+)
    | (?P<broken>>++|<++)
    | (?P<tie>-)
    | (?P<slur>[()])
    | (?P<overlay>&[^|]*+)
    | (?P<space>[\s`\\$*;]++|!|y\d*+)
    | (?P<dirt>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CHORD_NOTE = re.compile(
    r"""
      "[^"]*" | ![^!]*! | \+[^+]*\+
    | (?P<sign>[\^=_]{0,2})(?P<letter>[A-Ga-gzx])(?P<octave>[,']*+)
      (?P<length>\d*+/*+\d*+)(?P<tie>-?)
    """,
    re.VERBOSE,
)
_COMMENT = re.compile(r"(?<!\\)%.*", re.DOTALL)
_NAMES = {"decoration": "ornament", "grace": "grace note", "slur": "slur"}


def _number(digits: str, default: int = 1) -> int:
    """Return a number, or the default for none or 0; raises CorpusError for a huge one."""
    if len(digits) > _DIGITS:
        raise CorpusError(f"number {digits[:10]} has {len(digits)} digits; the limit is {_DIGITS}")
    return int(digits or 0) or default


@lru_cache
def _length(text: str) -> Fraction:
    """Return a length in units from `3/2`, `//`, or nothing for 1; raises CorpusError."""
    over, slashes, under = text.partition("/")
    if not slashes:
        return Fraction(_number(over))
    halves = 1 + len(under) - len(under.lstrip("/"))
    under = under.lstrip("/")
    if halves > 8:
        raise CorpusError(f"a note's length has {halves} slashes; the limit is 8")
    return Fraction(_number(over), _number(under) if under else 2**halves)


class _Reader:
    """Reads a tune's body into `bars`; the other attributes are the state at the current token."""

    def __init__(self, source: Source, ignored: Counter[str]) -> None:
        self.ignored = ignored
        self.numbered = source.numbered
        self.meter: Meter | None = (4, 4)
        self.keyless = True
        self.key = Key()
        self.signature = self.key.signature()
        self.octaves = 0  # shifts of the pitch: octave=, and transpose= of K: and V:
        self.semitones = {"K": 0, "V": 0}
        self.title = ""
        self.bars: list[_Draft] = []
        self.bar: _Draft | None = None  # the current bar, from its first note
        self.last: _Draft | None = None  # the bar with the last note
        self.opens = False
        self.ending = 0
        self.accidentals: dict[str, int] = {}
        self.tied: tuple[str, int] | None = None  # place and pitch of a note with a tie
        self.begun: int | None = None  # offset of the first token in this bar
        self.end = 0  # offset of the end of the last token
        self.place = ""  # letter and octave of the last note
        self.broken = ""  # signs of a broken rhythm since the last note
        self.tuplet = Fraction(1)
        self.tuplet_left = 0
        self.voices: dict[str, list[str]] = {}  # modifiers of those that the header declares
        self.voice: str | None = None  # the one that is read
        self.silent: set[str] = set()  # other voices in the body
        self.in_silent = False
        unit: Fraction | None = None if source.numbered else EIGHTH
        for _, line in source.header:
            letter, value = line[0], _COMMENT.sub("", line[2:])
            if letter == "L":
                unit = read_unit(value)
            elif letter == "T" and not self.title:
                self.title = (
                    plain_text(value) if self.numbered else one_line(value.replace("\\%", "%"))
                )
            elif letter == "P" and re.search(r"[A-Za-z][^A-Za-z]*+[A-Za-z]", value):
                self.ignored["part order"] += 1
            elif letter == "V":
                name, _, modifiers = value.strip().partition(" ")
                self.voices.setdefault(name, []).append(modifiers)
            else:
                self.change(letter, value)
        self.unit = unit or default_unit(self.meter)
        self.shift_by("V", *next(iter(self.voices.values()), ()))
        self.rests_left = _FREE_RESTS + sum(len(line) for _, line in source.body) // 4

    @property
    def shift(self) -> int:
        """By how many semitones the notes sound higher than written."""
        return 12 * self.octaves + sum(self.semitones.values())

    @property
    def sounding_key(self) -> Key:
        semitones = sum(self.semitones.values())
        return self.key.transposed(semitones) if semitones % 12 else self.key

    def change(self, letter: str, value: str) -> None:
        """Apply a field of the header or the body."""
        if letter == "M":
            self.meter = read_meter(value)
        elif letter == "K":
            self.key, self.signature = read_key(value)
            self.keyless = self.keyless and not states_key(value)
            self.accidentals = {}
            self.shift_by("K", value)
        elif letter == "L":
            self.unit = read_unit(value)
        elif letter in "wW":
            self.ignored["lyric line"] += 1

    def shift_by(self, letter: str, *modifiers: str) -> None:
        for words in modifiers:
            octaves, semitones = read_shifts(words)
            self.octaves = self.octaves if octaves is None else octaves
            self.semitones[letter] = self.semitones[letter] if semitones is None else semitones

    def body_field(self, letter: str, value: str) -> None:
        if letter == "V":
            self.change_voice(value)
        elif not self.in_silent:
            self.change(letter, value)

    def change_voice(self, value: str) -> None:
        name, _, modifiers = value.strip().partition(" ")
        if self.voice is None:  # notes before the first V: belong to the first voice
            begun = bool(self.bar or self.bars)
            self.voice = next(iter(self.voices), "1") if begun else name
            self.shift_by("V", *self.voices.get(self.voice, ()))
        self.in_silent = name != self.voice
        if not self.in_silent:
            self.shift_by("V", modifiers)
        elif name not in self.silent:
            self.silent.add(name)
            self.ignored["other voice"] += 1

    def read(self, offset: int, line: str) -> None:
        """Read a line of the body."""
        found = FIELD.match(line)
        if found:
            self.body_field(found[1], _COMMENT.sub("", found[2]))
            return
        line = _COMMENT.sub("", line).rstrip()
        for token in _TOKEN.finditer(line):
            self.token(token, offset)
        if self.bar and self.bar.is_full() and not line.endswith("\\"):
            self.bar_line("|", None)  # old collections omit bar lines at line ends

    def token(self, token: re.Match[str], offset: int) -> None:
        if token["field"]:
            self.body_field(token["field"][0], token["field"][2:])
            return
        if self.in_silent or token["space"]:
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
            self.add(self.pitch(token), _length(token["length"]))
        elif token["chord"] is not None:
            self.chord(token["chord"], _length(token["chord_length"]))
        elif token["rests"]:
            self.rests(_number(token["count"]))
        elif token["p"]:
            self.begin_tuplet(token["p"], token["q"], token["r"])
        elif token["broken"]:
            self.broken = token["broken"]
        elif token["tie"]:
            self.tie()
        elif token["text"]:
            kind = "annotation" if token["text"][1:2] in tuple("^_<>@") else "chord symbol"
            self.ignored[kind] += 1
        elif token["overlay"]:
            self.ignored["voice overlay"] += 1
        else:
            self.ignored[_NAMES.get(str(token.lastgroup), "unknown character")] += 1
        if self.bar:
            self.bar.end = self.end

    def pitch(self, note: re.Match[str]) -> int | None:
        """Return the pitch, None for a rest.

        An accidental holds to the end of the bar: in all octaves, as in ABC 2.1, or, in canonical
        text, in its own.
        """
        sign, letter, octave = note["sign"], note["letter"], note["octave"]
        if letter in "zx":
            return None
        where = letter.upper()
        height = (letter.islower()) + octave.count("'") - octave.count(",")
        self.place = f"{where}{height}"
        place = where if self.numbered else self.place
        if sign:
            self.accidentals[place] = SIGNS.get(sign, 0)
        natural = 60 + 12 * height + LETTERS[where] + self.shift
        if not sign and self.tied and self.tied[0] == self.place:
            return self.tied[1]  # a tie over a bar line carries the accidental along
        pitch = natural + self.accidentals.get(place, self.signature[where])
        if pitch not in _PITCHES:
            raise CorpusError(f"the note {letter}{octave[:10]} is outside the range of MIDI")
        return pitch

    def add(self, pitch: int | None, length: Fraction) -> None:
        duration = length * self.unit
        if self.tuplet_left:
            duration *= self.tuplet
            self.tuplet_left -= 1
        if self.broken:
            duration *= self.break_rhythm(duration)
        if self.bar is None:
            begin = self.end if self.begun is None else self.begun
            self.bar = _Draft(
                begin=begin,
                end=self.end,
                unit=self.unit,
                shift=self.shift,
                meter=self.meter,
                key=self.sounding_key,
                opens=self.opens,
                ending=self.ending,
            )
            self.opens, self.ending = False, 0
        self.bar.add(Note(pitch, duration))
        self.last = self.bar
        self.tied = None

    def break_rhythm(self, duration: Fraction) -> Fraction:
        """Lengthen or shorten the last note, and return the factor for this one.

        As in abc2midi, the signs have no effect between notes of unequal durations.
        """
        signs, self.broken = self.broken, ""
        if self.last is None or self.last.notes[-1].duration != duration or len(signs) > 8:
            self.ignored["broken rhythm"] += 1
            return Fraction(1)
        short = Fraction(1, 2 ** len(signs))
        before, after = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        self.last.stretch_last(before)
        return after

    def chord(self, inside: str, length: Fraction) -> None:
        """Add the highest note of a chord, with the length of the first."""
        notes = [
            (self.pitch(note), _length(note["length"]), note["tie"])
            for note in _CHORD_NOTE.finditer(inside)
            if note["letter"]
        ]
        pitched = [(pitch, tie) for pitch, _, tie in notes if pitch is not None]
        if len(pitched) > 1:
            self.ignored["lower chord note"] += len(pitched) - 1
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
        """Add rests that last whole bars."""
        self.rests_left -= count
        if self.rests_left < 0:
            raise CorpusError(f"a rest of {count:,} bars is too long for a tune of this length")
        begun = self.begun
        for _ in range(count):
            self.begun = begun
            self.add(None, Fraction(*(self.meter or (4, 4))) / self.unit)
            if count > 1:
                self.bar_line("|", None)

    def begin_tuplet(self, p: str, q: str | None, r: str | None) -> None:
        notes = _number(p)
        if not 2 <= notes <= 9 and not q:
            self.ignored["unknown tuplet"] += 1
            return
        compound = self.meter is not None and self.meter[0] % 3 == 0 and self.meter[0] > 3
        default = _IN_TIME_OF.get(notes, 3 if compound else 2)
        self.tuplet = Fraction(_number((q or "")[1:], default), notes)
        self.tuplet_left = _number((r or "")[1:], notes)

    def bar_line(self, line: str, ending: str | None) -> None:
        """End the bar, if it has notes; apply what the line says about it and the next."""
        if self.bar:
            self.bars.append(self.bar)
            self.bar = None
            if len(self.bars) > MOST_BARS:
                raise CorpusError(f"more than {MOST_BARS:,} bars; split it into single tunes")
        self.begun = None
        if self.bars and not self.opens:
            last = self.bars[-1]
            last.repeats |= line[0] == ":"
            last.closes |= "||" in line or "]" in line or "[" in line
        self.opens |= line[-1] == ":"
        if ending:
            self.ending = int(ending[0]) or 1
        self.accidentals = {}


def _read_tune(source: Source, ignored: Counter[str]) -> tuple[Tune, tuple[Span, ...]]:
    if not source.body:
        raise CorpusError("no K: field, which must end the header")
    seen: Counter[str] = Counter()
    reader = _Reader(source, seen)
    for offset, line in source.body:
        reader.read(offset, line)
    reader.bar_line("|", None)
    if source.blocks:
        seen["text block"] += source.blocks
    tune, drafts = tune_of(reader.bars, reader.title, seen)
    tune = replace(tune, keyless=reader.keyless)
    ignored.update(seen)
    spans = (Span(draft.begin, draft.end, draft.unit, draft.shift) for draft in drafts)
    return tune, tuple(spans)
