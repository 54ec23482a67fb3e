"""One bar: rhythm and tone together, character by character."""

import pytest

from charrnn.errors import ConfigError
from charrnn.music.grammar.bar import BarGrammar
from charrnn.music.grammar.words import Alphabet, Pitch
from charrnn.music.tune import Key

BAR = (("|", 1 << 16), ("|]", 1 << 16))  # c4, and a plain or a final bar line


def grammar():
    return BarGrammar(Alphabet("(/2346ABcz^=_-|]"))


def read(bars, text, **options):
    state = bars.begin(BAR, Key(), **options)
    for character in text:
        assert character in following(bars, state)[0]
        state = bars.advance(state, character)
    return state


def following(bars, state):
    bits = bars.alphabet.bits.items()
    return "".join(c for c, bit in bits if state.following & bit), state.ended


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "(ABcz^_"),
        ("^", "c"),  # of the letters, C major sharpens c
        ("c", "/234-" + "(ABcz^_"),  # a length, a tie or the next word
        ("c2", "-" + "(ABcz^_"),
        ("c4", "-|"),
        ("c4-", "|"),
        ("c2c-", "(c"),  # a tie may lead into a tuplet
        ("^c2", "-" + "(ABcz=_"),
        ("z", "/234" + "(ABcz^_"),
        ("(", "3"),
        ("c2(3", "ABcz^_"),
        ("c2(3c", "/2-" + "ABcz^_"),
        ("c4|", "]"),
        ("c4-|", ""),
        ("c4|]", ""),
    ],
)
def test_the_characters_that_may_follow(text, expected):
    bars = grammar()
    assert set(following(bars, read(bars, text))[0]) == set(expected)


def test_the_bar_ends_when_its_line_is_complete():
    bars = grammar()
    assert not following(bars, read(bars, "c4"))[1]
    state = read(bars, "c4|")
    assert following(bars, state) == ("]", True)  # another line is still possible
    assert bars.advance(state, "c") is None
    assert bars.advance(state, "]").word == "|]"
    assert state.ticks == 16


def test_a_character_that_may_not_come_is_an_error():
    bars = grammar()
    with pytest.raises(ConfigError, match="'6' cannot come after"):
        bars.advance(read(bars, "c"), "6")  # too long for the bar
    with pytest.raises(ConfigError, match=r"'c' cannot come after '\('"):
        bars.advance(read(bars, "("), "c")


def test_a_note_tied_from_the_bar_before_must_continue():
    bars = grammar()
    assert following(bars, read(bars, "", held=Pitch(1, "c"))) == ("(^", False)
    assert following(bars, read(bars, "^", held=Pitch(1, "c"))) == ("c", False)


def test_the_first_bar_of_a_tune_begins_with_a_note():
    bars = grammar()
    assert "z" in following(bars, read(bars, ""))[0]
    assert "z" not in following(bars, read(bars, "", first=True))[0]
