"""A corpus is split at document boundaries; its last part or random documents are held out."""

import itertools
import os
import random
from pathlib import Path

import pytest

from charrnn.errors import ConfigError
from charrnn.text import split as splitting
from charrnn.text.corpus import Corpus
from charrnn.text.documents import DOCUMENTS
from charrnn.text.loading import read
from tests.helpers import needs_data


def split(corpus, documents="whole", fraction=0.1, hold_out="random"):
    """Return the training documents and the held-out documents as two lists of texts."""
    parts = splitting.split(corpus, documents, valid_fraction=fraction, hold_out=hold_out)
    return tuple(list(part.texts) for part in parts)


def lines(numbers):
    return [f"line {number}\n" for number in numbers]


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("length", [10, 37, 1000])
def test_a_whole_file_is_cut_at_a_character(fraction, length):
    text = "".join(chr(0x100 + n) for n in range(length))
    train, valid = split(Corpus.from_texts(text), "whole", fraction)
    cut = int(length * (1 - fraction))
    assert "".join(train) == text[:cut]
    assert "".join(valid) == text[cut:]
    assert all(train + valid)


def test_the_last_tenth_of_a_whole_file_is_held_out_by_default():
    assert split(Corpus.from_texts("0123456789")) == (["012345678"], ["9"])


def test_a_part_of_every_file_is_held_out():
    assert split(Corpus.from_texts("a" * 20, "b" * 10, "c" * 9 + "\n")) == (
        ["a" * 18, "b" * 9, "c" * 9],
        ["aa", "b", "\n"],
    )
    assert split(Corpus.from_texts("a" * 20))[1] == ["aa"]


@needs_data
def test_tiny_shakespeare_has_the_usual_split():
    (train,), (valid,) = split(read(Path(os.environ["CHARRNN_DATA"]) / "tinyshakespeare.txt"))
    assert (len(train), len(valid)) == (1_003_854, 111_540)
    assert len(set(train + valid)) == 65


# ---- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("documents", "text", "expected"),
    [
        ("whole", "one\n\ntwo", ["one\n\ntwo"]),
        ("lines", "one\n\n two \n \t\nthree", ["one\n", " two \n", "three\n"]),
        ("lines", "one\n", ["one\n"]),
        ("lines", "a\x0bb\u2028c\x85d\re\n", ["a\x0bb\u2028c\x85d\re\n"]),
        ("paragraphs", "one\ntwo\n\n \n\nthree", ["one\ntwo\n\n", "three\n\n"]),
        ("paragraphs", "\n\none\n", ["one\n\n"]),
        ("lines", "\n \n", []),
        ("paragraphs", "\n \n", []),
    ],
)
def test_lines_and_paragraphs_end_with_their_terminator(documents, text, expected):
    assert split(Corpus.from_texts(text), documents, 0.0) == (expected, [])


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.1, 0.5])
def test_the_last_documents_can_be_held_out(documents, fraction):
    end = DOCUMENTS[documents].terminator
    pieces = [f"document {n} " + "x" * (n % 17) + end for n in range(60)]
    train, valid = split(Corpus.from_texts("".join(pieces)), documents, fraction, "last")
    assert train + valid == pieces
    length = len("".join(pieces))
    assert len("".join(valid)) == pytest.approx(length * fraction, abs=20)
    assert (valid == []) == (fraction == 0)


def test_the_last_documents_of_every_file_can_be_held_out():
    texts = ["".join(f"{name}{n}\n" for n in range(10)) for name in "ab"]
    train, valid = split(Corpus.from_texts(*texts), "lines", hold_out="last")
    assert valid == ["a9\n", "b9\n"]
    assert len(train) == 18


def test_a_document_is_never_divided():
    assert split(Corpus.from_texts("one line\n"), "lines", 0.4) == (["one line\n"], [])
    assert split(Corpus.from_texts("one line\n"), "lines", 0.6) == ([], ["one line\n"])


