"""Ranges: of instruments, between two pitches, and of a corpus."""

from fractions import Fraction

import pytest

from charrnn.errors import ConfigError
from charrnn.music.ranges import INSTRUMENTS, name_of, parse_pitch, parse_range, range_of
from charrnn.music.tune import Bar, Note, Tune


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_an_instrument_has_a_range(name):
    assert parse_range(name) == INSTRUMENTS[name]


@pytest.mark.parametrize("text", ["", "kazoo", "D4", "D4-X5", "D4-B5-C6", "4-5", "-", "D4-"])
def test_other_text_is_an_error(text):
    with pytest.raises(ConfigError, match=r"pitches must be one of fiddle, .*, or two pitches"):
        parse_range(text)


@pytest.mark.parametrize("text", ["B5-D4", "D4-D4"])
def test_the_lower_pitch_comes_first(text):
    with pytest.raises(ConfigError, match=f"pitches must give the lower pitch first; got '{text}'"):
        parse_range(text)


@pytest.mark.parametrize("pitch", range(12, 120))
def test_a_pitch_is_read_as_it_is_named(pitch):
    assert parse_pitch(name_of(pitch)) == pitch


def test_the_range_of_a_corpus_omits_the_rarest_pitches_at_both_ends():
    def tune(*pitches):
        return Tune((Bar(tuple(Note(pitch, Fraction(1, 8)) for pitch in pitches)),))

    assert range_of([tune(60, 72)]) == range(60, 73)
    assert range_of([tune(*[62] * 99, *[74] * 99), tune(40, 100)]) == range(62, 75)
    assert range_of([tune(None)]) is None
