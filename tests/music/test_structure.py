"""Closes of sections, and how sections repeat one another, by hand on short tunes."""

from fractions import Fraction

import pytest

from charrnn.music.abc_parser import read_abc
from charrnn.music.structure import Close, answers, closes, is_strong, pickups_of, restated


def read(music, meter="2/4", key="C"):
    (tune,) = read_abc(f"X:1\nM:{meter}\nL:1/8\nK:{key}\n{music}\n").tunes
    return tune


def test_each_section_has_a_close():
    first, last = closes(read("|:c4|d2B2::G4|d2cc|]"))
    assert first == Close(degree=11, before=2, duration=Fraction(1, 4), strong=True)
    assert last == Close(degree=0, before=2, duration=Fraction(1, 8), strong=False)


def test_tied_notes_are_one_close():
    (close,) = closes(read("G4|d2c2-|c4|]"))
    assert (close.degree, close.duration, close.strong) == (0, Fraction(3, 4), True)


def test_a_section_closes_with_its_second_ending():
    assert [close.degree for close in closes(read("|:c4|1d4:|2c4|]"))] == [0]


def test_degrees_are_those_of_the_key_in_force():
    assert closes(read("d4|[K:G]a2g2|]"))[0][:2] == (0, 2)


@pytest.mark.parametrize(
    ("music", "expected"),
    [("dc", True), ("Bc", True), ("Gc", True), ("ec", False), ("dB", False), ("dcc", True)],
)
def test_cadences_reach_the_tonic_from_the_second_fifth_or_seventh(music, expected):
    assert closes(read(f"e4|{music}|]"))[0].cadence is expected


@pytest.mark.parametrize(
    ("meter", "strong"),
    [((4, 4), [0, 4]), ((6, 8), [0, 3]), ((3, 4), [0]), ((9, 8), [0, 3, 6]), ((5, 8), [0])],
    ids=str,
)
def test_strong_beats(meter, strong):
    eighths = range(8 * meter[0] // meter[1])
    assert [n for n in eighths if is_strong(Fraction(n, 8), meter)] == strong


def test_a_second_section_may_restate_the_first():
    assert restated(read("|:c4|d4::c4|e4|d4|f4:|")) == 2 / 4
    assert restated(read("|:c4|d4:|")) is None


def test_the_halves_of_a_section_may_answer_each_other():
    assert answers(read("|:c4|d4|c4|e4::c4|d4:|")) == [1 / 2]
    assert answers(read("|:G|c4|d4|c4|1e3:|2f3|]")) == [1 / 2]


def test_a_pick_up_is_a_short_bar_that_begins_a_section():
    assert pickups_of(read("G|c4|d3|]")) == [0]
    assert pickups_of(read("|:c4|d3::G|c4|d3:|")) == [2]
    assert pickups_of(read("c4|d3|]")) == []
    assert pickups_of(read("G|:c4|d3:|")) == [0]
