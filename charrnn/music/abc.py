"""ABC notation, version 2.1, as melodies use it: text to tunes, and tunes to text.

The reader is generous, since real files are careless: it keeps what a melody is made of, counts
what it drops, and skips a tune that makes no sense. What it returns is in one normal form: every
repeat says where it begins, an ending is a first or a second one, a tie leads to the same pitch.
The writer knows two dresses of one body: canonical text, which has one way to write a tune and is
what a network learns from, and files for people and programs, with spaces between beats.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.tune import LETTERS, MODES, Bar, Key, Meter, Note, Tune

EIGHTH = Fraction(1, 8)
_SIGNS = {"^^": 2, "^": 1, "": 0, "=": 0, "_": -1, "__": -2}
_ALTERED = {2: "^^", 1: "^", 0: "=", -1: "_", -2: "__"}
# How many notes' time a tuplet takes; 0 stands for 3 in compound time, and 2 in any other.
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
# No music needs more, and so no arithmetic gets slow, and what is read can be written.
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


# --- The fields -----------------------------------------------------------------------------------


def _meter(value: str) -> Meter | None:
    """Read the value of M:; raises CorpusError.

    >>> _meter("C|"), _meter("2+3/8"), _meter("none")
    ((2, 2), (5, 8), None)
    """
    value = value.strip()
    if value.lower() in ("none", ""):
        return None
    if value[:2] == "C|":
        return (2, 2)
    if value[0] == "C":
        return (4, 4)
    found = re.match(r"\(?\s*(\d{1,2}(?:\s*\+\s*\d{1,2})*)\s*\)?\s*/\s*(\d{1,2})(?!\d)", value)
    if found:
        beats = sum(map(int, found.group(1).split("+")))
        unit = int(found.group(2))
        if beats and unit in (1, 2, 4, 8, 16, 32, 64):
            return (beats, unit)
    raise CorpusError(f"the metre M:{value[:20]} is none; write it like M:6/8, M:C or M:none")


def _unit(value: str) -> Fraction:
    found = re.match(r"\s*(\d{1,3})\s*(?:/\s*(\d{1,3}))?(?!\d)", value)
    if found and int(found.group(1)) and int(found.group(2) or 1):
        return Fraction(int(found.group(1)), int(found.group(2) or 1))
    raise CorpusError(f"the unit note length L:{value.strip()[:20]} is none; write it like L:1/8")


def _default_unit(meter: Meter | None) -> Fraction:
    """Return what the unit note length is where no L: says it: from the metre."""
    return Fraction(1, 16) if meter and Fraction(*meter) < Fraction(3, 4) else EIGHTH


_KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)(.*)")
_GLOBAL = re.compile(r"(?<!\S)([\^_]{1,2}|=)([A-Ga-g])(?!\S)")
_MODE_NAMES = {"": "maj", "m": "min", "ion": "maj", "aeo": "min"} | {mode: mode for mode in MODES}


def _key(value: str) -> tuple[Key, dict[str, int]]:
    """Read the value of K: as a key and what its signature does to each letter; may raise
    ConfigError for a key that no signature has.

    Explicit accidentals belong to the signature. Clefs and other words mean nothing here.

    >>> _key("A dorian")[0], _key("F#m clef=treble")[0], _key("D exp _b")[1]["F"]
    (Key(tonic='A', mode='dor'), Key(tonic='F#', mode='min'), 0)
    """
    if value.strip()[:2].upper() == "HP":  # the highland pipes: F and C sharp, and at home in A
        value = "A mix"
    found = _KEY.match(value)
    if not found:  # K:none, K:, K:clef=bass
        key, rest = Key(), value
    else:
        tonic, accidental, word, rest = found.groups()
        mode = _MODE_NAMES.get(word if word in ("m", "M") else word.lower()[:3], None)
        if word == "M":
            mode = "maj"
        if mode is None:  # a word that isn't a mode, such as `exp` or `clef=`
            mode, rest = "maj", word + rest
        key = Key(tonic + accidental, mode)
    explicit = re.search(r"(?<!\S)exp(?!\S)", rest) is not None
    signature = dict.fromkeys(LETTERS, 0) if explicit else key.signature()
    for sign, letter in _GLOBAL.findall(rest):
        signature[letter.upper()] = _SIGNS[sign]
    return _named(key, signature), signature


def _named(key: Key, signature: dict[str, int]) -> Key:
    """Return the key of this tonic that has the signature, or, where no mode has it, `key`."""
    for mode in MODES:
        try:
            named = Key(key.tonic, mode)
        except ConfigError:
            continue
        if key.signature() != signature and named.signature() == signature:
            return named
    return key


# --- The music ------------------------------------------------------------------------------------

_LENGTH = r"(\d*)(/*)(\d*)"
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


@dataclass
class _Draft:
    """A bar while it is read; `tied` tells whether its last note is."""

    begin: int
    end: int
    unit: Fraction
    meter: Meter | None
    key: Key
    opens: bool
    ending: int
    notes: list[Note] = field(default_factory=list)
    repeats: bool = False
    closes: bool = False

    def is_full(self) -> bool:
        duration = sum((note.duration for note in self.notes), Fraction(0))
        return self.meter is not None and duration == Fraction(*self.meter)


class _Reader:
    """What holds at a place in the music; `bars` has what was read."""

    def __init__(self, source: _Source, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self.numbered = source.numbered
        self.meter: Meter | None = (4, 4)
        self.key = Key()
        self.signature = self.key.signature()
        self.title = ""
        self.bars: list[_Draft] = []
        self.bar: _Draft | None = None  # the one that is being read, once it has a first note
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
                unit = _unit(value)
            elif letter == "T" and not self.title:
                self.title = " ".join(value.replace("\\%", "%").split())
            else:
                self.change(letter, value)
        self.unit = unit or _default_unit(self.meter)

    def change(self, letter: str, value: str) -> None:
        """Read a field of the header or the body."""
        if letter == "M":
            self.meter = _meter(value)
        elif letter == "K":
            self.key, self.signature = _key(value)
            self.accidentals = {}
        elif letter == "L":
            self.unit = _unit(value)
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
            self.accidentals[place] = _SIGNS.get(sign, 0)
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
            self.bar = _Draft(
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
    drafts = _two_endings(reader.bars, seen)
    if not any(note.pitch is not None for draft in drafts for note in draft.notes):
        raise CorpusError("the tune has no notes")
    for draft in drafts:
        _check_rhythm(draft.notes)
    _resolve_repeats(drafts)
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
    tune = _with_true_ties(Tune(tuple(bars), key, meter, reader.title))
    return tune, tuple(Span(draft.begin, draft.end, draft.unit) for draft in drafts)


def _check_rhythm(notes: list[Note]) -> None:
    if max(note.duration for note in notes) > _LONGEST:
        raise CorpusError(f"a note lasts longer than {_LONGEST} whole notes")
    if math.lcm(*(note.duration.denominator for note in notes)) > _FINEST:
        raise CorpusError("a bar's notes have lengths that no one can count")


def _two_endings(drafts: list[_Draft], dropped: Counter[str]) -> list[_Draft]:
    """Return the bars without the third and later endings of a section."""
    kept: list[_Draft] = []
    dropping = False
    for draft in drafts:
        if draft.ending > 2:
            dropping = True
            dropped["endings"] += 1
        elif draft.opens or draft.ending:
            dropping = False
        if not dropping:
            kept.append(draft)
        elif draft.repeats or draft.closes:
            dropping = False
    return kept


def _resolve_repeats(drafts: list[_Draft]) -> None:
    """Bring repeats and endings into the normal form: `|:`, then `:|`, with two endings or none.

    A `:|` without its `|:` goes back to where the last section ended, be it at a `:|`, with a
    second ending, or, after these, at a double bar line; else to the tune's beginning.
    """
    begin, opened = 0, False
    first: int | None = None
    second: int | None = None
    ended = 0  # the bar after the second ending
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


def _after_second(drafts: list[_Draft], starts: list[bool], second: int, length: int) -> int:
    """Return the bar after a second ending: it ends with a double bar line or a repeat sign, and
    before a later section's `:|` it is as long as the first.
    """
    for index in range(second, len(drafts)):
        if drafts[index].repeats:
            return min(index + 1, second + length)
        if drafts[index].closes or starts[index + 1]:
            return index + 1
    return len(drafts)


def _repeat(drafts: list[_Draft], begin: int, end: int, unfinished: int | None) -> None:
    """Have the bars from `begin` to `end` repeated; a first ending that is alone is none."""
    drafts[begin].opens = True
    drafts[end].repeats = True
    for draft in drafts[begin : end + 1]:
        draft.closes = False
    if unfinished is not None:
        drafts[unfinished].ending = 0


def _with_true_ties(tune: Tune) -> Tune:
    """Drop the ties that never lead to a note of the same pitch."""
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


# --- Tunes to text --------------------------------------------------------------------------------

BARS_IN_LINE = 4


def canonical(tune: Tune, title: bool = False) -> str:
    """Return the one way to write the tune: header, one line of music, a blank line."""
    head = _title(tune) if title else ""
    return f"{head}M:{_meter_text(tune.meter)}\nK:{tune.key}\n{_body(tune, False)}\n\n"


def write_abc(tunes: Iterable[Tune]) -> str:
    """Return a file of the tunes, numbered from 1, that people and notation programs read."""
    return "".join(
        f"X:{number}\n{_title(tune)}M:{_meter_text(tune.meter)}\nL:1/8\nK:{tune.key}\n"
        f"{_body(tune, True)}\n\n"
        for number, tune in enumerate(tunes, 1)
    )


def write_bars(tune: Tune, first: int, last: int, unit: Fraction = EIGHTH) -> str:
    """Return the music from one bar to another, both counted from 0 and included, as it stands in
    a file between the bar line before the first and the one after the last.
    """
    return _music(tune, first, last + 1, unit, True).lstrip()


def _title(tune: Tune) -> str:
    title = " ".join(tune.title.replace("%", "\\%").split()).lstrip("|: ")
    return f"T:{title}\n" if title else ""


def _meter_text(meter: Meter | None) -> str:
    return "none" if meter is None else f"{meter[0]}/{meter[1]}"


def _body(tune: Tune, spaced: bool) -> str:
    begin = "|:" if tune.bars[0].opens else ""
    end = ":|" if tune.bars[-1].repeats else "|]"
    return begin + _music(tune, 0, len(tune.bars), EIGHTH, spaced) + end


def _music(tune: Tune, begin: int, end: int, unit: Fraction, spaced: bool) -> str:
    """Return the bars from `begin` up to `end`, with the bar lines between them."""
    parts = []
    meter, key = tune.meter, tune.key
    in_line = 0
    for index, bar in enumerate(tune.bars[:end]):
        before = tune.bars[index - 1]
        if index > begin:
            parts.append(_bar_line(before, bar))
            if spaced and in_line >= BARS_IN_LINE and not bar.ending:
                parts.append("\n")
                in_line = 0
        meter, key = bar.meter or meter, bar.key or key
        if index > begin or index == 0:
            parts.append(f"[M:{_meter_text(bar.meter)}]" if bar.meter else "")
            parts.append(f"[K:{bar.key}]" if bar.key else "")
        if index >= begin:
            short = max(Fraction(0), Fraction(*(meter or (0, 1))) - bar.duration)
            begins = index == 0 or bar.opens or before.repeats or before.closes
            in_line += not (short and begins)
            parts.append(_bar(bar, key, unit, spaced, _beat(meter), short if begins else short * 0))
    return "".join(parts)


def _bar_line(before: Bar, after: Bar) -> str:
    if before.repeats:
        return "::" if after.opens else f":|{after.ending or ''}"
    if after.opens:
        return "|:"
    if after.ending:
        return f"|{after.ending}"
    return "||" if before.closes else "|"


def _beat(meter: Meter | None) -> Fraction:
    """Return how long the notes go on that are written together, without a space."""
    count, unit = meter or (4, 4)
    if unit >= 8:
        return Fraction(3 if count % 3 == 0 else count, unit)
    return Fraction(2 if (count, unit) == (4, 4) else 1, unit)


def _bar(bar: Bar, key: Key, unit: Fraction, spaced: bool, beat: Fraction, start: Fraction) -> str:
    """Return the notes of a bar; `start` is where in the metre it begins."""
    signature = key.signature()
    heard: dict[str, int] = {}  # the accidentals so far, by letter and by letter and octave
    now = start
    parts = []
    for group in _groups(bar.notes):
        if spaced and now != start and now % beat == 0:
            parts.append(" ")
        p = math.lcm(*(note.duration.denominator for note in group))
        p //= p & -p
        q = 1 << (p.bit_length() - 1)
        if p > 1:
            short = (p, q, len(group)) == (3, 2, 3)
            parts.append("(3" if short else f"({p}:{q}:{len(group)}")
        for note in group:
            parts.append(_pitch_text(note.pitch, key, signature, heard, spaced))
            parts.append(length_text(note.duration / unit * p / q))
            parts.append("-" if note.tied else "")
            now += note.duration
    return "".join(parts)


def _groups(notes: Iterable[Note]) -> Iterator[list[Note]]:
    """Yield the notes one by one, and those of a tuplet together: the shortest run that lasts a
    multiple of some half of a half of a whole note.
    """
    group: list[Note] = []
    total = Fraction(0)
    for note in notes:
        group.append(note)
        total += note.duration
        if total.denominator & (total.denominator - 1) == 0:
            yield group
            group, total = [], Fraction(0)
    if group:
        yield group


def _pitch_text(
    pitch: int | None, key: Key, signature: dict[str, int], heard: dict[str, int], careful: bool
) -> str:
    """Return accidental, letter and octave; `careful` writes an accidental also where only some
    readers need one, since they have accidentals hold at all octaves.
    """
    if pitch is None:
        return "z"
    letter, alteration, height = key.spelling(pitch)
    place = f"{letter}{height}"
    accidental = ""
    known = [heard.get(name, signature[letter]) for name in (place, letter)[: 1 + careful]]
    if known != [alteration] * len(known):
        accidental = _ALTERED[alteration]
        heard[place] = heard[letter] = alteration
    if height > 0:
        return accidental + letter.lower() + "'" * (height - 1)
    return accidental + letter + "," * -height


def length_text(length: Fraction) -> str:
    """Return how a length in units is written after a note.

    >>> [length_text(Fraction(ticks, 4)) for ticks in (4, 8, 2, 6, 1, 3)]
    ['', '2', '/', '3/2', '/4', '3/4']
    """
    over, under = length.numerator, length.denominator
    if under == 1:
        return "" if over == 1 else str(over)
    return ("" if over == 1 else str(over)) + ("/" if (over, under) == (1, 2) else f"/{under}")
