"""Forms such as AABA."""

import pytest

from charrnn.errors import ConfigError
from charrnn.music.grammar.form import section_size, sections


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("", []),
        ("A", [("A", False)]),
        ("AABB", [("A", True), ("B", True)]),
        ("ABAB", [("A", False), ("B", False)] * 2),
        ("AABAA", [("A", True), ("B", False), ("A", True)]),
    ],
)
def test_two_equal_letters_are_a_repeat(form, expected):
    assert list(sections(form)) == expected


@pytest.mark.parametrize("form", ["AAA", "aab", "A B", "A" + "BA" * 16])
def test_invalid_forms_are_errors(form):
    with pytest.raises(ConfigError, match=f"form must be .* got '{form}'"):
        sections(form)


@pytest.mark.parametrize(
    ("bars", "form", "expected"),
    [(None, "", 0), (None, "AB", 0), (8, "", 8), (16, "AABB", 8), (12, "ABA", 4)],
)
def test_bars_are_divided_evenly_among_the_written_sections(bars, form, expected):
    assert section_size(bars, sections(form)) == expected


@pytest.mark.parametrize(
    ("bars", "form", "message"),
    [
        (0, "", "bars must be between 1 and 256, got 0"),
        (257, "", "got 257"),
        (16, "ABA", "form ABA has 3 .* bars must be a multiple of 3, such as 15 or 18; got 16"),
        (2, "ABA", "such as 3; got 2"),
    ],
)
def test_bars_that_cannot_be_divided_are_errors(bars, form, message):
    with pytest.raises(ConfigError, match=message):
        section_size(bars, sections(form))
