"""Bars drawn to fill gaps in a tune."""

from fractions import Fraction

import pytest

from charrnn.errors import ConfigError
from charrnn.inference.constraint import read
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.grammar.gaps import Gap, gap_grammar
from charrnn.music.tune import Key
from tests.music.grammar.walks import ALPHABET, walk

BEFORE = "M:4/4\nK:Cmaj\n^c8-|"


@pytest.mark.parametrize("seed", range(20))
def test_bars_are_filled_as_their_gaps_say(seed):
    gaps = [
        Gap(Fraction(1), Key(), "|", held=73),
        Gap(Fraction(3, 8), Key(), "|[K:Fmaj]"),
        Gap(Fraction(1, 8), Key("F"), "|\n\n"),
    ]
    text = walk(gap_grammar(ALPHABET, BEFORE, gaps), seed)
    bars = read_abc(text).tunes[0].bars
    assert bars[1].notes[0].pitch == 73
    assert [bar.duration for bar in bars[1:]] == [gap.duration for gap in gaps]
    assert bars[3].key == Key("F")
    assert not bars[3].notes[-1].tied
    assert canonical(read_abc(text).tunes[0]).rstrip("|]\n") == text.rstrip("|\n")


@pytest.mark.parametrize(
    ("gap", "alphabet", "message"),
    [
        (Gap(Fraction(1, 3), Key(), "|"), ALPHABET, "cannot fill a bar of 1/3 whole notes"),
        (Gap(Fraction(3), Key(), "|"), ALPHABET, "cannot fill a bar of 3 whole notes"),
        (
            Gap(Fraction(1), Key(), "|", 73),
            ALPHABET.replace("^", ""),
            "the alphabet lacks the tied note",
        ),
    ],
)
def test_a_gap_that_cannot_be_filled_is_an_error(gap, alphabet, message):
    with pytest.raises(ConfigError, match=message):
        gap_grammar(alphabet, "M:4/4\nK:Cmaj\n", [gap])


def test_the_text_before_the_gaps_comes_first_and_may_be_anything():
    grammar = gap_grammar("\nMx|c4", "4xM", [Gap(Fraction(1, 2), Key(), "|\n\n")])
    text = walk(grammar, 1)
    assert text in ("4xMc4|\n\n", "4xMcccc|\n\n")
    assert read(grammar, text + text).place == 0


def test_a_note_may_be_tied_into_the_next_gap():
    gaps = [Gap(Fraction(1, 2), Key(), line) for line in ("|", "|\n\n")]
    grammar = gap_grammar("\n|ce4-", "", gaps)
    state = read(grammar, "c4-|")
    assert [c for c, may in zip("\n|ce4-", grammar.allowed(state), strict=True) if may] == ["c"]
    assert [*grammar.allowed(read(grammar, "c4-|c4"))] == [c == "|" for c in "\n|ce4-"]
