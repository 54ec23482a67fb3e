"""The preference for bars of earlier phrases: which characters get a bonus."""

import random

import numpy as np
import pytest

from charrnn.inference.constraint import Biased, read
from charrnn.music.abc_parser import read_abc
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import Sample, repeated_bars
from charrnn.music.repetition import EARLIER, SAME, Refrain

ALPHABET = "\n/12345678:ABCDEFGKM|]abcdefgjmz-("
HEADER = "M:2/4\nK:Cmaj\n"


def bonuses(text, countdown=False):
    """Return the bonus of each character that has one after `text`."""
    alphabet = ALPHABET + "HIJKLMNOPQhijklmnopq" * countdown
    alphabet = "".join(sorted(set(alphabet)))
    refrain = Refrain(tune_grammar(alphabet, countdown=countdown))
    assert isinstance(refrain, Biased)
    bias = refrain.bias(read(refrain, HEADER + text))
    return {character: bonus for character, bonus in zip(alphabet, bias, strict=True) if bonus}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c4|d4|e4|", ""),  # there is no bar a phrase back
        ("c4|d4|e4|f4|", "c"),
        ("c4|d4|e4|f4|c", "4"),
        ("c4|d4|e4|f4|c4", ""),  # the rest is up to the grammar
        ("c4|d4|e4|f4|d", ""),  # it begins differently
        ("c4|d4|e4|f4|c4|", "d"),
        ("c4|d4|e4|f4|g4|d4|e4|f4|", "cg"),  # one phrase back, and two
        ("c2|d4|e4|f4|g4|", "d"),  # a pick-up does not count
        ("|:c4|d4|e4|f4::", "c"),  # with any bar lines
        ("c4|d4||e4|f4||", "c"),
        ("|:c4|d4|e4|1f4:|2", ""),  # a second ending replaces the first
        ("|:c4|d4|e4|1f4:|2g4||", "c"),
        ("c4|d4|e4|f4|]\n\nM:2/4\nK:Cmaj\n", ""),  # another tune
    ],
)
def test_bars_one_or_more_phrases_back_are_favored(text, expected):
    assert set(bonuses(text)) == set(expected)


def test_bars_of_the_same_section_are_favored_more():
    section = "|:c4|d4|e4|f4|"
    assert bonuses(section) == {"c": SAME}
    assert bonuses(section.removesuffix("|") + "::") == {"c": EARLIER}
    assert bonuses("|:c4|d4|e4|1f4:|2") == {}
    assert bonuses("|:c4|d4|e4|1f4:|2g4|") == {"c": SAME}


def test_in_a_countdown_the_last_bar_of_a_section_may_repeat_only_last_bars():
    section = "|:mc4|ld4|ke4|jf4"
    assert bonuses(section + "::nc4|md4|le4|kf4|j", countdown=True) == {"f": EARLIER}
    assert bonuses(section + "::MA4|LB4|KA4|J", countdown=True) == {"f": EARLIER}


def test_the_grammar_decides_what_is_allowed():
    grammar = tune_grammar(ALPHABET)
    refrain = Refrain(grammar)
    text = HEADER + "c4|d4|e4|f4|c"
    theirs, ours = grammar.allowed(read(grammar, text)), refrain.allowed(read(refrain, text))
    assert np.array_equal(ours, theirs)


def test_random_tunes_repeat_bars():
    shares = []
    for bonus in (0.0, 20.0):
        refrain = Refrain(tune_grammar(ALPHABET, meter=(2, 4), bars=24), bonus, bonus)
        rng = random.Random(0)
        state, text = refrain.start, ""
        while not text.endswith("\n\n"):
            weights = refrain.allowed(state) * np.exp(refrain.bias(state))
            text += rng.choices(refrain.alphabet, weights)[0]
            state = refrain.advance(state, text[-1])
        (tune,) = read_abc(text).tunes
        assert not tune.irregular_bars()
        shares.append(repeated_bars(Sample([tune])))
    assert shares[0] < 0.1 < 0.3 < shares[1]
