"""Figures computed by hand on tunes of a few notes; copies against a naive search."""

import json
import math
import os
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import CorpusError
from charrnn.music.abc_parser import read_abc
from charrnn.music.metrics import (
    FIGURES,
    MIN_COPY,
    CopyIndex,
    Figure,
    assess,
    distance,
    melody,
    table,
)
from charrnn.music.tune import Bar, Key, Note, Tune
from tests.helpers import needs_data

QUARTER, EIGHTH = Fraction(1, 4), Fraction(1, 8)
D_MAJOR = Key("D")
# A melody that nowhere returns to what it said, to be copied.
PITCHES = [62, 64, 67, 66, 64, 69, 71, 67, 74, 73, 69, 71, 76, 74, 67, 64, 62, 66, 69, 62]


def bar(*pitches, duration=QUARTER, **marks):
    return Bar(tuple(Note(pitch, duration) for pitch in pitches), **marks)


def tune(pitches, title="", key=D_MAJOR, duration=QUARTER):
    bars = [bar(*pitches[at : at + 4], duration=duration) for at in range(0, len(pitches), 4)]
    return Tune(tuple(bars), key, (4, 4), title)


def random_tunes(count, seed, notes=40):
    """Draw tunes with few kinds of steps, so that they share runs of many lengths."""
    rng = np.random.default_rng(seed)
    walks = 60 + np.cumsum(rng.choice([-2, 1, 2], (count, notes)), axis=1)
    return [tune([int(pitch) for pitch in walk], f"walk {n}") for n, walk in enumerate(walks)]


def figure(name, *tunes, against=None):
    return assess(tunes, against).figures[name]


def test_a_melody_is_the_written_notes_with_ties_joined_and_without_rests():
    tied = Note(60, QUARTER, tied=True)
    bars = (
        Bar((tied, tied), opens=True),
        Bar((Note(60, EIGHTH), Note(None, EIGHTH), Note(60, QUARTER)), repeats=True),
        Bar((Note(62, QUARTER, tied=True), Note(64, QUARTER)), key=Key("G")),
    )
    assert melody(Tune(bars)) == [
        (60, Fraction(5, 8), Key("C")),
        (60, QUARTER, Key("C")),
        (62, QUARTER, Key("G")),
        (64, QUARTER, Key("G")),
    ]


def test_bars_repeat_with_the_same_pitches_and_durations_in_the_same_tune():
    a, b = bar(60, 62), bar(60, 62, duration=EIGHTH)
    assert figure("repeated_bars", Tune((a, b, a, a))) == 2 / 4
    assert figure("repeated_bars", Tune((a,)), Tune((a,))) == 0
    assert figure("repeated_bars", Tune((bar(60, 62, opens=True), a))) == 1 / 2


def test_bars_that_add_up():
    short, full = bar(60), bar(60, 62, 64, 65)
    assert figure("full_bars", Tune((full, full, full, full))) == 1
    assert figure("full_bars", Tune((full, short, full, full))) == 3 / 4


def test_notes_count_as_in_the_key_in_force():
    bars = (bar(66, 65), bar(66, 65, key=Key("F")))
    assert figure("in_key", Tune(bars, Key("G"))) == 2 / 4
    assert figure("in_key", Tune((bar(66, 66, 66, 65),), Key("E", "dor"))) == 3 / 4


def test_a_tune_ends_on_the_tonic_of_the_key_in_force_in_any_octave():
    ends = Tune((bar(69), bar(79, None, key=Key("G"))), Key("D"))
    assert figure("ends_on_tonic", ends) == 1
    assert figure("ends_on_tonic", ends, tune([62, 64])) == 1 / 2


def test_the_jensen_shannon_distance():
    half = {"a": 1, "b": 1}
    divergence = (math.log2(1 / 0.75) + 0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(2)) / 2
    assert distance({"a": 7}, half) == pytest.approx(math.sqrt(divergence), abs=1e-15)
    assert distance(half, {"a": 7}) == distance({"a": 7}, half)
    assert distance(half, {"b": 3, "a": 3}) == 0
    assert distance(half, {"c": 5}) == 1
    assert distance({}, half) is None


