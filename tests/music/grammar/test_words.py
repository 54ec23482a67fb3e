"""Words, the alphabet that writes them, and sets as integers."""

import pytest

from charrnn.errors import ConfigError
from charrnn.music.grammar.words import LINE, Alphabet, Words, bitset, members


@pytest.mark.parametrize("times", [[], [0], [0, 3], [1, 2, 64]])
def test_a_bitset_has_the_members_it_was_made_of(times):
    assert members(bitset([*times, *times])) == times


def test_a_mask_has_the_order_of_the_alphabet():
    alphabet = Alphabet("xyz")
    assert alphabet.mask(alphabet.bits["z"] | alphabet.bits["x"]).tolist() == [True, False, True]
    assert alphabet.mask(0).tolist() == [False] * 3


def test_only_words_that_can_be_written_may_come_next():
    words = Words({"|": LINE, "|]": LINE, "|:": LINE}, Alphabet("|]"))
    assert list(words.meanings) == ["|", "|]"]


def test_each_beginning_of_a_word_is_followed_by_the_characters_that_continue_it():
    alphabet = Alphabet("|:12")
    words = Words({"|1": LINE, ":|": LINE, ":|2": LINE, ":|:": LINE}, alphabet)
    following = {
        beginning: {c for c in alphabet.characters if bits & alphabet.bits[c]}
        for beginning, bits in words.following.items()
    }
    assert following == {
        "": {"|", ":"},
        "|": {"1"},
        "|1": set(),
        ":": {"|"},
        ":|": {"2", ":"},
        ":|2": set(),
        ":|:": set(),
    }


def test_words_of_which_none_can_be_written_are_an_error_that_names_the_first():
    alphabet = Alphabet("M:34/")
    assert alphabet.writable("the meter", {"M:6/8": 0, "M:3/4": 1}) == {"M:3/4": 1}
    with pytest.raises(ConfigError, match=r"cannot write the meter M:6/8: .* lacks '6', '8'$"):
        alphabet.writable("the meter", {"M:6/8": 0, "M:9/8": 1})
