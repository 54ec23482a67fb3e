"""Composes tunes.abc: `python corpora/compose_tunes.py > corpora/tunes.abc`.

Tunes are made as a fiddler might describe making one. A form says which bars return, which are
moved to another chord (a sequence) and which are new; a plan of chords says where the harmony
goes; each dance has its rhythms and each tune a taste for a few of them and for a few melodic
figures. New bars are then a weighted walk over figures: strong beats prefer the notes of the
chord, leaps are rare and land on them, the line stays near the height that the phrase wants. The
walk is drawn exactly, with what lies ahead counted in, so it arrives at its cadence by itself.
A draft with faults that an ear would mind is thrown away.

Pitches are steps of the scale from the tonic on which the tune ends (0; 7 is its octave), chords
are named by their root's step, durations are in eighths. Weights are whole numbers, so the draws, and with them the file, are
the same to the byte on every machine.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import TypeVar

from charrnn.music.tune import SCALES, Key

TUNES = 480
SEED = 1806
STAFF = "CDEFGABcdefgab"
LOWEST, HIGHEST = STAFF.index("D"), STAFF.index("b")


@dataclass(frozen=True)
class Dance:
    """A metre and its rhythms: bars of tokens (groups under one beam), each with a weight."""

    meter: str
    weight: int
    bars: dict[str, int]  # any bar but the last of a phrase
    half: dict[str, int]  # the end of a question
    final: dict[str, int]  # the end of an answer: its last token is the tonic, held
    pickups: dict[str, int]  # "" for none; the final bar is shortened by it


# A digit is a note of so many eighths, s half of one, d one and a half, t one of a triplet.
LENGTHS = {str(n): Fraction(n) for n in range(1, 9)}
LENGTHS |= {"s": Fraction(1, 2), "d": Fraction(3, 2), "t": Fraction(2, 3)}

DANCES = {
    "jig": Dance(
        "6/8",
        11,
        {"111 111": 12, "21 111": 6, "111 21": 5, "21 21": 3, "3 111": 1},
        {"111 3": 4, "111 21": 4, "21 3": 2, "111 111": 4},
        {"111 3": 6, "21 3": 5, "3 3": 2},
        {"": 3, "1": 6},
    ),
    "reel": Dance(
        "4/4",
        11,
        {"1111 1111": 12, "211 1111": 7, "1111 211": 4, "211 211": 3, "31 1111": 2, "22 1111": 1},
        {"1111 1111": 5, "1111 22": 3, "1111 4": 2, "211 22": 1},
        {"1111 4": 6, "211 4": 3, "22 4": 1},
        {"": 4, "2": 1, "11": 5},
    ),
    "hornpipe": Dance(
        "2/2",
        5,
        {"1111 1111": 8, "ttt 11 1111": 4, "11 ttt 1111": 4, "1111 ttt 11": 3, "211 1111": 3},
        {"1111 22": 4, "1111 211": 2, "1111 1111": 2},
        {"2 2 4": 8, "11 2 4": 3},
        {"": 1, "11": 5, "ttt": 2},
    ),
    "waltz": Dance(
        "3/4",
        6,
        {"2 2 2": 6, "4 2": 7, "31 2": 5, "2 11 11": 4, "4 11": 4, "2 2 11": 3, "11 11 11": 1},
        {"6": 3, "4 2": 4, "4 11": 2},
        {"6": 1},
        {"": 3, "2": 3, "11": 4},
    ),
    "polka": Dance(
        "2/4",
        5,
        {"11 11": 10, "ds 11": 4, "11 2": 3, "2 11": 3, "1ss 11": 4, "11 1ss": 3, "ssss 11": 1},
        {"11 2": 4, "2 2": 2, "2 11": 2},
        {"2 2": 4, "11 2": 6},
        {"": 3, "1": 4, "ss": 2},
    ),
    "slip jig": Dance(
        "9/8",
        4,
        {"21 21 111": 5, "111 111 111": 4, "21 111 111": 6, "111 21 111": 3, "21 111 21": 3},
        {"111 111 21": 3, "21 111 3": 3, "21 21 3": 2},
        {"111 21 3": 4, "111 111 3": 3, "21 21 3": 2},
        {"": 3, "1": 3},
    ),
}

# What a token of so many notes may do, in steps from its first note.
FIGURES: dict[int, dict[tuple[int, ...], int]] = {
    1: {(0,): 1},
    2: dict.fromkeys([(0, -1), (0, 1), (0, -2)], 6)
    | dict.fromkeys([(0, 2), (0, -3), (0, 3), (0, 0)], 2),
    3: dict.fromkeys([(0, -1, -2), (0, 1, 2), (0, -1, -3)], 8)
    | dict.fromkeys([(0, 1, 0), (0, -1, 0), (0, -2, -4), (0, 2, 4), (0, -2, 0), (0, -2, -3)], 5)
    | dict.fromkeys([(0, 2, 1), (0, -2, -1), (0, 1, 3), (0, 2, 0), (0, -3, 0), (0, -1, 1)], 3)
    | dict.fromkeys([(0, -3, -5), (0, 0, -1), (0, 3, 0), (0, 1, -2), (0, -1, -1), (0, 3, 5)], 1),
    4: dict.fromkeys([(0, -1, -2, -3), (0, 1, 2, 3), (0, -1, -3, -1), (0, -2, -1, 0)], 6)
    | dict.fromkeys([(0, -3, -5, -3), (0, -2, -4, -2), (0, 2, 4, 2), (0, -2, -3, -2)], 5)
    | dict.fromkeys([(0, 1, 0, -1), (0, -1, 0, 1), (0, -1, -3, -4), (0, 1, 3, 4), (0, 1, 2, 4)], 4)
    | dict.fromkeys([(0, -2, 0, 1), (0, -1, -2, 0), (0, 1, 2, 0), (0, 2, 1, 0), (0, 1, 0, -2)], 4)
    | dict.fromkeys([(0, -2, -5, -2), (0, 2, 1, 2), (0, -1, -2, -1), (0, 2, 4, 5), (0, -4, 0, -4)], 2),
}
LEAPS = [3, 12, 8, 4, 2, 1, 0, 1]  # the weight of a step, by its size, from one token to the next
NEARNESS = [10, 10, 8, 5, 3, 2, 1]  # and of a distance from the height that the phrase wants

# Chords of four bars, one or two to a bar, numbered from 1; `turns` begin a second part.
PLANS = {
    "maj": {
        "questions": ["1 1 4 5", "1 4 1 5", "1 6 4 5", "1 5 1 5", "1 1 2 5", "1 15 4 5"],
        "turns": ["4 1 4 5", "6 6 4 5", "5 5 1 5", "1 1 4 5", "4 1 2 5", "6 3 4 5", "1 5 1 5"],
        "answers": ["1 4 15 1", "1 1 45 1", "6 4 15 1", "1 4 25 51", "4 1 45 51", "1 6 25 1"],
        "sequences": ["12", "16", "65", "45", "43"],
    },
    "min": {
        "questions": ["1 1 7 7", "1 4 1 5", "1 7 6 5", "1 1 4 5", "1 7 1 5"],
        "turns": ["3 7 1 5", "3 3 7 7", "6 7 1 5", "1 7 6 5", "4 4 1 5"],
        "answers": ["1 4 15 1", "1 7 15 1", "6 7 15 51", "3 4 15 1", "1 7 17 1"],
        "sequences": ["17", "16", "37", "65"],
    },
    "dor": {
        "questions": ["1 1 7 7", "1 7 1 7", "1 1 4 7", "1 17 1 7", "1 4 1 7", "1 1 5 7"],
        "turns": ["3 7 1 7", "1 1 7 7", "7 7 1 7", "4 4 1 7", "3 3 7 7"],
        "answers": ["1 7 17 1", "1 4 17 1", "3 7 17 71", "1 1 57 1", "7 4 17 1"],
        "sequences": ["17", "17", "37", "43"],
    },
    "mix": {
        "questions": ["1 1 7 7", "1 7 1 7", "1 4 1 7", "1 1 4 7", "1 17 1 5"],
        "turns": ["7 7 1 7", "4 4 1 7", "1 1 7 7", "5 4 1 7", "4 1 7 7"],
        "answers": ["1 7 17 1", "1 4 17 1", "4 1 47 1", "1 7 45 1", "7 4 17 71"],
        "sequences": ["17", "17", "54", "43"],
    },
}
KEYS = {
    Key("D"): 8, Key("G"): 8, Key("A"): 4, Key("C"): 3, Key("F"): 2, Key("E", "min"): 4,
    Key("A", "min"): 3, Key("D", "min"): 2, Key("B", "min"): 2, Key("G", "min"): 1,
    Key("A", "dor"): 4, Key("E", "dor"): 4, Key("D", "dor"): 2, Key("G", "dor"): 1,
    Key("D", "mix"): 4, Key("A", "mix"): 4, Key("G", "mix"): 1,
}  # fmt: skip

DOMINANTS = {"maj": 4, "min": 4, "dor": 6, "mix": 6}
# Where on the staff a tune may end, and the height of its first part above that.
HOMES = {
    "D": [(1, 4), (1, 4), (8, 0)], "E": [(2, 4)], "F": [(3, 3)], "G": [(4, 3)],
    "A": [(5, 3)], "B": [(6, 2)], "C": [(7, 1)],
}  # fmt: skip
LEADS = {"2": "11", "3": "21", "4": "211", "6": "411"}  # a held tonic, and how it moves on

# Eight bars: a small letter is a bar, new or returning, a capital its sequence on another chord.
SHAPES = {"abcdabef": 12, "abcdabce": 4, "abcdaefg": 4, "abacabad": 1, "abacdbef": 1}
SHAPES |= {"aAbcaAde": 4, "aAbcaAbd": 2, "abABcdef": 2, "abcdefgh": 6, "abacabde": 2}
CONTOURS = [(0, 0, 1, 1, 0, 0, 1, -1), (0, 1, 2, 1, 0, 2, 1, -1), (1, 0, -1, 0, 1, 1, 0, -1)]
CONTOURS += [(0, 0, 0, 1, 2, 2, 0, -2), (2, 1, 0, 0, 2, 1, -1, -2), (-1, 0, 1, 2, 2, 1, 0, -1)]
FORMS = {"AABB": 22, "AABBCC": 2, "ABA": 2}

TITLES = {
    "The {who}'s {thing}": 8, "The {adjective} {thing}": 5, "The {place} {dance}": 4,
    "{name}'s {feeling}": 5, "The Road to {place}": 2, "{adjective} {name}": 2,
    "The {thing} on the {spot}": 4, "{name} of {place}": 2, "{feeling} at {place}": 2,
}  # fmt: skip
WORDS = {
    "who": "Miller Ferryman Weaver Cooper Tinker Shepherd Thatcher Drover Lamplighter Piper Baker "
    "Clockmaker Beekeeper Gardener Postman Fisherman Carter Glazier Saddler Chandler",
    "thing": "Lantern Kettle Apron Ladle Bonnet Button Whistle Ribbon Candle Barrow Teapot Basket "
    "Fiddle Ladder Thimble Bell Cradle Hatbox Spade Slipper Umbrella Pocket Gate Anvil",
    "adjective": "Crooked Merry Copper Borrowed Dusty Patient Painted Windy Gentle Idle Silver "
    "Sleepy Frosty Restless Tidy Wandering Hidden Curious Mossy Lucky",
    "place": "Farrowmere Tillybrook Ashendale Corriemoss Dunwhistle Quillhaven Larkenfell Brindlow "
    "Hollinsea Pennymarsh Oxterby Wrenfield Skelloch Marrowby Thistlecombe Inverlorne",
    "name": "Orla Tamsin Hamish Bridget Rowan Nora Colm Elspeth Barnaby Maisie Fergus Isolde Ewan "
    "Dervla Jasper Una Silas Morag Phelim Clemency",
    "feeling": "Delight Fancy Welcome Farewell Dream Ramble Return Surprise Regret Holiday Secret "
    "Promise Errand Frolic",
    "spot": "Hill Shelf Bridge Strand Wall Stair Roof Doorstep Moor Windowsill Quay Lane",
}

Token = tuple[str, tuple[int, ...], int]  # a rhythm, its pitches, the chord
Bar = tuple[Token, ...]
T = TypeVar("T")


class DeadEnd(Exception):
    """A draft that cannot go on, or that has a fault."""


def draw(rng: random.Random, weights: dict[T, int]) -> T:
    """Draw a key of `weights`."""
    if not any(weights.values()):
        raise DeadEnd
    point = rng.randrange(sum(weights.values()))
    for choice, weight in weights.items():
        point -= weight
        if point < 0:
            break
    return choice


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Draw one of equal choices."""
    return choices[rng.randrange(len(choices))]


