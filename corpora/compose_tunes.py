"""Composes tunes.abc: `python corpora/compose_tunes.py > corpora/tunes.abc`.

Tunes are made as a fiddler might describe making one. A shape says which bars of a part return,
which are moved to another chord (a sequence) and which are new; a plan of chords says where the
harmony goes; each dance has its rhythms, and each tune a taste for a few of them and for a few
melodic figures. New bars are then a weighted walk over figures: beats prefer the chord's notes,
leaps are rare and between such notes, the line stays near the height that the phrase wants. Each
step of the walk counts in all that can follow, so it arrives at its cadence without being forced.
A draft with a fault that an ear would mind is thrown away.

Pitches are steps of the scale from the tonic on which the tune ends (0; 7 is its octave), and
chords are named by their root's step. Weights are whole numbers, so that the draws, and with them
the file, are the same on every machine.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, pairwise
from typing import TypeVar

from charrnn.music.tune import SCALES, Key

SEED = 1806
TUNES = 480
STAFF = "CDEFGABcdefgab"
LOWEST, HIGHEST = STAFF.index("D"), STAFF.index("b")

T = TypeVar("T")
Token = tuple[str, tuple[int, ...], int]  # notes under one beam: rhythm, pitches, chord
Bar = tuple[Token, ...]


def weighted(text: str) -> dict[str, int]:
    """Read choices and their weights: "x 3, y z 2"."""
    return {choice: int(weight) for choice, weight in (c.rsplit(" ", 1) for c in text.split(", "))}


@dataclass(frozen=True)
class Dance:
    """A metre and its bars: tokens with a digit for a note of so many eighths.

    An s is half an eighth, d one and a half, t one of a triplet.
    """

    meter: str
    bars: dict[str, int]  # any bar but the last of four
    half: dict[str, int]  # the end of a question
    final: dict[str, int]  # the end of an answer: its last token is the tonic, held
    pickups: dict[str, int]  # "-" for none; the final bar is shortened by it


DANCES = {
    "jig": Dance(
        "6/8",
        weighted("111 111 12, 21 111 6, 111 21 5, 21 21 3, 3 111 1"),
        weighted("111 3 4, 111 21 4, 21 3 2, 111 111 4"),
        weighted("111 3 6, 21 3 5, 3 3 2"),
        weighted("- 3, 1 6"),
    ),
    "reel": Dance(
        "2/2",
        weighted("1111 1111 12, 211 1111 7, 1111 211 4, 211 211 3, 31 1111 2, 22 1111 1"),
        weighted("1111 1111 5, 1111 22 3, 1111 4 2, 211 22 1"),
        weighted("1111 4 6, 211 4 3, 22 4 1"),
        weighted("- 4, 2 1, 11 5"),
    ),
    "hornpipe": Dance(
        "4/4",
        weighted("1111 1111 8, ttt 11 1111 4, 11 ttt 1111 4, 1111 ttt 11 3, 211 1111 3"),
        weighted("1111 22 4, 1111 211 2, 1111 1111 2"),
        weighted("2 2 4 8, 11 2 4 3"),
        weighted("- 1, 11 5, ttt 2"),
    ),
    "waltz": Dance(
        "3/4",
        weighted("2 2 2 6, 4 2 7, 31 2 5, 2 11 11 4, 4 11 4, 2 2 11 3, 11 11 11 1"),
        weighted("6 3, 4 2 4, 4 11 2"),
        weighted("6 1"),
        weighted("- 3, 2 3, 11 4"),
    ),
    "polka": Dance(
        "2/4",
        weighted("11 11 10, ds 11 4, 11 2 3, 2 11 3, 1ss 11 4, 11 1ss 3, ssss 11 1"),
        weighted("11 2 4, 2 2 2, 2 11 2"),
        weighted("2 2 4, 11 2 6"),
        weighted("- 3, 1 4, ss 2"),
    ),
    "slip jig": Dance(
        "9/8",
        weighted("21 21 111 5, 111 111 111 4, 21 111 111 6, 111 21 111 3, 21 111 21 3"),
        weighted("111 111 21 3, 21 111 3 3, 21 21 3 2"),
        weighted("111 21 3 4, 111 111 3 3, 21 21 3 2"),
        weighted("- 3, 1 3"),
    ),
}
PROGRAMME = weighted("jig 11, reel 11, hornpipe 5, waltz 6, polka 5, slip jig 4")
LEADS = {"2": "11", "3": "21", "4": "211", "6": "411"}  # how a held tonic leads back

# What a token may do from its first note, by how many notes it has; the letters are only examples.
EXAMPLES = {
    1: weighted("e 1"),
    2: weighted("ed 6, ef 6, ec 6, eg 2, eB 2, ea 2, ee 1"),
    3: weighted(
        "edc 8, efg 8, edB 8, efe 5, ede 5, ecA 5, egb 5, ece 5, ecB 5, egf 3, ecd 3, efa 3, "
        "ege 3, eBe 3, edf 3, eBG 1, eed 1, eae 1, efc 1, edd 1, Adf 1"
    ),
    4: weighted(
        "edcB 6, efga 6, edBd 6, ecde 6, eBGB 5, ecAc 5, egbg 5, ecBc 5, efed 4, edef 4, edBA 4, "
        "efab 4, efgb 4, ecef 4, edce 4, efge 4, egfe 4, efec 4, ecGc 2, egfg 2, edcd 2, Acef 2, "
        "eAeA 2"
    ),
}
FIGURES = {
    size: {tuple(STAFF.index(n) - STAFF.index(e[0]) for n in e): w for e, w in examples.items()}
    for size, examples in EXAMPLES.items()
}
LEAPS = [6, 20, 9, 5, 3, 1, 0, 1]  # the weight of going so many steps from a token to the next
NEARNESS = [10, 10, 8, 5, 3, 2, 1]  # and of being so far from the height that the phrase wants

# Chords of four bars, one or two to a bar, numbered from 1; `turns` begin a second part. The
# chords of a sequence come in pairs: the model's and the copy's.
PLANS = {
    "maj": {
        "questions": "1 1 4 5, 1 4 1 5, 1 6 4 5, 1 5 1 5, 1 1 2 5, 1 15 4 5",
        "turns": "4 1 4 5, 6 6 4 5, 5 5 1 5, 1 1 4 5, 4 1 2 5, 6 3 4 5, 1 5 1 5",
        "answers": "1 4 15 1, 1 1 45 1, 6 4 15 1, 1 4 25 51, 4 1 45 51, 1 6 25 1",
        "sequences": "12, 16, 65, 45, 43",
    },
    "min": {
        "questions": "1 1 7 7, 1 4 1 5, 1 7 6 5, 1 1 4 5, 1 7 1 5",
        "turns": "3 7 1 5, 3 3 7 7, 6 7 1 5, 1 7 6 5, 4 4 1 5",
        "answers": "1 4 15 1, 1 7 15 1, 6 7 15 51, 3 4 15 1, 1 7 17 1",
        "sequences": "17, 16, 37, 65",
    },
    "dor": {
        "questions": "1 1 7 7, 1 7 1 7, 1 1 4 7, 1 17 1 7, 1 4 1 7, 1 1 5 7",
        "turns": "3 7 1 7, 1 1 7 7, 7 7 1 7, 4 4 1 7, 3 3 7 7",
        "answers": "1 7 17 1, 1 4 17 1, 3 7 17 71, 1 1 57 1, 7 4 17 1",
        "sequences": "17, 17, 37, 43",
    },
    "mix": {
        "questions": "1 1 7 7, 1 7 1 7, 1 4 1 7, 1 1 4 7, 1 17 1 5",
        "turns": "7 7 1 7, 4 4 1 7, 1 1 7 7, 5 4 1 7, 4 1 7 7",
        "answers": "1 7 17 1, 1 4 17 1, 4 1 47 1, 1 7 45 1, 7 4 17 71",
        "sequences": "17, 17, 54, 43",
    },
}
DOMINANTS = {"maj": 4, "min": 4, "dor": 6, "mix": 6}
KEYS = weighted(
    "D maj 8, G maj 8, A maj 4, C maj 3, F maj 2, E min 4, A min 3, D min 2, B min 2, G min 1, "
    "A dor 4, E dor 4, D dor 2, G dor 1, D mix 4, A mix 4, G mix 1"
)
# The notes that a tune may end on, and how far above them the first part lies.
HOMES = {"D": "D4 D4 d0", "E": "E4", "F": "F3", "G": "G3", "A": "A3", "B": "B2", "C": "c1"}

# Eight bars: a small letter is a bar, new or returning, a capital its sequence on another chord.
SHAPES = weighted(
    "abcdabef 12, abcdabce 4, abcdaefg 4, abcdefgh 6, abacabde 3, abacabad 2, abacdbef 1, "
    "aAbcaAde 4, aAbcaAbd 2, abABcdef 2"
)
CONTOURS = [(0, 0, 1, 1, 0, 0, 1, -1), (0, 1, 2, 1, 0, 2, 1, -1), (1, 0, -1, 0, 1, 1, 0, -1)]
CONTOURS += [(0, 0, 0, 1, 2, 2, 0, -2), (2, 1, 0, 0, 2, 1, -1, -2), (-1, 0, 1, 2, 2, 1, 0, -1)]
FORMS = weighted("AABB 22, AABBCC 2, ABA 2")

TITLES = weighted(
    "The {who}'s {thing} 8, The {adjective} {thing} 5, The {place} {dance} 4, {name}'s {mood} 5, "
    "The Road to {place} 2, {adjective} {name} 2, The {thing} on the {spot} 4, {name} of {place} 2"
)
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
    "mood": "Delight Fancy Welcome Farewell Dream Ramble Return Surprise Regret Holiday Secret "
    "Promise Errand Frolic",
    "spot": "Hill Shelf Bridge Strand Wall Stair Roof Doorstep Moor Windowsill Quay Lane",
}


class DeadEndError(Exception):
    """A draft that cannot go on, or that has a fault."""


def draw(rng: random.Random, weights: dict[T, int]) -> T:
    """Draw a key of `weights`."""
    total = sum(weights.values())
    if not total:
        raise DeadEndError
    point = rng.randrange(total)
    return next(choice for choice, weight in weights.items() if (point := point - weight) < 0)


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
    low, high = (12 * (pitch // 7) + SCALES[mode][pitch % 7] for pitch in sorted((one, other)))
    size = abs(other - one)
    return LEAPS[size] if size < len(LEAPS) and (size == 1 or high - low != 6) else 0


@cache
def figures(mode: str, rhythm: str, chord: int, strong: bool) -> dict[tuple[int, ...], int]:
    """Return what a token may be, weighted; the chord's notes count more on beats and at leaps."""
    found = {}
    for figure, weight in FIGURES[len(rhythm)].items():
        sizes = [abs(other - one) for one, other in pairwise(figure)]
        runs = all(size == 1 for size in sizes)
        if rhythm == "ttt" and not runs:
            continue
        for first in range(-14, 15):
            notes = tuple(first + step for step in figure)
            fits = [(note - chord) % 7 in (0, 2, 4) for note in notes]
            points = weight * ((12 if strong else 4) if fits[0] else 0 if strong and runs else 1)
            points *= (2 if fits[-1] else 1) * (3, 2, 2, 1, 3, 2, 1)[first % 7]
            for index, size in enumerate(sizes):
                points *= 2 if size <= 1 else (0, 1, 3)[fits[index] + fits[index + 1]]
                points *= size <= 1 or leap(mode, *notes[index : index + 2]) > 0
            if points:
                found[notes] = points
    return found


