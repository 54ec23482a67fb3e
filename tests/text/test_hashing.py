"""Equal texts have equal hashes, and others have not."""

import itertools

import numpy as np
import pytest

from charrnn.text.corpus import Corpus
from charrnn.text.hashing import text_hashes


def test_hashes_never_change():
    """They determine which lines and paragraphs the training of a model held out."""
    assert text_hashes(Corpus.from_texts("banana\n", "🎶", "x" * 5000)).tolist() == [
        17453925550081535984,
        5242413596003654715,
        12220800921252839496,
    ]


def test_a_hash_does_not_depend_on_the_other_texts():
    alone = [text_hashes(Corpus.from_texts(text))[0] for text in ("tea", "eat", "tea")]
    assert text_hashes(Corpus.from_texts("tea", "eat", "tea")).tolist() == alone
    assert alone[0] == alone[2] != alone[1]


@pytest.mark.parametrize("block", [1, 2, 7, 64])
def test_hashes_do_not_depend_on_the_blocks(monkeypatch, block):
    texts = ["a" * 150, "b", "ab\n" * 30, "c", "", "d" * 64]
    expected = text_hashes(Corpus.from_texts(*texts))
    monkeypatch.setattr("charrnn.text.spool.BLOCK", block)
    np.testing.assert_array_equal(text_hashes(Corpus.from_texts(*texts)), expected)


def test_different_texts_have_different_hashes():
    texts = [
        "".join(letters) for n in (5, 6, 7) for letters in itertools.permutations("abcdefg", n)
    ]
    texts += ["a" * n for n in range(1, 200)]
    assert len(set(text_hashes(Corpus.from_texts(*texts)).tolist())) == len(texts)