def pitches(bars: Iterable[Bar]) -> list[int]:
    """Return the pitches of some bars, in order."""
    return [pitch for bar in bars for _, notes, _ in bar for pitch in notes]


def shifted(bar: Bar, steps: int) -> Bar:
    """Return a bar moved along the scale, with its chords: a sequence."""
    return tuple((r, tuple(p + steps for p in notes), (c + steps) % 7) for r, notes, c in bar)


@cache
def leap(mode: str, one: int, other: int) -> int:
    """Return the weight of going from a pitch to another; a tritone has none."""
    semitones = [12 * (p // 7) + SCALES[mode][p % 7] for p in (one, other)]
    size = abs(other - one)
    tritone = size > 1 and abs(semitones[1] - semitones[0]) == 6
    return LEAPS[size] if size < len(LEAPS) and not tritone else 0


@cache
def figures(mode: str, size: int, chord: int, strong: bool) -> list[tuple[tuple[int, ...], int]]:
    """Return figures from every pitch: the chord's notes have more weight on beats and at leaps."""
    found = []
    for figure, weight in FIGURES[size].items():
        for first in range(-14, 15):
            notes = tuple(first + step for step in figure)
            fits = [(note - chord) % 7 in (0, 2, 4) for note in notes]
            smooth = all(abs(b - a) == 1 for a, b in pairwise(notes))
            points = weight * ((12 if strong else 4) if fits[0] else 0 if strong and smooth else 1)
            points *= 3 if fits[-1] else 1
            for (one, good), (other, too) in pairwise(zip(notes, fits, strict=True)):
                if abs(other - one) > 1:
                    points *= (0, 1, 4)[good + too] if leap(mode, one, other) else 0
            if points:
                found.append((notes, points))
    return found


@dataclass(frozen=True)
class Slot:
    """A token to be: its rhythm and chord, and the height that the phrase wants there."""

    rhythm: str
    chord: int
    height: int
    strong: bool = False
    first: int | None = None  # the pitch that it must begin with


@dataclass
class Composer:
    """One tune's key, dance and taste."""

    rng: random.Random
    mode: str
    dance: Dance
    lowest: int
    highest: int
    favourites: Counter[tuple[int, ...]]
    rhythms: list[str]

    def walk(self, slots: Sequence[Slot], before: int | None, goal: int | None) -> list[Token]:
        """Draw a token for every slot, on the way from one pitch to another.

        `ahead` has for each pitch the weight of all ways on from there, so none is a dead end.
        """
        span, options = range(self.lowest, self.highest + 1), []
        ahead = [{p: 1 if goal is None else leap(self.mode, p, goal) for p in span}]
        for slot in slots:
            options.append(
                {
                    notes: weight * NEARNESS[away] * (1 + 5 * self.favourites[figure])
                    for notes, weight in figures(
                        self.mode, len(slot.rhythm), slot.chord, slot.strong
                    )
                    if slot.first in (None, notes[0])
                    and min(notes) >= self.lowest and max(notes) <= self.highest
                    and (away := abs(notes[0] - slot.height)) < len(NEARNESS)
                    and ((figure := tuple(n - notes[0] for n in notes)) and slot.rhythm != "ttt" or max(map(abs, figure)) < 5)
                }
            )
        for found in reversed(options):
            onward: Counter[int] = Counter()
            for notes, weight in found.items():
                onward[notes[0]] += weight * ahead[0][notes[-1]]
            ahead.insert(
                0, {p: sum(leap(self.mode, p, q) * w for q, w in onward.items()) for p in span}
            )
        tokens: list[Token] = []
        for slot, found, after in zip(slots, options, ahead[1:], strict=True):
            weights = {
                notes: weight * after[notes[-1]]
                * (1 if before is None else leap(self.mode, before, notes[0]))
                for notes, weight in found.items()
            }
            tokens.append((slot.rhythm, draw(self.rng, weights), slot.chord))
            before = tokens[-1][1][-1]
        return tokens

    def slots(self, number: int, chords: str, height: int, rest: int) -> list[Slot]:
        """Return the slots of a part's bar; `rest` is what the pick-up takes from the last."""
        if number == 7:
            rhythm = draw(self.rng, self.dance.final)
            rhythm = rhythm[:-1] + str(int(rhythm[-1]) - rest)
        elif number == 3:
            rhythm = draw(self.rng, self.dance.half)
        else:
            rhythm = draw(self.rng, {draw(self.rng, self.dance.bars): 1, self.rhythms[number % 2]: 3})
        tokens = rhythm.split()
        slots = [
            Slot(token, int(chords[i * len(chords) // len(tokens)]) - 1, height, i % 2 == 0)
            for i, token in enumerate(tokens)
        ]
        if number == 7:
            slots[-1] = Slot(tokens[-1], 0, 0, True, 0)
        return slots

    def part(self, shape: str, kind: str, centre: int, rest: int, made: dict[str, Bar]) -> list[Bar]:
        """Compose eight bars; `made` has those that are given, by their letter in the shape."""
        rng, plans, made = self.rng, PLANS[self.mode], dict(made)
        chords = pick(rng, plans[kind]).split()
        chords += pick(rng, plans["questions"]).split()[:2] + pick(rng, plans["answers"]).split()[2:]
        contour, steps = pick(rng, CONTOURS), 0
        if "A" in shape:
            model, copy = pick(rng, plans["sequences"])
            chords[: shape.index("A")] = model * shape.index("A")
            steps = (int(copy) - int(model) + 3) % 7 - 3
        root = int(chords[0][0]) - 1
        opening = draw(
            rng,
            {centre + away: NEARNESS[abs(away)] for away in range(-4, 5)
             if (centre + away - root) % 7 in (0, 2, 4)},
        )
        if "a" in made:
            opening = pitches([made["a"]])[0]
        firsts = {letter: pitches([bar])[0] for letter, bar in made.items()}
        firsts |= {"a": opening, "A": opening + steps}
        bars: list[Bar] = []
        while len(bars) < 8:
            begin = end = len(bars)
            while end < 8 and shape[end] not in made and shape[end] not in shape[begin:end]:
                if shape[end].isupper():
                    break
                end += 1
            if begin == end:
                letter = shape[begin]
                if letter not in made:
                    made[letter] = shifted(made[letter.lower()], steps)
                bars.append(made[letter])
                continue
            slots = []
            for number in range(begin, end):
                height = centre + contour[number]
                if number >= 6:
                    height = (height + (number - 5) * 2) // (number - 4)
                slots.append(self.slots(number, chords[number], height, rest))
            if begin == 0:
                slots[0][0] = replace(slots[0][0], first=opening)
            goal = firsts.get(shape[end]) if end < 8 else None
            tokens = iter(self.walk(sum(slots, []), pitches(bars)[-1] if bars else None, goal))
            for number, bar in enumerate(slots, begin):
                made[shape[number]] = tuple(next(tokens) for _ in bar)
                bars.append(made[shape[number]])
        if len(set(bars)) < len(set(shape)) or self.faulty(pitches(bars)):
            raise DeadEnd
        return bars

    def attempt(self, name: str, centre: int, rest: int, first: list[Bar]) -> list[Bar]:
        """Compose a part until a draft has no fault; later parts borrow from the first."""
        shape, made = draw(self.rng, SHAPES), {}
        borrows = self.rng.randrange(6) if first else 6
        if borrows < 3 and shape[6] not in shape[:6]:
            made = {shape[6]: first[6], shape[7]: first[7]}
        if borrows < 2 and shape == "abcdefgh":
            made |= {"e": first[4], "f": first[5]}
        if borrows == 3:
            made["a"] = shifted(first[0], self.rng.randrange(2, 5))
        for _ in range(20):
            try:
                return self.part(shape, "turns" if first else "questions", centre, rest, made)
            except DeadEnd:
                pass
        raise DeadEnd

    def faulty(self, line: list[int]) -> bool:
        """Tell whether an ear would mind."""
        moves = [b - a for a, b in pairwise(line)]
        wide = [abs(move) >= 4 for move in moves]
        onward = sum(w and a * b > 0 and abs(b) > 1 for w, (a, b) in zip(wide, pairwise(moves)))
        return (
            not all(leap(self.mode, one, other) for one, other in pairwise(line))
            or not (self.lowest <= min(line) and max(line) <= self.highest)
            or not 6 <= max(line) - min(line) <= 11
            or sum(wide) > len(line) // 10
            or onward > 1  # a wide leap turns back
            or any(not any(three) for three in zip(moves, moves[1:], moves[2:]))
            or max(Counter(line).values()) > 6 + len(line) * 3 // 10
        )

    def pickup(self, rhythm: str, bars: list[Bar]) -> Bar:
        """Return the notes that lead into a part."""
        first = pitches(bars[:1])[0]
        slots = [Slot(rhythm, DOMINANTS[self.mode], first - 1)] if rhythm else []
        return tuple(self.walk(slots, None, first))

    def first_ending(self, bars: list[Bar]) -> Bar:
        """Return the last bar as it leads back to the first."""
        rhythm = LEADS[bars[7][-1][0]]
        slot = Slot(rhythm, DOMINANTS[self.mode], 0, first=0)
        return (*bars[7][:-1], *self.walk([slot], None, pitches(bars)[0]))


def spell(bar: Bar, key: Key, tonic: int) -> str:
    """Return a bar in ABC; a minor key's seventh is raised over the dominant."""
    signature, altered, words = key.signature(), {}, []
    for rhythm, notes, chord in bar:
        word = "(3" if rhythm == "ttt" else ""
        for i, (length, note) in enumerate(zip(rhythm, notes, strict=True)):
            letter = STAFF[note + tonic]
            wanted = signature[letter.upper()]
            if key.mode == "min" and chord == 4 and note % 7 == 6:
                wanted += all(near % 7 != 5 for near in notes[max(0, i - 1) : i + 2])
            if altered.get(letter, signature[letter.upper()]) != wanted:
                word += "_=^"[wanted + 1]
            altered[letter] = wanted
            word += letter + {"1": "", "t": "", "s": "/", "d": "3/2"}.get(length, length)
        words.append(word)
    return " ".join(words)


def compose(rng: random.Random, dance: Dance) -> tuple[Key, str, tuple[Bar, ...]]:
    """Compose a tune; return its key, its body and the two bars that it is known by."""
    key, pickup = draw(rng, KEYS), draw(rng, dance.pickups)
    tonic, centre = pick(rng, HOMES[key.tonic])
    composer = Composer(
        rng,
        key.mode,
        dance,
        LOWEST - tonic,
        HIGHEST - tonic,
        Counter(draw(rng, FIGURES[size]) for size in (2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4)),
        [draw(rng, dance.bars), draw(rng, dance.bars)],
    )
    rest = int(sum(LENGTHS[length] for length in pickup))
    form = draw(rng, FORMS)
    parts: dict[str, list[Bar]] = {}
    for name in sorted(set(form)):
        parts[name] = composer.attempt(name, centre + 3 * (name == "B"), rest, parts.get("A", []))
    lines = []
    order = form.replace("AA", "A").replace("BB", "B").replace("CC", "C")
    for place, name in enumerate(order, 1):
        bars, repeated = parts[name], order != form
        words = [spell(bar, key, tonic) for bar in bars]
        end = ":|" if repeated else "||" if place < len(order) else "|]"
        if repeated and not pickup and rng.randrange(3) == 0:
            first = spell(composer.first_ending(bars), key, tonic)
            words[6:] = [f"{words[6]}|1 {first}:|2 {words[7]}"]
            end = "||" if place < len(order) else "|]"
        lead = [spell(composer.pickup(pickup, bars), key, tonic)] if pickup else []
        lines += ["|:" * repeated + "|".join([*lead, *words[:4], ""]), "|".join(words[4:]) + end]
    return key, "\n".join(lines), tuple(parts["A"][:2])


def entitle(rng: random.Random, dance: str) -> str:
    """Invent a title."""
    words = {kind: pick(rng, text.split()) for kind, text in WORDS.items()}
    return draw(rng, TITLES).format(**words, dance=dance.title())


def main() -> None:
    """Write the corpus to standard output."""
    rng = random.Random(SEED)
    openings: set[object] = set()
    titles: list[str] = []
    while len(titles) < TUNES:
        name = draw(rng, {name: dance.weight for name, dance in DANCES.items()})
        title = entitle(rng, name)
        try:
            key, body, opening = compose(rng, DANCES[name])
        except DeadEnd:
            continue
        if title in titles or opening in openings:
            continue
        titles.append(title)
        openings.add(opening)
        print(f"X:{len(titles)}\nT:{title}\nR:{name}\nM:{DANCES[name].meter}\nL:1/8\nK:{key}")
        print(body, end="\n\n" if len(titles) < TUNES else "\n")


if __name__ == "__main__":
    main()