def faulty(mode: str, line: list[int]) -> bool:
    """Tell whether an ear would mind: too narrow or wide, leaping about, or stuck on a pitch."""
    moves = [other - one for one, other in pairwise(line)]
    wide = [abs(move) >= 4 for move in moves]
    onward = sum(w and a * b > 0 for w, (a, b) in zip(wide[:-1], pairwise(moves), strict=True))
    return (
        not all(leap(mode, one, other) for one, other in pairwise(line))
        or not 6 <= max(line) - min(line) <= 11
        or sum(wide) > len(line) // 12
        or onward > 1  # a wide leap turns back
        or any(len(set(line[i : i + 4])) == 1 for i in range(len(line) - 3))
        or max(Counter(line).values()) > 6 + len(line) * 3 // 10
    )


@dataclass(frozen=True)
class Slot:
    """A token to be: its rhythm and chord, and the height that the phrase wants there."""

    rhythm: str
    chord: int
    height: int
    strong: bool = False
    first: int | None = None  # the pitch that it must begin with


@dataclass(frozen=True)
class Composer:
    """One tune's mode and dance, its range, and its taste."""

    rng: random.Random
    mode: str
    dance: Dance
    span: range
    rest: int  # how much of the last bar the pick-up takes, in eighths
    favourites: Counter[tuple[int, ...]]
    rhythms: list[str]

    def options(self, slot: Slot) -> dict[tuple[int, ...], int]:
        """Return what may stand in a slot, weighted by height and taste too."""
        return {
            notes: weight * NEARNESS[away] * (1 + 5 * self.favourites[figure])
            for notes, weight in figures(self.mode, slot.rhythm, slot.chord, slot.strong).items()
            if slot.first in (None, notes[0])
            and (away := abs(notes[0] - slot.height)) < len(NEARNESS)
            and min(notes) in self.span
            and max(notes) in self.span
            and (figure := tuple(note - notes[0] for note in notes))
        }

    def walk(self, slots: Sequence[Slot], before: int | None, goal: int | None) -> list[Token]:
        """Draw a token for every slot, on the way from one pitch to another.

        `ahead` holds for every pitch the weight of all the ways on from there to the goal.
        """
        options = [self.options(slot) for slot in slots]
        ahead = [{p: leap(self.mode, p, goal) if goal is not None else 1 for p in self.span}]
        for found in reversed(options):
            arrive: Counter[int] = Counter()
            for notes, weight in found.items():
                arrive[notes[0]] += weight * ahead[-1][notes[-1]]
            ahead.append(
                {p: sum(leap(self.mode, p, q) * w for q, w in arrive.items()) for p in self.span}
            )
        tokens: list[Token] = []
        for slot, found, onward in zip(slots, options, ahead[-2::-1], strict=True):
            weights = {
                notes: weight
                * onward[notes[-1]]
                * (before is None or leap(self.mode, before, notes[0]))
                for notes, weight in found.items()
            }
            tokens.append((slot.rhythm, draw(self.rng, weights), slot.chord))
            before = tokens[-1][1][-1]
        return tokens

    def slots(self, number: int, chords: str, height: int) -> list[Slot]:
        """Return the slots of a part's bar; the height goes down to the tonic with the cadence."""
        rhythm = draw(self.rng, {draw(self.rng, self.dance.bars): 1, self.rhythms[number % 2]: 3})
        if number == 3:
            rhythm = draw(self.rng, self.dance.half)
        elif number == 6:
            height = (height + 2) // 2
        elif number == 7:
            height = (height + 4) // 3
            rhythm = draw(self.rng, self.dance.final)
            rhythm = rhythm[:-1] + str(int(rhythm[-1]) - self.rest)
        tokens = rhythm.split()
        slots = [
            Slot(token, int(chords[i * len(chords) // len(tokens)]) - 1, height, i % 2 == 0)
            for i, token in enumerate(tokens)
        ]
        return [*slots[:-1], Slot(tokens[-1], 0, 0, True, 0)] if number == 7 else slots

    def part(self, kind: str, shape: str, centre: int, made: dict[str, Bar]) -> list[Bar]:
        """Compose eight bars; `made` has those that are given, by their letter in the shape."""
        question, second, answer, sequence = (
            pick(self.rng, PLANS[self.mode][name].split(", "))
            for name in (kind, "questions", "answers", "sequences")
        )
        chords = question.split() + second.split()[:2] + answer.split()[2:]
        model, copy = list(sequence)
        if "A" in shape:
            chords[: shape.index("A")] = [model] * shape.index("A")
        steps = (int(copy) - int(model) + 3) % 7 - 3
        near = {centre + away: NEARNESS[abs(away)] for away in range(-4, 5)}
        root = int(chords[0][0]) - 1
        opening = draw(self.rng, {p: w for p, w in near.items() if (p - root) % 7 in (0, 2, 4)})
        made, firsts = dict(made), {"a": opening}
        firsts |= {letter: bar[0][1][0] for letter, bar in made.items()}
        firsts["A"] = firsts["a"] + steps
        contour = pick(self.rng, CONTOURS)
        bars: list[Bar] = []
        while len(bars) < 8:
            begin = end = len(bars)
            while end < 8 and shape[end].islower() and shape[end] not in {*made, *shape[begin:end]}:
                end += 1
            if begin < end:  # new bars, as far as the next one that is not
                new = [self.slots(n, chords[n], centre + contour[n]) for n in range(begin, end)]
                if begin == 0:
                    new[0][0] = replace(new[0][0], first=opening)
                goal = firsts.get(shape[end]) if end < 8 else None
                before = pitches(bars)[-1] if bars else None
                tokens = iter(self.walk(list(chain(*new)), before, goal))
                made |= {
                    shape[n]: tuple(next(tokens) for _ in new[n - begin]) for n in range(begin, end)
                }
            elif shape[begin] not in made:
                made[shape[begin]] = shifted(made[shape[begin].lower()], steps)
            bars += [made[letter] for letter in shape[begin : max(end, begin + 1)]]
        line = pitches(bars)
        if (
            len(set(bars)) < len(set(shape))
            or faulty(self.mode, line)
            or not {*line} <= {*self.span}
        ):
            raise DeadEndError
        return bars

    def best_part(self, name: str, centre: int, first: list[Bar]) -> list[Bar]:
        """Compose a part until a draft has no fault; later parts may borrow from the first."""
        shape, borrows, made = draw(self.rng, SHAPES), self.rng.randrange(6), {}
        if first and borrows < 3 and shape[6] not in shape[:6]:
            made = {shape[6]: first[6], shape[7]: first[7]}
        if first and borrows == 3:
            made = {"a": shifted(first[0], self.rng.randrange(2, 5))}
        for _ in range(20):
            try:
                return self.part(
                    "turns" if first else "questions", shape, centre + 3 * (name == "B"), made
                )
            except DeadEndError:
                pass
        raise DeadEndError

    def lead(self, rhythm: str, bars: list[Bar], first: int | None = None) -> list[Token]:
        """Return a token that leads to the first of some bars: a pick-up, or a first ending's."""
        goal = pitches(bars)[0]
        height = goal - 1 if first is None else first
        return self.walk([Slot(rhythm, DOMINANTS[self.mode], height, first=first)], None, goal)


def spell(bar: Sequence[Token], key: Key, tonic: int) -> str:
    """Return a bar in ABC; a minor key's seventh is raised over the dominant, if no sixth is by."""
    words, raised = [], set()
    degrees = {(note % 7, chord) for _, notes, chord in bar for note in notes}
    leading = key.mode == "min" and not any(d == 5 or (d == 6 and c != 4) for d, c in degrees)
    for rhythm, notes, _ in bar:
        word = "(3" if rhythm == "ttt" else ""
        for length, note in zip(rhythm, notes, strict=True):
            letter = STAFF[note + tonic]
            if leading and note % 7 == 6 and letter not in raised:
                word += "=^"[key.signature()[letter.upper()] + 1]
                raised.add(letter)
            word += letter + {"1": "", "t": "", "s": "/", "d": "3/2"}.get(length, length)
        words.append(word)
    return " ".join(words)


def compose(rng: random.Random, dance: Dance) -> tuple[Key, str, tuple[Bar, ...]]:
    """Compose a tune; return its key, its body and the two bars that it is known by."""
    key = Key(*draw(rng, KEYS).split())
    home = pick(rng, HOMES[key.tonic].split())
    tonic, centre = STAFF.index(home[0]), int(home[1])
    pickup = draw(rng, dance.pickups).strip("-")
    rest = {"": 0, "1": 1, "ss": 1}.get(pickup, 2)
    favourites = Counter(draw(rng, FIGURES[size]) for size in (2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4))
    rhythms = [draw(rng, dance.bars), draw(rng, dance.bars)]
    span = range(LOWEST - tonic, HIGHEST - tonic + 1)
    composer = Composer(rng, key.mode, dance, span, rest, favourites, rhythms)
    form = draw(rng, FORMS)
    order = "".join(dict.fromkeys(form)) if form.startswith("AA") else form
    parts: dict[str, list[Bar]] = {}
    for name in sorted(set(form)):
        parts[name] = composer.best_part(name, centre, parts.get("A", []))
    lines = []
    for place, name in enumerate(order, 1):
        bars, repeated = parts[name], order != form
        words = [spell(bar, key, tonic) for bar in bars]
        end = ":|" if repeated else "||" if place < len(order) else "|]"
        if repeated and not pickup and rng.randrange(3) == 0:
            (*front, (rhythm, _, _)) = bars[7]
            first = spell([*front, *composer.lead(LEADS[rhythm], bars, 0)], key, tonic)
            words[6:] = [f"{words[6]}|1 {first}:|2 {words[7]}"]
            end = "||" if place < len(order) else "|]"
        start = [spell(composer.lead(pickup, bars), key, tonic)] if pickup else []
        lines += ["|:" * repeated + "|".join([*start, *words[:4], ""]), "|".join(words[4:]) + end]
    return key, "\n".join(lines), tuple(parts["A"][:2])


def entitle(rng: random.Random, dance: str) -> str:
    """Invent a title."""
    words = {kind: pick(rng, text.split()) for kind, text in WORDS.items()}
    return draw(rng, TITLES).format(**words, dance=dance.title())


def main() -> None:
    """Write the corpus to standard output: no title and no opening twice."""
    rng = random.Random(SEED)
    taken: set[object] = set()
    documents: list[str] = []
    while len(documents) < TUNES:
        name = draw(rng, PROGRAMME)
        title = entitle(rng, name)
        try:
            key, body, opening = compose(rng, DANCES[name])
        except DeadEndError:
            continue
        if not taken & {title, opening}:
            taken |= {title, opening}
            header = f"X:{len(documents) + 1}\nT:{title}\nR:{name}\nM:{DANCES[name].meter}\nL:1/8"
            documents.append(f"{header}\nK:{key}\n{body}\n")
    print("\n".join(documents), end="")


if __name__ == "__main__":
    main()
