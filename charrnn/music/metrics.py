"""Figures of tunes: are they well formed, like those of a corpus, and not copied from it?

Each figure is one entry of FIGURES. Some describe the tunes alone (do bars add up, do bars return);
others compare them with a corpus, usually the training tunes of the model that wrote them. No
figure is good just because it is high or low: compare with people's tunes that training held out,
measured in the same way.

All figures are of the tunes as written: each repeat once, ties joined, rests ignored.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import accumulate, chain, pairwise
from statistics import mean, median
from typing import NamedTuple

from charrnn.errors import CorpusError
from charrnn.music.ranges import range_of
from charrnn.music.structure import Close, answers, closes, restated
from charrnn.music.tune import Key, Tune

COPY_LENGTHS = (8, 12, 16)  # notes
MIN_COPY = 6  # notes; every corpus has shorter runs
MAX_INTERVAL = 12  # semitones; wider intervals count as octaves
_BETWEEN, _UNKNOWN = "\0", "\1"  # between two tunes; a step that no tune of the index has


Step = tuple[int, int, int]  # semitones, and a duration's numerator and denominator


class Tone(NamedTuple):
    """A note with its ties joined, and the key in force."""

    pitch: int
    duration: Fraction
    key: Key


def melody(tune: Tune) -> list[Tone]:
    """Return the notes as written: each repeat once, ties joined, rests ignored.

    >>> from charrnn.music.tune import Bar, Note
    >>> half = Note(60, Fraction(1, 2), tied=True)
    >>> [(tone.pitch, str(tone.duration)) for tone in melody(Tune((Bar((half,)), Bar((half,)))))]
    [(60, '1')]
    """
    tones: list[Tone] = []
    tied = False
    for bar, key in zip(tune.bars, tune.keys(), strict=True):
        for note in bar.notes:
            if note.pitch is not None:
                if tied and tones[-1].pitch == note.pitch:
                    last = tones.pop()
                    tones.append(Tone(last.pitch, last.duration + note.duration, last.key))
                else:
                    tones.append(Tone(note.pitch, note.duration, key))
            tied = note.tied and note.pitch is not None
    return tones


# ---- copies --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Match:
    """The longest run of notes that a tune shares with a corpus."""

    notes: int
    tune: int  # the index of the first tune of the corpus that has it
    title: str


class CopyIndex:
    """Finds runs of notes in tunes, in any transposition.

    A step is the interval from the note before, and the note's duration; n notes match n others if
    their n - 1 steps are equal. With each kind of step as a character, a tune is a string and a
    copy is a common substring.
    """

    def __init__(self, tunes: Sequence[Tune]) -> None:
        self._titles = [tune.title for tune in tunes]
        steps = [_steps(melody(tune)) for tune in tunes]
        kinds = dict.fromkeys(chain.from_iterable(steps))
        self._characters = {kind: chr(code) for code, kind in enumerate(kinds, start=2)}
        texts = [self._written(some) + _BETWEEN for some in steps]
        self._text = "".join(texts)
        self._borders = list(accumulate(map(len, texts)))
        # The places at which each run of MIN_COPY notes ends: the index of the step after it.
        self._places: dict[str, list[int]] = defaultdict(list)
        for end in range(MIN_COPY - 1, len(self._text)):
            self._places[self._text[end - MIN_COPY + 1 : end]].append(end)

    def matches(self, tones: Sequence[Tone]) -> list[int]:
        """Return for each note the length of the longest match that ends with it.

        Runs of fewer than MIN_COPY notes count as 0.
        """
        return [max(places.values(), default=0) for places in self._trace(tones)]

    def longest(self, tones: Sequence[Tone]) -> Match | None:
        """Return the longest match, the first of several; None below MIN_COPY notes."""
        best: Match | None = None
        for places in self._trace(tones):
            notes = max(places.values(), default=0)
            if places and (best is None or notes > best.notes):
                place = next(place for place, length in places.items() if length == notes)
                tune = bisect_left(self._borders, place)
                best = Match(notes, tune, self._titles[tune])
        return best

    def _trace(self, tones: Sequence[Tone]) -> Iterator[dict[int, int]]:
        """Yield for each note the places at which a match with it ends, and the match's length."""
        text = self._written(_steps(tones))
        places: dict[int, int] = {}
        for end in range(len(tones)):
            run = text[max(0, end - MIN_COPY + 1) : end]
            before, found = places, self._places.get(run, ())
            places = {place: before.get(place - 1, MIN_COPY - 1) + 1 for place in found}
            yield places

    def _written(self, steps: Iterable[Step]) -> str:
        return "".join([self._characters.get(step, _UNKNOWN) for step in steps])


