"""Characters outside an alphabet are folded to similar ones in it."""

import string

import pytest

from charrnn.text.fold import folded

ASCII = set(string.ascii_letters + string.digits + string.punctuation + " \n")


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ("‘’‚′", "'"),
        ("“”„«»", '"'),
        ("‐‑‒–—−", "-"),
        ("\t\u00a0\u2003\u3000", " "),
        ("\r\x85\u2028\u2029", "\n"),
        ("éèêëē", "e"),
        ("ÅÄ", "A"),
        ("ß", "ss"),
        ("œ", "oe"),
        ("…", "..."),
        ("ﬁ", "fi"),
        ("Ａ", "A"),
        ("①¹", "1"),
        ("½", "1/2"),
        ("ø", "o"),
        ("Ł", "L"),
        ("ж中🎶\u200b\u0301€", ""),
    ],
)
def test_characters_are_folded_to_similar_ones(characters, expected):
    for character in characters:
        assert folded(character, ASCII) == expected, character


def test_characters_are_folded_to_those_that_the_alphabet_has():
    assert folded("'", {"’", "‘"}) == "’"
    assert folded('"', {"”", "“"}) == "“"
    assert folded("-", {"—"}) == "—"
    assert folded("“", {"„", "«"}) == "„"
    assert folded(" ", {"\t"}) == "\t"


def test_a_character_in_the_alphabet_is_not_changed():
    assert folded("é", {"é", "e"}) == "é"


def test_accents_are_kept_as_combining_characters_if_the_alphabet_has_them():
    assert folded("é", {"e", "\u0301"}) == "e\u0301"
    assert folded("é", {"e"}) == "e"


def test_nothing_is_folded_to_a_part_of_a_character():
    assert folded("½", set("12")) == ""
    assert folded("…", set("abc")) == ""