def test_distances_do_not_depend_on_the_key():
    moved = [tune(PITCHES, key=Key("D")).transposed(5)]
    figures = assess(moved, [tune(PITCHES)]).figures
    names = ["degrees_distance", "durations_distance", "intervals_distance"]
    assert [figures[name] for name in names] == [0, 0, 0]
    assert figure("degrees_distance", tune(PITCHES, key=Key("A")), against=[tune(PITCHES)]) > 0.1
    slow = tune(PITCHES, duration=Fraction(1, 2))
    assert figure("durations_distance", slow, against=[tune(PITCHES)]) == 1
    assert figure("intervals_distance", tune([60, 60]), against=[tune([60, 61])]) == 1


def test_intervals_beyond_an_octave_count_with_it():
    assert figure("intervals_distance", tune([60, 72]), against=[tune([60, 76])]) == 0
    assert figure("intervals_distance", tune([72, 60]), against=[tune([76, 60])]) == 0


@pytest.mark.parametrize("semitones", [0, 5, -7])
def test_a_planted_copy_is_caught(semitones):
    corpus = [*random_tunes(20, seed=1), tune(PITCHES, "The Original"), *random_tunes(20, seed=2)]
    copy = tune([50, 50, 50, *PITCHES[2:18], 50, 50, 50]).transposed(semitones)
    assessment = assess([copy, random_tunes(1, seed=3)[0]], corpus)
    assert asdict(assessment.longest[0]) == {"notes": 16, "tune": 20, "title": "The Original"}
    assert assessment.figures["longest_copy"] == 16
    assert assessment.longest[1].title != "The Original"


def test_rests_and_ties_do_not_hide_a_copy_but_durations_must_match():
    index = CopyIndex([tune(PITCHES)])
    half = [Note(p, EIGHTH, tied) for p in PITCHES for tied in (True, False)]
    assert index.longest(melody(Tune((Bar(tuple(half)),)))).notes == 20
    rests = [Note(p, QUARTER) for pitch in PITCHES for p in (pitch, None)]
    assert index.longest(melody(Tune((Bar(tuple(rests)),)))).notes == 20
    assert index.longest(melody(tune(PITCHES, duration=EIGHTH))) is None


def test_no_copy_runs_from_one_tune_into_the_next():
    index = CopyIndex([tune(PITCHES[:10]), tune(PITCHES[10:])])
    assert index.matches(melody(tune(PITCHES)))[9:] == [10, *[0] * 5, 6, 7, 8, 9, 10]
    assert index.longest(melody(tune(PITCHES))).tune == 0


def test_matches_equal_a_naive_search():
    corpus, (new,) = random_tunes(30, seed=4), random_tunes(1, seed=5, notes=120)

    def steps(tones):
        return [(b.pitch - a.pitch, b.duration) for a, b in pairwise(tones)]

    known = [steps(melody(tune)) for tune in corpus]
    runs = {tuple(s[a:b]) for s in known for a in range(len(s)) for b in range(a + 1, len(s) + 1)}
    query = steps(melody(new))
    naive = [0]
    for end in range(1, len(query) + 1):
        found = [end - a + 1 for a in range(end) if tuple(query[a:end]) in runs]
        longest = max(found, default=0)
        naive.append(longest if longest >= MIN_COPY else 0)
    assert CopyIndex(corpus).matches(melody(new)) == naive
    assert len(set(naive)) > 3


def test_shares_of_copied_runs():
    figures = assess([tune([*PITCHES[:10], 50, 50])], [tune(PITCHES)]).figures
    assert figures["copied_8"] == 3 / 5
    assert figures["copied_12"] == 0
    assert figures["copied_16"] is None  # the tune has no 16 notes


