"""The lines of the header that an alphabet can write."""

import pytest

from charrnn.errors import ConfigError
from charrnn.music.grammar.header import KEYS, METERS, key_lines, meter_lines, title_words
from charrnn.music.grammar.words import Alphabet, bitset
from charrnn.music.tune import Key

ALL = Alphabet("\n/0123456789:#KM|ABCDEFGabcdefghijlmnoprxy")
EVERYTHING = bitset(range(65))


def test_all_keys_with_up_to_seven_accidentals_are_known():
    assert len(set(KEYS)) == 7 * 15
    assert {key.sharps for key in KEYS} == set(range(-7, 8))


def test_an_open_meter_may_be_any_that_can_be_written_and_filled():
    assert tuple(meter_lines(ALL, EVERYTHING, None).values()) == METERS
    assert meter_lines(Alphabet("M:/234\n"), EVERYTHING, (3, 4)) == {"M:3/4\n": (3, 4)}
    no_eighths = Alphabet("M:/234\n")
    assert {unit for _, unit in meter_lines(no_eighths, EVERYTHING, None).values()} == {2, 4}
    only_24_ticks = bitset([0, 24])
    assert set(meter_lines(ALL, only_24_ticks, None).values()) == {(3, 4), (6, 8)}


@pytest.mark.parametrize("meter", [(4, 3), (0, 4), (9, 4), (-3, 4)])
def test_meters_out_of_range_are_errors(meter):
    with pytest.raises(ConfigError, match=f"meter must be .* got '{meter[0]}/{meter[1]}'"):
        meter_lines(ALL, EVERYTHING, meter)


def test_a_meter_whose_bars_no_notes_fill_is_an_error():
    with pytest.raises(ConfigError, match="cannot fill a bar: the alphabet lacks '4'"):
        meter_lines(Alphabet("M:/68\n"), bitset([0]), (6, 8))


def test_a_key_line_has_the_opening_of_the_first_section():
    d = Key("D")
    lines = key_lines(ALL, d, ["once", "repeated"])
    assert lines == {"K:Dmaj\n": (d, "once"), "K:Dmaj\n|:": (d, "repeated")}
    assert list(key_lines(ALL, d, ["repeated"])) == ["K:Dmaj\n|:"]
    assert len(key_lines(ALL, None, ["once"])) == len(KEYS)
    without_sharps = Alphabet(ALL.characters.replace("#", ""))
    assert Key("F#") not in {key for key, _ in key_lines(without_sharps, None, ["once"]).values()}
    with pytest.raises(ConfigError, match="cannot write the key K:F#maj"):
        key_lines(without_sharps, Key("F#"), ["once"])


def test_a_title_has_single_spaces_and_a_backslash_before_a_percent_sign():
    words = title_words(Alphabet("TA% \\"))
    assert set(words) == {
        *("T", " T", "\\T", " \\T"),
        *("A", " A", "\\A", " \\A"),
        *("\\%", " \\%"),
    }


@pytest.mark.parametrize("characters", ["Aa", "|:"])
def test_no_titles_if_the_alphabet_cannot_write_them(characters):
    assert title_words(Alphabet(characters)) == []
