"""How a tune is played: order, times, accents and swing."""

from fractions import Fraction

import pytest

from charrnn.errors import ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.performance import BEAT, DOWNBEAT, STRONG, WEAK, Style, performance
from charrnn.music.tune import Bar, Note, Tune
from tests.music.test_piano_roll import DOTTED, EIGHTH, JIG, QUARTER

WHOLE = Fraction(1)


def tune(music, meter="4/4"):
    return read_abc(f"X:1\nM:{meter}\nL:1/8\nK:C\n{music}\n").tunes[0]


def starts(music, swing, meter="4/4"):
    return [note.start for note in performance(tune(music, meter), Style(swing))]


def test_a_performance_follows_repeats_and_endings():
    played = performance(JIG)
    assert [note.number for note in played] == [*range(9), *range(7), 9]


def test_the_first_of_tied_notes_sounds():
    tied = Tune((Bar((Note(60, EIGHTH, tied=True),)), Bar((Note(60, QUARTER),))))
    assert [(note.start, note.sounds) for note in performance(tied)] == [(0, DOTTED), (EIGHTH, 0)]


def test_a_performance_sounds_like_the_tune_s_events():
    played = [(note.pitch, note.start, note.sounds) for note in performance(JIG) if note.sounds]
    assert played == [(event.pitch, event.start, event.duration) for event in JIG.events()]


# ---- accents -------------------------------------------------------------------------------------


def velocities(music, meter):
    return [note.velocity for note in performance(tune(music, meter))]


@pytest.mark.parametrize(
    ("music", "meter", "expected"),
    [
        ("C2D2E2F2|", "4/4", [DOWNBEAT, BEAT, STRONG, BEAT]),
        ("CDEFGA|", "6/8", [DOWNBEAT, WEAK, WEAK, STRONG, WEAK, WEAK]),
        ("C2DEF2|", "3/4", [DOWNBEAT, BEAT, WEAK, BEAT]),
        ("C|D8|", "4/4", [WEAK, DOWNBEAT]),
        ("C2|D8|", "4/4", [BEAT, DOWNBEAT]),
    ],
)
def test_strong_beats_are_louder(music, meter, expected):
    louder = [found - base for found, base in zip(velocities(music, meter), expected, strict=True)]
    assert all(0 <= more <= 8 for more in louder)
    assert louder == sorted(louder), "the phrase swells in its first half"
    assert louder[-1] < BEAT - WEAK, "less than a beat is louder than no beat"


def test_a_phrase_of_four_bars_swells_and_fades():
    bars = velocities("C|" + "D8|" * 8 + "|:" + "D8|" * 4, "4/4")[1:]
    assert bars[:4] == bars[4:8] == bars[8:]
    assert bars[0] < bars[1] < bars[2] > bars[3] == bars[1]


def test_both_endings_have_the_same_place_in_the_phrase():
    first, second = "D8|" * 3 + "|1 D8:|", "|2 D8|"
    played = velocities(f"|:{first}{second}", "4/4")
    assert played[:4] == played[4:]


# ---- swing ---------------------------------------------------------------------------------------


def test_the_first_eighth_of_a_quarter_is_longer():
    long, short = Fraction(3, 20), Fraction(1, 10)
    assert starts("CDEF G4|A8|", 1.5) == [0, long, QUARTER, QUARTER + long, WHOLE / 2, WHOLE]
    played = performance(tune("CDEF G4|"), Style(1.5))
    assert [note.sounds for note in played[:4]] == [long, short, long, short]


def test_sixteenths_swing_with_their_eighth_and_triplets_stay_even():
    assert starts("C/D/E F2 (3GAB c2|", 1.5)[:3] == [0, Fraction(3, 40), Fraction(3, 20)]
    even = performance(tune("C/D/E F2 (3GAB c2|"))
    assert starts("C/D/E F2 (3GAB c2|", 1.5)[3:] == [note.start for note in even][3:]


@pytest.mark.parametrize("meter", ["6/8", "3/8", "none"])
def test_other_meters_do_not_swing(meter):
    assert starts("CDEFGA|", 2, meter) == [number * EIGHTH for number in range(6)]


def test_pick_ups_swing_as_the_end_of_a_bar():
    """The short bar before a pick-up ends where the pick-up begins, a swung eighth before a bar."""
    played = performance(tune("C|CDEF GAB:|"), Style(1.5))
    assert [note.start for note in played][:2] == [Fraction(1, 40), EIGHTH]
    assert [note.start + note.sounds for note in played[:-1]] == [n.start for n in played[1:]]


def test_no_note_ends_before_it_begins():
    for music in ("C7|D7|", "CDEFGA/A/B/B/|C7|", "C//D//E//F//G//A//B//|c8|", "C13|D3/C3/E5|"):
        played = performance(tune(music), Style(2.5))
        assert all(note.sounds >= 0 <= note.duration for note in played)
        assert [note.start for note in played] == sorted(note.start for note in played)


def test_even_is_exactly_as_written():
    assert performance(JIG, Style(1)) == performance(JIG)


@pytest.mark.parametrize("swing", [0.5, 2.51, float("nan"), float("inf")])
def test_swing_out_of_range_is_an_error(swing):
    with pytest.raises(ConfigError, match=r"swing must be between 1 and 2\.5, got"):
        Style(swing)


def test_swing_must_be_a_number():
    with pytest.raises(TypeError, match="swing must be a number, got '2'"):
        Style("2")