def _steps(tones: Sequence[Tone]) -> list[Step]:
    """Return the step to each note but the first."""
    return [(b.pitch - a.pitch, *b.duration.as_integer_ratio()) for a, b in pairwise(tones)]


# ---- figures -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sample:
    """Tunes, the tunes to compare them with, and what several figures need, computed once."""

    tunes: Sequence[Tune]
    against: Sample | None = None

    @cached_property
    def melodies(self) -> list[list[Tone]]:
        """The notes of each tune."""
        return [melody(tune) for tune in self.tunes]

    @cached_property
    def closes(self) -> list[list[Close]]:
        """The closes of each tune that has notes."""
        return list(filter(None, map(closes, self.tunes)))

    @property
    def final(self) -> list[Close]:
        """The last close of each tune that has notes."""
        return [own[-1] for own in self.closes]

    @cached_property
    def counts(self) -> dict[str, Counter[Hashable]]:
        """The number of occurrences of each value of the FEATURES."""
        return {
            name: Counter(value for tones in self.melodies for value in feature(tones))
            for name, feature in FEATURES.items()
        }

    @cached_property
    def copies(self) -> CopyIndex:
        """The index of the tunes' runs of notes."""
        return CopyIndex(self.tunes)

    @cached_property
    def matches(self) -> list[list[int]]:
        """For each note, the length of the match with `against` that ends there; [] without it."""
        return [self.against.copies.matches(m) for m in self.melodies] if self.against else []


def full_bars(sample: Sample) -> float | None:
    """Return the share of bars that are not among `Tune.irregular_bars`."""
    irregular = sum(len(tune.irregular_bars()) for tune in sample.tunes)
    bars = sum(len(tune.bars) for tune in sample.tunes)
    return _share(bars - irregular, bars)


def repeated_bars(sample: Sample) -> float | None:
    """Return the share of bars with the same notes and rests as an earlier bar of the tune.

    Bars count as written, so that a repeat alone adds nothing.
    """
    bars = sum(len(tune.bars) for tune in sample.tunes)
    return _share(bars - sum(len({bar.notes for bar in t.bars}) for t in sample.tunes), bars)


def in_key(sample: Sample) -> float | None:
    """Return the share of notes in the scale of the key in force.

    The minor scale is the natural one: raised sixths and sevenths are outside.
    """
    tones = [tone for tones in sample.melodies for tone in tones]
    return _share(sum(tone.pitch % 12 in tone.key.scale() for tone in tones), len(tones))


def ends_on_tonic(sample: Sample) -> float | None:
    """Return the share of tunes whose last note is the tonic of its key, in any octave."""
    return _share_that(close.degree == 0 for close in sample.final)


def sections_on_tonic(sample: Sample) -> float | None:
    """Return the share of sections whose last note is the tonic of its key, in any octave."""
    return _share_that(close.degree == 0 for own in sample.closes for close in own)


def ends_with_cadence(sample: Sample) -> float | None:
    """Return the share of tunes that reach the tonic at the end by one of CADENCES."""
    return _share_that(close.cadence for close in sample.final)


def ends_on_strong_beat(sample: Sample) -> float | None:
    """Return the share of tunes whose last note begins on a strong beat."""
    return _share_that(close.strong for close in sample.final)


def ends_long(sample: Sample) -> float | None:
    """Return the share of tunes whose last note is at least as long as the corpus's median."""
    if sample.against is None or not sample.against.final:
        return None
    usual = median(close.duration for close in sample.against.final)
    return _share_that(close.duration >= usual for close in sample.final)


def within_range(sample: Sample) -> float | None:
    """Return the share of tunes without notes outside the range of the corpus."""
    if sample.against is None or (usual := range_of(sample.against.tunes)) is None:
        return None
    return _share_that(all(tone.pitch in usual for tone in tones) for tones in sample.melodies)


def second_like_first(sample: Sample) -> float | None:
    """Return the mean share of a second section's bars that the first section has, too."""
    shares = [share for share in map(restated, sample.tunes) if share is not None]
    return mean(shares) if shares else None


def halves_alike(sample: Sample) -> float | None:
    """Return the mean share of bars that are equal in both halves of a section."""
    shares = [share for tune in sample.tunes for share in answers(tune)]
    return mean(shares) if shares else None


