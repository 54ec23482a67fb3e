"""A tune: bars of notes with a key and a meter, and the order in which the bars are played.

Durations are fractions of a whole note; pitches are MIDI numbers (60 is middle C). Writers spell
the pitches, according to the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from charrnn.errors import require

Meter = tuple[int, int]  # (6, 8); a tune without one is free
MOST_BARS = 10_000  # in a tune that is read
COMMON_TIME: dict[str, Meter] = {"C": (4, 4), "C|": (2, 2)}
FREE: Meter = (0, 1)  # as `Bar.meter`: no meter from here on

# Each letter's semitones above C, and the fifths from the major key's signature to each mode's:
# D dorian has the signature of C major, two fifths below that of D major.
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MODES = {"maj": 0, "min": -3, "dor": -2, "phr": -4, "lyd": 1, "mix": -1, "loc": -5}
_FIFTHS = "FCGDAEB"  # the order in which letters become sharp; flat in reverse
# The semitones from the tonic of each mode's seven notes.
SCALES = {
    "maj": (0, 2, 4, 5, 7, 9, 11),
    "min": (0, 2, 3, 5, 7, 8, 10),
    "dor": (0, 2, 3, 5, 7, 9, 10),
    "phr": (0, 1, 3, 5, 7, 8, 10),
    "lyd": (0, 2, 4, 6, 7, 9, 11),
    "mix": (0, 2, 4, 5, 7, 9, 10),
    "loc": (0, 1, 3, 5, 6, 8, 10),
}


@dataclass(frozen=True)
class Key:
    """A tonic such as "C", "F#" or "Bb", and one of MODES; raises ConfigError for anything else.

    >>> Key("A", "dor").sharps
    1
    >>> str(Key("Bb"))
    'Bbmaj'
    """

    tonic: str = "C"
    mode: str = "maj"

    def __post_init__(self) -> None:
        letter, accidental = self.tonic[:1], self.tonic[1:]
        require(
            letter in LETTERS and letter != "" and accidental in ("", "#", "b"),
            "a key must begin with a letter from A to G, optionally followed by # or b; "
            f"got {self.tonic!r}",
        )
        require(self.mode in MODES, f"unknown mode {self.mode!r}; known modes: {', '.join(MODES)}")
        require(
            abs(self.sharps) <= 7,
            f"{self} has {abs(self.sharps)} accidentals; a key signature has at most 7",
        )

    @classmethod
    def parse(cls, text: str) -> Key:
        """Return the key that `text` names, as a person or canonical ABC writes it.

        Raises ConfigError for anything else.

        >>> Key.parse("Bb"), Key.parse("f# minor"), Key.parse("Ador")
        (Key(tonic='Bb', mode='maj'), Key(tonic='F#', mode='min'), Key(tonic='A', mode='dor'))
        """
        length = 2 if text[1:2] in ("#", "b") else 1
        mode = text[length:].strip().lower()[:3]
        return cls(text[:length].capitalize(), {"": "maj", "m": "min"}.get(mode, mode))

    def __str__(self) -> str:
        return self.tonic + self.mode

    @property
    def sharps(self) -> int:
        """The number of sharps in the signature; flats are below 0."""
        fifths = _FIFTHS.index(self.tonic[0]) - 1
        fifths += 7 * (self.tonic.count("#") - self.tonic.count("b"))
        return fifths + MODES[self.mode]

    @property
    def pitch_class(self) -> int:
        """The tonic's semitones above C, 0 to 11."""
        accidental = self.tonic.count("#") - self.tonic.count("b")
        return (LETTERS[self.tonic[0]] + accidental) % 12

    def signature(self) -> dict[str, int]:
        """Return the alteration of each letter in the signature: 1 sharp, -1 flat, 0 natural."""
        altered = dict.fromkeys(LETTERS, 0)
        for letter in _FIFTHS[: max(0, self.sharps)]:
            altered[letter] = 1
        for letter in _FIFTHS[::-1][: max(0, -self.sharps)]:
            altered[letter] = -1
        return altered

    def scale(self) -> frozenset[int]:
        """Return the pitch classes of the key's seven notes."""
        return frozenset((self.pitch_class + step) % 12 for step in SCALES[self.mode])

    def spelling(self, pitch: int) -> tuple[str, int, int]:
        """Return a pitch's letter, alteration, and octave (0 begins at middle C).

        Each pitch class has one place among the twelve fifths around the signature: the seven
        notes of the scale, two lowered notes below them and three raised notes above.

        >>> Key("G").spelling(63), Key("F").spelling(63)
        (('D', 1, 0), ('E', -1, 0))
        """
        lowest = self.sharps - 3
        fifths = lowest + (7 * pitch - lowest) % 12
        letter = _FIFTHS[(fifths + 1) % 7]
        alteration = (fifths + 1) // 7
        return letter, alteration, (pitch - alteration - LETTERS[letter]) // 12 - 5

    def transposed(self, semitones: int) -> Key:
        """Return the key `semitones` higher, spelled with the fewest accidentals.

        With equally few sharps and flats, it has flats.
        """
        pitch_class = (self.pitch_class + semitones) % 12
        keys = []
        for letter, semitone in LETTERS.items():
            for accidental, shift in (("", 0), ("b", -1), ("#", 1)):
                if (semitone + shift) % 12 == pitch_class:
                    fifths = _FIFTHS.index(letter) - 1 + 7 * shift + MODES[self.mode]
                    keys.append((abs(fifths), fifths, letter + accidental))
        return Key(min(keys)[2], self.mode)


