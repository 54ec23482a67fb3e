"""Filters keep the most likely characters; a new filter is one registry entry."""

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.inference.filters import FILTERS, Filter, min_p, top_k, top_p
from charrnn.inference.sampling import generate
from tests.inference.draws import P, assert_drawn_from, frequencies
from tests.inference.models import ALPHABET


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"top_k": 1}, 1),
        ({"top_k": 3}, 3),
        ({"top_k": 4}, 4),
        ({"top_k": 1000}, 4),
        ({"top_p": 0.0}, 1),
        ({"top_p": 0.39}, 1),
        ({"top_p": 0.41}, 2),
        ({"top_p": 0.71}, 3),
        ({"top_p": 1.0}, 4),
        ({"min_p": 0.0}, 4),
        ({"min_p": 0.3}, 3),
        ({"min_p": 0.7}, 2),
        ({"min_p": 1.0}, 1),
        ({"top_k": 3, "top_p": 0.99}, 3),
        ({"top_k": 3, "min_p": 0.7}, 2),
        ({"top_k": 2, "top_p": 0.5}, 1),  # 0.4 is more than half of the 0.7 that top_k keeps
    ],
    ids=str,
)
def test_filters_keep_the_most_likely_characters(filters, kept):
    expected = np.where(np.arange(4) < kept, P, 0)
    assert_drawn_from(expected / expected.sum(), frequencies(P, **filters))


@pytest.mark.parametrize(
    ("filter", "value", "expected"),
    [
        (top_k, 2, [[0, 4, 5, 0], [9, 0, 0, 8]]),
        (top_p, 0.45, [[0, 0, 5, 0], [9, 0, 0, 0]]),
        (top_p, 0.51, [[0, 4, 5, 0], [9, 0, 0, 8]]),
        (min_p, 0.7, [[0, 4, 5, 0], [9, 0, 0, 8]]),
        (min_p, 0.85, [[0, 0, 5, 0], [9, 0, 0, 8]]),
    ],
)
def test_filters_apply_to_each_row_separately(filter, value, expected):
    p = np.array([[1.0, 4, 5, 0], [9, 1, 2, 8]])
    filter(p, value)
    np.testing.assert_array_equal(p, expected)


def test_top_p_keeps_no_more_equal_characters_than_needed():
    p = np.full((1, 4), 0.25)
    top_p(p, 0.5)
    np.testing.assert_array_equal(p, [[0.25, 0.25, 0, 0]])


@pytest.mark.parametrize("off", [{"top_k": len(ALPHABET)}, {"top_p": 1.0}, {"min_p": 0.0}], ids=str)
def test_a_filter_that_keeps_everything_changes_nothing(model, off):
    assert generate(model, seed=1, **off) == generate(model, seed=1)


def test_top_k_1_is_greedy(model):
    assert generate(model, seed=1, top_k=1) == generate(model, temperature=0)


def test_a_new_filter_needs_only_a_registry_entry(model, monkeypatch):
    def no_letters(p, count):
        p[:, int(count) :] = 0

    monkeypatch.setitem(FILTERS, "first", Filter(no_letters, int, 1, 9, "Keep the first."))
    assert set(generate(model, seed=1, first=2)[0]) == {"\n", " "}
    with pytest.raises(ConfigError, match="first must be between 1 and 9, got 10"):
        generate(model, first=10)
