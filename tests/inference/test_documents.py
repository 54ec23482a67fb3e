"""Documents are complete, and distinct, new and of a given length on request."""

import math

import pytest

from charrnn.errors import ConfigError, UnknownCharacterError
from charrnn.inference import sampling
from charrnn.inference.documents import MAX_REJECTED, stream_documents
from charrnn.inference.sampling import generate
from charrnn.text.corpus import Corpus
from tests.inference.models import constant_model, random_model

P = [0.3, 0.1, 0.2, 0.2, 0.1, 0.1, 0.0]  # of \n, space, a, b, c, d, e
LINES = constant_model([*P[:-1], 1e-9], documents="lines")


def documents(model=LINES, prompt="", **options):
    return list(stream_documents(model, prompt, **options))


def test_documents_are_those_of_generate_without_blank_and_incomplete_ones():
    texts = generate(LINES, num_samples=64, seed=3, length=6)
    expected = [text for text in texts if text.strip() and len(text) < 6]
    assert 10 < len(expected) < 60
    assert documents(num_samples=len(expected), seed=3, length=6) == expected


@pytest.mark.parametrize("kind", ["lines", "paragraphs"])
def test_a_document_ends_before_its_terminator(kind):
    model = constant_model([0.4, *[0.1] * 6], documents=kind)
    end = "\n" if kind == "lines" else "\n\n"
    texts = documents(model, num_samples=200)
    assert len(texts) == 200
    assert all(end not in text and text.strip() for text in texts)


def test_unique_documents_are_distinct():
    repeated = documents(num_samples=100)
    assert len(set(repeated)) < 100
    texts = documents(num_samples=100, unique=True)
    assert len(set(texts)) == len(texts) == 100
    assert texts[:3] == list(dict.fromkeys(repeated))[:3]


@pytest.mark.parametrize("kind", ["lines", "paragraphs"])
def test_lengths_are_those_of_the_document_with_its_prompt(kind):
    model = constant_model([0.4, *[0.1] * 6], documents=kind)
    for prompt in ("", "ab"):
        texts = [
            prompt + text
            for text in documents(model, prompt, num_samples=100, min_length=3, max_length=5)
        ]
        assert {len(text) for text in texts} == {3, 4, 5}


def test_documents_can_be_new_against_a_corpus():
    known = Corpus.from_texts("a\nb\n\nc", "ab\nba\naa\n")
    texts = documents(num_samples=200, new_against=known)
    assert len(texts) == 200
    assert not {"a", "b", "c", "ab", "ba", "aa"} & set(texts)
    assert {"d", "bb"} <= set(texts)


def test_new_documents_include_the_prompt():
    texts = documents(prompt="b\na", num_samples=50, new_against=Corpus.from_texts("ab\nb\n"))
    assert "b" not in texts  # as "ab" is known
    assert "" in texts  # as "a" is not


def test_a_known_document_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", 3)
    known = Corpus.from_texts("".join(f"{word}\n" for word in ("e" * 9, "dd", "c", "b", "a")))
    assert not {"a", "b", "c", "dd"} & set(documents(num_samples=100, new_against=known))


def test_the_search_ends_after_many_rejected_samples(monkeypatch):
    texts = documents(num_samples=10, unique=True, max_length=1)
    assert set(texts) == {"a", "b", "c", "d"}
    assert documents(random_model(documents="lines"), num_samples=2, temperature=0, length=0) == []
    calls = []
    real = sampling.choose
    monkeypatch.setattr(
        "charrnn.inference.sampling.choose",
        lambda logits, *rest: calls.append(len(logits)) or real(logits, *rest),
    )
    assert documents(num_samples=3, unique=True, temperature=0, min_length=9, length=1) == []
    assert sum(calls) <= MAX_REJECTED + 64


def test_the_same_seed_gives_the_same_documents():
    options = {"num_samples": 70, "unique": True}
    assert documents(seed=1, **options) == documents(seed=1, **options)
    assert documents(seed=1, **options) != documents(seed=2, **options)


def test_filters_apply():
    assert {c for text in documents(num_samples=50, top_k=2) for c in text} <= set("ab")


def test_a_prompt_can_be_a_corpus():
    options = {"num_samples": 20, "unique": True}
    expected = documents(prompt="ab", **options)
    assert documents(prompt=Corpus.from_texts("c\na", "b"), **options) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_length": -1}, "min_length must be at least 0, got -1"),
        ({"max_length": -1}, "max_length must be at least 0, got -1"),
        ({"min_length": 5, "max_length": 4}, "max_length must be at least min_length 5, got 4"),
        (
            {"prompt": "abc", "max_length": 2},
            r"max_length must be at least 3, the length of the prompt; got 2",
        ),
        ({"num_samples": 0}, "num_samples"),
        ({"length": -1}, "length must be at least 0, got -1"),
        ({"temperature": math.nan}, "temperature"),
    ],
    ids=str,
)
def test_invalid_values_fail_before_anything_is_sampled(options, message):
    with pytest.raises(ConfigError, match=message):
        stream_documents(LINES, **options)


def test_a_model_of_whole_files_has_no_documents():
    with pytest.raises(ConfigError, match="needs a model trained on lines, paragraphs or tunes"):
        stream_documents(constant_model([0.4, *[0.1] * 6]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"new_against": "names.txt"}, r"new_against must be a Corpus, .*charrnn\.read"),
        ({"max_length": "long"}, "max_length must be an integer, got 'long'"),
        ({"topk": 5}, r"stream_documents\(\) got an unexpected keyword argument 'topk'"),
    ],
    ids=str,
)
def test_arguments_of_the_wrong_type_are_named(options, message):
    with pytest.raises(TypeError, match=message):
        stream_documents(LINES, **options)


def test_unknown_characters_in_a_prompt_are_refused_or_folded():
    with pytest.raises(UnknownCharacterError):
        stream_documents(LINES, "á")
    assert documents(prompt="á", unknown="fold") == documents(prompt="a")