DEGENERATE = {
    "no bars": Tune(()),
    "an empty bar": Tune((Bar(()),)),
    "rests": Tune((bar(None, None), bar(None))),
    "a tied rest": Tune((Bar((Note(None, QUARTER, tied=True), Note(60, QUARTER))),)),
    "one note": Tune((bar(60),)),
    "free, without a key change": Tune((bar(60, 62), bar(64)), meter=None),
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("other", [None, *DEGENERATE])
def test_degenerate_tunes_have_figures(name, other):
    others = None if other is None else [DEGENERATE[other]]
    assessment = assess([DEGENERATE[name]], others, others)
    values = [value for value in assessment.figures.values() if value is not None]
    assert all(math.isfinite(value) for value in values)
    assert json.loads(json.dumps(asdict(assessment), allow_nan=False))
    assert "nan" not in table(assessment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no tunes to assess; pass"),
        (([Tune(())], []), "no tunes to compare with; pass"),
        (([Tune(())], None, []), "no tunes held out; pass"),
    ],
)
def test_no_tunes_are_an_error(arguments, message):
    with pytest.raises(CorpusError, match=message):
        assess(*arguments)


def test_held_out_tunes_are_measured_in_groups_as_large_as_the_tunes():
    corpus, held_out = random_tunes(50, seed=6), random_tunes(9, seed=7)
    three = assess(held_out[:3], corpus, held_out)
    assert three.held_out["tunes"] == 3
    groups = [assess(held_out[n::3], corpus).figures["degrees_distance"] for n in range(3)]
    assert three.held_out["degrees_distance"] == pytest.approx(np.mean(groups))
    all_of_them = assess(held_out * 2, corpus, held_out)
    assert all_of_them.held_out == assess(held_out, corpus).figures


def test_the_table_shows_what_was_measured(monkeypatch):
    monkeypatch.setitem(FIGURES, "highest", Figure("highest note", ".0f", lambda _: 71.0))
    alone = table(assess([tune(PITCHES)])).splitlines()
    assert alone[0].split() == ["your", "tunes"]
    assert alone[-1].split() == ["highest", "note", "71"]
    assert not any("corpus" in line for line in alone)
    beside = table(assess([tune(PITCHES)], [tune(PITCHES)], [tune([60])])).splitlines()
    assert beside[0].split() == ["your", "tunes", "held", "out"]
    measured = [name for name in FIGURES if name not in ("second_like_first", "halves_alike")]
    assert len(beside) == 1 + len(measured) + 1
    assert beside[-1].startswith("differences range from 0")
    assert beside[-3].split() == ["longest", "copied", "run,", "maximum", "20", "below", "6"]
    copies = next(line for line in beside if "16-note runs" in line)
    assert copies.split()[-2:] == ["100.0%", "-"]


@pytest.mark.parametrize(
    ("held_out", "note"),
    [
        (8, "* mean of 4 groups of 2 of the 8 held-out tunes"),
        (9, "* mean of 4 groups of 2 or 3 of the 9 held-out tunes"),
    ],
)
def test_the_table_says_over_which_tunes_the_figures_are_means(held_out, note):
    tunes = random_tunes(2, seed=8)
    lines = table(assess(tunes, tunes, random_tunes(held_out, seed=9))).splitlines()
    assert lines[0].split() == ["your", "tunes", "held", "out*"]
    assert lines[-1] == note


@needs_data
def test_people_s_tunes():
    text = (Path(os.environ["CHARRNN_DATA"]) / "irish.abc").read_text("utf-8")
    tunes = list({tune.fingerprint(): tune for tune in read_abc(text).tunes}.values())
    held_out, corpus = tunes[::10], [tune for n, tune in enumerate(tunes) if n % 10]
    assessment = assess([*held_out, corpus[300].transposed(-4)], corpus)
    figures = assessment.figures
    assert figures["full_bars"] > 0.98
    assert 0.25 < figures["repeated_bars"] < 0.35
    assert figures["in_key"] > 0.98
    assert all(figures[f"{name}_distance"] < 0.1 for name in ("degrees", "durations", "intervals"))
    assert figures["copied_12"] < 0.1
    assert figures["usual_copy"] < 16
    assert assessment.longest[-1].title == corpus[300].title
    assert assessment.longest[-1].notes == len(melody(corpus[300]))