def feature_distance(feature: str, sample: Sample) -> float | None:
    """Return the distance of a feature's distribution in the tunes from that in the corpus."""
    if sample.against is None:
        return None
    return distance(sample.counts[feature], sample.against.counts[feature])


def distance(p: Mapping[Hashable, int], q: Mapping[Hashable, int]) -> float | None:
    """Return the Jensen-Shannon distance between two distributions, given as counts.

    The square root of (D(p|m) + D(q|m)) / 2, where m = (p + q) / 2 and D is the relative entropy in
    bits: a metric from 0 (equal) to 1 (nothing in common). By chance alone, few notes are farther
    from a corpus than many. None if either has no counts.
    (D. Endres and J. Schindelin, A new metric for probability distributions, IEEE Transactions on
    Information Theory, 2003.)

    >>> distance({"a": 1}, {"b": 5}), distance({"a": 1, "b": 1}, {"a": 2, "b": 2})
    (1.0, 0.0)
    """
    P, Q = sum(p.values()), sum(q.values())
    if not P or not Q:
        return None
    divergence = 0.0
    for value in {**p, **q}:
        a, b = p.get(value, 0) / P, q.get(value, 0) / Q
        divergence += sum(x * math.log2(2 * x / (a + b)) for x in (a, b) if x) / 2
    return math.sqrt(min(1.0, max(0.0, divergence)))


def copied(length: int, sample: Sample) -> float | None:
    """Return the share of runs of `length` notes that occur in the corpus, in any transposition."""
    runs = sum(max(0, len(lengths) - length + 1) for lengths in sample.matches)
    return _share(sum(n >= length for lengths in sample.matches for n in lengths), runs)


def longest_copy(sample: Sample) -> float | None:
    """Return the length of the longest run that any tune shares with the corpus."""
    return max(map(_longest, sample.matches), default=None)


def usual_copy(sample: Sample) -> float | None:
    """Return the median over the tunes of the longest run that a tune shares with the corpus."""
    return median(map(_longest, sample.matches)) if sample.matches else None


def _longest(lengths: list[int]) -> int:
    return max(lengths, default=0)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _share_that(holds: Iterable[bool]) -> float | None:
    values = list(holds)
    return _share(sum(values), len(values))


def _degree(tone: Tone) -> int:
    return (tone.pitch - tone.key.pitch_class) % 12


def _intervals(tones: Sequence[Tone]) -> Iterable[int]:
    return (max(-MAX_INTERVAL, min(MAX_INTERVAL, b.pitch - a.pitch)) for a, b in pairwise(tones))


FEATURES: dict[str, Callable[[Sequence[Tone]], Iterable[Hashable]]] = {
    "degrees": partial(map, _degree),  # semitones above the tonic, 0 to 11
    "durations": lambda tones: (tone.duration.as_integer_ratio() for tone in tones),
    "intervals": _intervals,
}


@dataclass(frozen=True)
class Figure:
    """A figure's label and format in tables, and the function that measures it.

    The function returns None if there is nothing to measure: no bars, no notes or no corpus.
    """

    label: str
    format: str
    measure: Callable[[Sample], float | None]
    least: int = 0  # smaller values are not measured

    def shown(self, value: float | None) -> str:
        """Return a value of the figure for a table."""
        if value is None:
            return "-"
        return f"below {self.least}" if value < self.least else format(value, self.format)


SHARE, NUMBER = ".1%", ",.0f"
FIGURES = {
    "tunes": Figure("tunes", NUMBER, lambda sample: len(sample.tunes)),
    "notes": Figure("notes", NUMBER, lambda sample: sum(map(len, sample.melodies))),
    "full_bars": Figure("bars that add up", SHARE, full_bars),
    "repeated_bars": Figure("bars that repeat an earlier one", SHARE, repeated_bars),
    "in_key": Figure("notes in the key", SHARE, in_key),
    "ends_on_tonic": Figure("tunes that end on the tonic", SHARE, ends_on_tonic),
    "sections_on_tonic": Figure("sections that end on the tonic", SHARE, sections_on_tonic),
    "ends_with_cadence": Figure("tunes that end with a cadence", SHARE, ends_with_cadence),
    "ends_on_strong_beat": Figure("tunes that end on a strong beat", SHARE, ends_on_strong_beat),
    "ends_long": Figure("final notes at least as long as the median note", SHARE, ends_long),
    "within_range": Figure("tunes within the corpus's range", SHARE, within_range),
    "second_like_first": Figure("bars of section B that also occur in A", SHARE, second_like_first),
    "halves_alike": Figure("bars shared by a section's two halves", SHARE, halves_alike),
    **{
        f"{name}_distance": Figure(f"difference in {what}", ".3f", partial(feature_distance, name))
        for name, what in zip(FEATURES, ("scale degrees", "durations", "intervals"), strict=True)
    },
    **{
        f"copied_{n}": Figure(f"{n}-note runs copied from the corpus", SHARE, partial(copied, n))
        for n in COPY_LENGTHS
    },
    "usual_copy": Figure("longest copied run, median", NUMBER, usual_copy, MIN_COPY),
    "longest_copy": Figure("longest copied run, maximum", NUMBER, longest_copy, MIN_COPY),
}

