"""The baseline of the melody benchmark, by hand."""

import math

import pytest


@pytest.fixture
def ngram(benchmark):
    return benchmark("ngram")


DOCUMENTS = ["abab\n\n", "abba\n\n", "a\n\n"]


def test_witten_bell_by_hand(ngram):
    grams = ngram.NGrams(["ab\n\n"], 2, alphabet_size=4)  # the text is "\n\nab\n\n"
    p0 = (1 + 3 / 4) / (4 + 3)  # a, b and twice \n have occurred
    assert grams.probability("", "a") == pytest.approx(p0)
    p1 = (1 + 2 * p0) / (2 + 2)  # after \n came a, and \n
    assert grams.probability("\n", "a") == pytest.approx(p1)
    p2 = (1 + 1 * p1) / (1 + 1)  # after both came a alone
    assert grams.probability("\n\n", "a") == pytest.approx(p2)
    assert grams.probability("?\n", "a") == pytest.approx(p1)
    assert grams.nats_per_char(["a"], 2) == pytest.approx(-math.log(p2))


@pytest.mark.parametrize("context", ["", "a", "ab", "aba", "zab", "\n\n"])
def test_probabilities_sum_to_one(ngram, context):
    grams = ngram.NGrams(DOCUMENTS, 3, alphabet_size=3)
    assert sum(grams.probability(context, c) for c in "ab\n") == pytest.approx(1)


def test_a_lower_order_is_the_same_whatever_the_highest(ngram):
    high, low = ngram.NGrams(DOCUMENTS, 5, 3), ngram.NGrams(DOCUMENTS, 2, 3)
    assert high.nats_per_char(["aab\n\n"], 2) == low.nats_per_char(["aab\n\n"], 2)


def test_a_document_knows_nothing_of_the_one_before(ngram):
    grams = ngram.NGrams(DOCUMENTS, 4, 3)
    one, other = (grams.nats_per_char([document], 4) for document in DOCUMENTS[:2])
    assert grams.nats_per_char(DOCUMENTS[:2], 4) == pytest.approx((one + other) / 2)


def test_the_draw_leaves_out_duplicates(ngram):
    documents = [f"{n}\n\n" for n in range(20)]
    train, held_out = ngram.drawn(documents + documents[:10], seed=1)
    assert len(held_out) == 2
    assert sorted(train + held_out) == sorted(documents)
    assert ngram.drawn(documents, seed=1) == (train, held_out)
