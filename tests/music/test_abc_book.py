"""Tunes keep the text that people wrote, alone and together in one file."""

import pytest

from charrnn.music.abc_book import write_book
from charrnn.music.abc_parser import read_abc
from charrnn.music.formats import read_all
from tests.helpers import ROOT, needs_data
from tests.music.abc_examples import ALL, HEAD, TEXTS, corpus_files

BOOK = """\
%abc-2.1
B:The Old Book
Z:A. Scribe
M:6/8
L:1/4

Tunes for a rainy day

% the first
X: 7 a number
T:Air
T:The Other Air
C:Someone
K:D
"D"~f>ed {ag}(3fed !trill!(F2|
w:one two three
A2)d2|]
W:All the words

X:8
T:Jig
B:Another Book
M:9/8
K:G
G/A/B/ cde|]

The end
"""


def test_a_book_keeps_its_notation_fields_and_comments():
    parsed = read_abc(BOOK)
    text, lost = write_book(parsed.tunes, parsed.texts)
    assert not lost
    assert read_abc(text).tunes == parsed.tunes
    for line in BOOK.splitlines():
        assert line in text.splitlines()


def test_a_tune_alone_has_the_fields_of_the_file_header_that_it_lacks():
    assert read_abc(BOOK).texts[1] == (
        "X:8\nT:Jig\nB:Another Book\nM:9/8\nZ:A. Scribe\nL:1/4\nK:G\nG/A/B/ cde|]\n\nThe end"
    )


def test_a_tune_alone_begins_with_the_text_before_it():
    first = read_abc(BOOK).texts[0]
    assert first.startswith("%abc-2.1\n\nTunes for a rainy day\n\n% the first\nX: 7 a number\n")
    assert "K:D" in first
    assert first.count("B:The Old Book\n") == 1


@pytest.mark.parametrize(("numbers", "written"), [("7 3", "7 3"), ("4 4", "1 2"), ("5 ", "1 2")])
def test_numbers_stay_if_they_are_distinct(numbers, written):
    source = "\n".join(f"X:{number}\nK:C\nCDEF|\n" for number in numbers.split(" "))
    parsed = read_abc(source)
    text, _ = write_book(parsed.tunes, parsed.texts)
    assert [line[2:] for line in text.splitlines() if line[:2] == "X:"] == written.split()


def test_tunes_without_a_number_get_one_and_keep_their_fields():
    parsed = read_abc("T:Air\nC:Someone\nM:2/4\nK:G\n~GAB^c|c'2 z2|]\n\nM:3/4\nL:1/4\nK:C\nCDE|]\n")
    text, lost = write_book(parsed.tunes, parsed.texts)
    assert not lost
    assert read_abc(text).tunes == parsed.tunes
    assert text.startswith("X:1\nT:Air\nC:Someone\nM:2/4\nL:1/8\nK:G\n~GAB^c|")
    assert "X:2\nM:3/4\nL:1/4\nK:C\n" in text


def test_a_text_that_a_number_would_change_is_written_anew_and_its_losses_are_counted():
    """With a number, an accidental holds in all octaves."""
    parsed = read_abc("T:Air\nT:Song\nC:Someone\nM:2/4\nK:C\n~^c2(Cc)|]\n")
    text, lost = write_book(parsed.tunes, parsed.texts)
    assert text == "X:1\nT:Air\nM:2/4\nL:1/8\nK:Cmaj\n^c2 =Cc|]\n\n".replace("=Cc", "=C^c")
    assert lost == {"ornament": 1, "slur": 2, "header field": 2}


def test_the_encoding_that_a_file_states_becomes_utf_8():
    parsed = read_abc("X:1\n%%abc-charset iso-8859-1\nK:C\nCDEF|\n")
    assert "\n%%abc-charset utf-8\n" in write_book(parsed.tunes, parsed.texts)[0]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems_give_the_same_book(end):
    parsed, other = read_abc(BOOK), read_abc(BOOK.replace("\n", end))
    assert write_book(other.tunes, other.texts) == write_book(parsed.tunes, parsed.texts)


@pytest.mark.parametrize("source", [HEAD + source for source, _ in ALL.values()] + [*TEXTS])
def test_every_construct_is_the_same_tune_alone(source):
    source = TEXTS[source][0] if source in TEXTS else source
    parsed = read_abc("%comment\nN:note\n\nX:1\nK:Bb\nC8|\n\n" + source + "\n")
    for tune, text in zip(parsed.tunes, parsed.texts, strict=True):
        assert read_abc(text).tunes == (tune,)


def test_each_tune_repeats_only_the_beginning_of_a_long_file_header():
    header = "".join(f"N:note {n}\n" for n in range(10_000)) + "M:3/4" + " " * 100_000
    first, *others = read_abc(header + "\n\n" + "X:1\nK:C\nCDEF|\n\n" * 1000).texts
    assert len(first) > 100_000
    assert {len(text) for text in others[:-1]} < {*range(500)}


def test_the_project_s_tunes_are_copied_byte_for_byte():
    found = read_all([ROOT / "corpora" / "tunes.abc"])
    assert write_book(found.tunes, found.texts) == (
        (ROOT / "corpora" / "tunes.abc").read_text("utf-8").rstrip("\n") + "\n\n",
        {},
    )


@needs_data
def test_people_s_tunes_lose_nothing():
    found = read_all(corpus_files())
    text, lost = write_book(found.tunes, found.texts)
    assert not lost
    parsed = read_abc(text)
    assert (parsed.tunes, parsed.ignored) == (found.tunes, found.ignored)