def as_plain_python_splits(text, documents):
    lines = [line + "\n" for line in text.split("\n")]
    if documents == "lines":
        return [line for line in lines if line.strip()]
    paragraphs = [""]
    for line in lines:
        if line.strip():
            paragraphs[-1] += line
        elif paragraphs[-1]:
            paragraphs.append("")
    return [paragraph + "\n" for paragraph in paragraphs if paragraph]


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("block", [1, 2, 3, 5, 100])
def test_documents_may_span_blocks(monkeypatch, documents, block):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", block)
    rng = random.Random(block)
    for _ in range(60):
        texts = ["".join(rng.choices("ab \n\n\t", k=rng.randrange(1, 30))) for _ in "123"]
        expected = [piece for text in texts for piece in as_plain_python_splits(text, documents)]
        assert split(Corpus.from_texts(*texts), documents, 0.0) == (expected, [])
        train, valid = split(Corpus.from_texts(*texts), documents, 0.3)
        assert sorted(train + valid) == sorted(expected)
        assert not set(train) & set(valid)


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("block", [1, 7, 64])
def test_a_random_split_does_not_depend_on_the_blocks(monkeypatch, documents, block):
    text = "".join(f"{'word ' * (n % 5)}{n}\n" + "\n" * (n % 3) for n in range(99))
    expected = split(Corpus.from_texts(text), documents)
    monkeypatch.setattr("charrnn.text.spool.BLOCK", block)
    assert split(Corpus.from_texts(text), documents) == expected


# ---- random documents ----------------------------------------------------------------------------


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.1, 0.5])
def test_random_documents_are_held_out_and_both_parts_keep_their_order(documents, fraction):
    end = DOCUMENTS[documents].terminator
    pieces = [f"document {n} " + "x" * (n % 17) + end for n in range(600)]
    parts = split(Corpus.from_texts("".join(pieces)), documents, fraction)
    positions = [[pieces.index(text) for text in part] for part in parts]
    assert positions == [sorted(part) for part in positions]
    assert sorted([*positions[0], *positions[1]]) == list(range(600))
    assert len("".join(parts[1])) == pytest.approx(len("".join(pieces)) * fraction, abs=20)
    assert (parts[1] == []) == (fraction == 0)


def test_held_out_lines_of_a_sorted_file_come_from_everywhere():
    _, valid = split(Corpus.from_texts("".join(lines(range(5000)))), "lines")
    tenths = [int(text.split()[1]) // 500 for text in valid]
    assert all(30 <= tenths.count(tenth) <= 75 for tenth in range(10))


def test_equal_documents_are_on_one_side():
    texts = lines(range(200)) * 3
    random.Random(0).shuffle(texts)
    train, valid = split(Corpus.from_texts("".join(texts)), "lines")
    assert valid
    assert not set(train) & set(valid)
    assert sorted(train + valid) == sorted(texts)


def test_a_random_split_does_not_depend_on_the_order_of_documents():
    texts = lines(range(300))
    shuffled = random.Random(0).sample(texts, len(texts))
    one, other = (split(Corpus.from_texts("".join(each)), "lines") for each in (texts, shuffled))
    assert [set(part) for part in one] == [set(part) for part in other]


def test_documents_that_differ_only_in_the_order_of_characters_are_different():
    texts = ["".join(letters) + "\n" for letters in itertools.permutations("abcdefg")]
    train, valid = split(Corpus.from_texts("".join(texts)), "lines")
    assert len(valid) / len(train + valid) == pytest.approx(0.1, abs=0.01)


def test_a_line_that_makes_up_half_the_corpus_is_trained_on():
    texts = lines(range(100)) + ["the same again\n"] * 50
    train, valid = split(Corpus.from_texts("".join(texts)), "lines")
    assert train.count("the same again\n") == 50
    assert len("".join(valid)) == pytest.approx(len("".join(texts)) / 10, abs=20)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ConfigError, match="valid_fraction"):
        split(Corpus.from_texts("text"), "whole", fraction)


def test_unknown_documents_are_refused_with_the_choices():
    with pytest.raises(ConfigError, match="one of whole, lines, paragraphs, tunes; got 'words'"):
        split(Corpus.from_texts("text"), "words")
    with pytest.raises(ConfigError, match="hold_out must be one of random, last; got 'first'"):
        split(Corpus.from_texts("text"), "lines", hold_out="first")
    assert list(DOCUMENTS) == ["whole", "lines", "paragraphs", "tunes"]