@dataclass(frozen=True)
class Note:
    """A pitch (None for a rest) and its duration; `tied` to the next note of the same pitch."""

    pitch: int | None
    duration: Fraction
    tied: bool = False


@dataclass(frozen=True)
class Bar:
    """The notes between two bar lines, and the signs on those lines.

    A repeated section begins with a bar that `opens` and ends with one that `repeats`. `ending` is
    1 or 2 where a first or second ending begins. `closes` marks the end of a section without a
    repeat (a double bar line). `meter` and `key` are changes that take effect at this bar.
    """

    notes: tuple[Note, ...]
    opens: bool = False
    repeats: bool = False
    closes: bool = False
    ending: int = 0
    meter: Meter | None = None
    key: Key | None = None

    @cached_property
    def duration(self) -> Fraction:
        """The sum of the notes' durations."""
        return sum((note.duration for note in self.notes), Fraction(0))


@dataclass(frozen=True)
class Event:
    """A note as it sounds, with ties joined and repeats played."""

    pitch: int
    start: Fraction
    duration: Fraction
    bar: int  # the index in `Tune.bars` of the bar in which it begins


@dataclass(frozen=True)
class Tune:
    """Bars in the order in which they are written."""

    bars: tuple[Bar, ...]
    key: Key = Key()
    meter: Meter | None = (4, 4)
    title: str = ""
    keyless: bool = field(default=False, compare=False)  # no key is stated; `key` is C

    def played(self) -> Iterator[int]:
        """Yield the indices of the bars in the order in which they are played.

        Each repeated section is played twice, with the first ending and then with the second.
        """
        begin = 0  # where the current section began
        again = False  # true the second time, until the next section opens
        index = 0
        while index < len(self.bars):
            bar = self.bars[index]
            if bar.opens and index != begin:
                begin, again = index, False
            if bar.ending == 1 and again:
                index = self._second_ending(index)
                continue
            yield index
            if bar.repeats and not again:
                again, index = True, begin
                continue
            if bar.repeats:
                again, begin = False, index + 1
            index += 1

    def _second_ending(self, first: int) -> int:
        """Return the bar after the first ending that begins at `first`."""
        index = first
        while index < len(self.bars) and not self.bars[index].repeats:
            index += 1
        return index + 1

    def events(self) -> list[Event]:
        """Return the notes as they sound, in order of time."""
        events: list[Event] = []
        now = Fraction(0)
        tied = False
        for index in self.played():
            for note in self.bars[index].notes:
                joins = tied and bool(events) and events[-1].pitch == note.pitch
                if joins:
                    last = events[-1]
                    events[-1] = replace(last, duration=last.duration + note.duration)
                elif note.pitch is not None:
                    events.append(Event(note.pitch, now, note.duration, index))
                tied = note.tied and note.pitch is not None
                now += note.duration
        return events

    def irregular_bars(self) -> list[int]:
        """Return the indices of the bars that do not add up.

        A bar must fill its meter. The first and the last bar of a tune may be shorter. Where
        sections meet, a short last bar and the pick-up played after it must fill one bar together.
        A tune without a meter has no irregular bars.
        """
        irregular: set[int] = set()
        order = list(self.played())
        meters = self.meters()
        parts: list[int] = []  # written bars that together fill the current one
        total = Fraction(0)
        for place, index in enumerate(order):
            parts.append(index)
            total += self.bars[index].duration
            meter = meters[index]
            full = Fraction(*meter) if meter else total
            at_end = place in (0, len(order) - 1)
            if total < full and not at_end and self._meet(index, order[place + 1]):
                continue
            if total != full and not (total < full and at_end):
                irregular.update(parts)
            parts, total = [], Fraction(0)
        return sorted(irregular)

    def _meet(self, index: int, after: int) -> bool:
        """Return whether one section ends with the bar `index` and another begins at `after`."""
        return self.bars[index].repeats or self.bars[index].closes or self.bars[after].opens

    def numbers(self) -> list[int]:
        """Return the number of each bar as in printed music: 1 is the first full bar.

        An opening pick-up is bar 0. The two parts of a bar that the end of a section divides have
        the same number. Bars of endings count like other bars.
        """
        numbers: list[int] = []
        number = 0
        for index, (bar, meter) in enumerate(zip(self.bars, self.meters(), strict=True)):
            full = Fraction(*meter) if meter else bar.duration
            before = self.bars[index - 1]
            completes = not bar.ending and before.duration + bar.duration == full
            short = bar.duration < full and len(self.bars) > 1
            if not short or not (index == 0 or (completes and self._meet(index - 1, index))):
                number += 1
            numbers.append(number)
        return numbers

    def sections(self) -> list[range]:
        """Return the indices of the bars of each section, endings included.

        A pick-up before the sign that opens a repeat belongs to the repeated section.
        """
        meters = self.meters()
        begins: list[int] = []
        for index, bar in enumerate(self.bars):
            before = self.bars[index - 1]
            if index == 0 or before.closes or (before.repeats and not bar.ending):
                begins.append(index)
            elif bar.opens:
                meter = meters[index - 1]
                short = meter is not None and before.duration < Fraction(*meter)
                if not (short and begins[-1] == index - 1):
                    begins.append(index)
        return [range(*ends) for ends in pairwise([*begins, len(self.bars)])]

    def keys(self) -> list[Key]:
        """Return the key of each bar."""
        keys: list[Key] = []
        for bar in self.bars:
            keys.append(bar.key or (keys[-1] if keys else self.key))
        return keys

    def meters(self) -> list[Meter | None]:
        """Return the meter of each bar."""
        meters: list[Meter | None] = []
        for bar in self.bars:
            before = meters[-1] if meters else self.meter
            meters.append(None if bar.meter == FREE else bar.meter or before)
        return meters

    def fingerprint(self) -> tuple[tuple[int | None, Fraction], ...]:
        """Return the intervals (None for a rest) and durations as written.

        Transpositions of a tune, and copies with other titles, have the same fingerprint.
        """
        steps: list[tuple[int | None, Fraction]] = []
        last: int | None = None
        for bar in self.bars:
            for note in bar.notes:
                if note.pitch is None:
                    steps.append((None, note.duration))
                    continue
                steps.append((note.pitch - (note.pitch if last is None else last), note.duration))
                last = note.pitch
        return tuple(steps)

    def transposed(self, semitones: int) -> Tune:
        """Return the tune and its keys `semitones` higher."""
        bars = tuple(
            replace(
                bar,
                notes=tuple(
                    note if note.pitch is None else replace(note, pitch=note.pitch + semitones)
                    for note in bar.notes
                ),
                key=bar.key and bar.key.transposed(semitones),
            )
            for bar in self.bars
        )
        return replace(self, bars=bars, key=self.key.transposed(semitones))


def parse_meter(text: str) -> Meter:
    """Return the meter that `text` names; raises ConfigError for anything else.

    >>> parse_meter("6/8"), parse_meter("C"), parse_meter("C|")
    ((6, 8), (4, 4), (2, 2))
    """
    if text in COMMON_TIME:
        return COMMON_TIME[text]
    beats, _, unit = text.partition("/")
    require(
        beats.isdecimal() and unit.isdecimal() and len(text) < 8,
        f"`meter` must be two whole numbers such as 6/8, or C or C|; got {text!r}",
    )
    return int(beats), int(unit)


def tempo_of(meter: Meter | None, wanted: float | None = None) -> float:
    """Return quarter notes per minute: `wanted`, or by default a tempo for dances in this meter.

    Raises ConfigError for values outside 20 to 600.

    >>> tempo_of((6, 8))  # 112 dotted quarters
    168.0
    """
    if wanted is not None:
        require(20 <= wanted <= 600, f"the tempo must be between 20 and 600, got {wanted:g}")
        return wanted
    beats, unit = meter or (4, 4)
    if unit >= 8 and beats % 3 == 0:
        return 168.0
    return {2: 120.0, 3: 132.0}.get(beats, 160.0) if unit == 4 else 160.0
