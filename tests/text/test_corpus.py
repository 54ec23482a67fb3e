"""Texts are stored as ids, identified by a digest, and encoded for a model's alphabet."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from charrnn.errors import CharRNNError, UnknownCharacterError
from charrnn.text import split as splitting
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer

# ---- the digest ----------------------------------------------------------------------------------


def test_the_digest_depends_on_contents_and_boundaries_but_not_on_names():
    texts = [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), ("ab", "d"), ()]
    assert len({Corpus.from_texts(*each).digest for each in texts}) == len(texts)
    assert replace(Corpus.from_texts("ab"), names=("x",)).digest == Corpus.from_texts("ab").digest


def test_the_digest_covers_each_text_as_utf_8_after_its_length():
    """Model files contain the digest of their corpus, so it must never change."""
    digest = hashlib.sha256()
    for text in ("banana", "é🎶\n"):
        digest.update(len(text.encode()).to_bytes(8, "little") + text.encode())
    assert Corpus.from_texts("banana", "", "é🎶\n").digest == digest.hexdigest()


# ---- ids -----------------------------------------------------------------------------------------


def test_encoding_a_corpus_keeps_the_ends_of_its_texts():
    text = Corpus.from_texts("ab", "c", "", "bca").encode(Tokenizer("abc"))
    np.testing.assert_array_equal(text.ids, [0, 1, 2, 1, 2, 0])
    np.testing.assert_array_equal(text.ends, [1, 2, 5])
    assert (len(text), text.ids.dtype) == (6, np.uint8)


def test_unknown_characters_are_refused_or_skipped():
    texts = Corpus.from_texts("ab?", "??", "?c")
    with pytest.raises(UnknownCharacterError, match=r"U\+003F"):
        texts.encode(Tokenizer("abc"))
    text = texts.encode(Tokenizer("abc"), unknown="skip")
    np.testing.assert_array_equal(text.ids, [0, 1, 2])
    np.testing.assert_array_equal(text.ends, [1, 2])


@pytest.mark.parametrize("block", [1, 2, 100])
def test_unknown_characters_are_folded_and_counted(monkeypatch, block):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", block)
    texts = Corpus.from_texts("à la", "ж", "“ab”ж")
    tokenizer = Tokenizer(' "abl')
    text = texts.encode(tokenizer, unknown="fold")
    assert tokenizer.decode(text.ids) == 'a la"ab"'
    np.testing.assert_array_equal(text.ends, [3, 7])
    assert texts.replaced(tokenizer, "fold") == (
        "replaced 3 characters with similar ones from the model's alphabet",
        "skipped 2 characters not in the model's alphabet",
    )
    assert texts.replaced(tokenizer, "skip") == (
        "skipped 5 characters not in the model's alphabet",
    )


def test_no_notice_without_unknown_characters():
    train, valid = splitting.split(Corpus.from_texts("abababab?"))
    tokenizer = Tokenizer("ab")
    assert train.replaced(tokenizer, "skip") == ()
    assert valid.replaced(tokenizer, "skip") == ("skipped 1 character not in the model's alphabet",)
    assert valid.replaced(tokenizer, "error") == ()


def test_each_part_of_a_split_is_checked_for_unknown_characters():
    train, valid = splitting.split(Corpus.from_texts("abababab?"))
    assert len(train.encode(Tokenizer("ab"))) == 8
    with pytest.raises(UnknownCharacterError):
        valid.encode(Tokenizer("ab"))


@pytest.mark.parametrize("texts", [[], [""], ["?"]])
def test_an_empty_corpus_encodes_to_no_ids(texts):
    text = Corpus.from_texts(*texts).encode(Tokenizer("abc"), unknown="skip")
    assert (len(text), len(text.ends)) == (0, 0)


@pytest.mark.parametrize("count", [255, 256, 257, 65_536, 65_537])
def test_the_dtype_of_ids_grows_with_the_alphabet(count):
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)][:count]))
    corpus = Corpus.from_texts("\n", *(text[i : i + 5000] for i in range(0, count, 5000)))
    tokenizer = Tokenizer.from_text(text)
    encoded = corpus.encode(tokenizer)
    assert "".join(corpus.texts) == "\n" + text
    assert encoded.ids.dtype == tokenizer.dtype
    assert tokenizer.decode(encoded.ids) == "\n" + text


def test_a_lone_surrogate_is_refused_by_name():
    with pytest.raises(CharRNNError, match=r"U\+D83C"):
        Corpus.from_texts("ab\ud83c")