Figures = dict[str, float | None]


@dataclass(frozen=True)
class TuneAssessment:
    """The title of a tune, facts in a player's words (facts.py), and its FIGURES."""

    title: str
    facts: Mapping[str, str]
    figures: Figures


@dataclass(frozen=True)
class Assessment:
    """The FIGURES of tunes and of held-out tunes by people, each tune's longest match, and, if
    requested, what can be said of each tune.

    The figures of the held-out tunes are means over `groups` of about as many tunes.
    """

    figures: Figures
    held_out: Figures | None
    longest: list[Match | None]
    groups: int = 0
    each: Sequence[TuneAssessment] = ()


def assess(
    tunes: Sequence[Tune],
    against: Sequence[Tune] | Sample | None = None,
    held_out: Sequence[Tune] | None = None,
) -> Assessment:
    """Measure `tunes`, and compare them with the tunes `against` which they may be copies.

    The `held_out` tunes are measured in groups of about as many as `tunes`, and their figures are
    the means over the groups: few tunes are farther from a corpus than many.

    Raises CorpusError if `tunes`, or one of the others where given, is empty.
    """
    corpus = against if isinstance(against, Sample | None) else Sample(against)
    others = corpus.tunes if corpus else None
    given = {"to assess": tunes, "to compare with": others, "held out": held_out}
    for what, some in given.items():
        if some is not None and not some:
            raise CorpusError(f"no tunes {what}; pass at least one")
    sample = Sample(tunes, corpus)
    groups = max(1, len(held_out) // len(tunes)) if held_out else 0
    return Assessment(
        measure(sample),
        _mean_of_groups(held_out, groups, corpus) if held_out else None,
        [corpus.copies.longest(tones) for tones in sample.melodies] if corpus else [],
        groups,
    )


def measure(sample: Sample) -> Figures:
    """Return the FIGURES of a sample."""
    return {name: figure.measure(sample) for name, figure in FIGURES.items()}


def _mean_of_groups(tunes: Sequence[Tune], groups: int, corpus: Sample | None) -> Figures:
    """Return the mean of each figure over groups of about as many tunes."""
    measured = [measure(Sample(tunes[n::groups], corpus)) for n in range(groups)]
    means: Figures = {}
    for name in FIGURES:
        values = [value for figures in measured if (value := figures[name]) is not None]
        means[name] = mean(values) if values else None
    return means


def table(assessment: Assessment) -> str:
    """Return a line for each figure: the tunes, and beside them the held-out tunes; then notes."""
    columns, groups = {"your tunes": assessment.figures}, assessment.groups
    if assessment.held_out is not None:
        columns["held out*" if groups > 1 else "held out"] = assessment.held_out
    lines = [["", *columns]]
    for name, figure in FIGURES.items():
        values = [column[name] for column in columns.values()]
        if any(value is not None for value in values):
            lines.append([figure.label, *map(figure.shown, values)])
    width = max(len(line[0]) for line in lines)
    rows = [line[0].ljust(width) + "".join(cell.rjust(11) for cell in line[1:]) for line in lines]
    if assessment.figures["intervals_distance"] is not None:
        rows.append("differences range from 0 (identical distributions) to 1 (nothing in common)")
    if assessment.held_out is not None and groups > 1:
        tunes = round(groups * (assessment.held_out["tunes"] or 0))
        size = f"{tunes // groups}{f' or {tunes // groups + 1}' if tunes % groups else ''}"
        rows.append(f"* mean of {groups} groups of {size} of the {tunes:,} held-out tunes")
    return "\n".join(rows)
