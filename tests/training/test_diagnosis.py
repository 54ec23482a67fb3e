"""How a run goes: getting worse, standing still, or not yet done."""

import pytest

from charrnn.checkpoints.records import HistoryEntry
from charrnn.training.diagnosis import is_getting_worse, verdict


def entries(*losses):
    return [HistoryEntry(100 * n, valid - 0.1, valid) for n, valid in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "epochs", "words"),
    [
        ((2.0,), 1.0, "too short"),
        ((2.0, 1.6, 1.5), 4.0, "under-trained: it has read its text 4 times"),
        ((2.0, 1.6, 1.5, 1.505), 45.0, "right: it has read its text 45 times"),
        ((2.0, 1.6, 1.5, 1.55, 1.6), 45.0, "over-fitted: since step 200"),
    ],
)
def test_the_verdict_tells_how_it_went(losses, epochs, words):
    assert verdict(entries(*losses), epochs).startswith(words)


@pytest.mark.parametrize(
    ("losses", "worse"),
    [
        ((), False),
        ((2.0,), False),
        ((2.0, 1.6, 1.5, 1.45), False),
        ((1.5, 1.52, 1.54, 1.56), True),
        ((1.5, 1.55, 1.6), False),  # not for long
        ((1.5, 1.504, 1.502, 1.509), False),  # it stands still
        ((1.5, 1.56, 1.57, 1.58, 1.49), False),
    ],
)
def test_a_run_that_gets_worse_is_told_from_one_that_stands_still(losses, worse):
    assert is_getting_worse(entries(*losses), patience=3) is worse


def test_a_long_run_has_more_patience():
    rising = [1.5 + 0.01 * n for n in range(6)]
    falling = [2.0 - 0.01 * n for n in range(50)]
    assert is_getting_worse(entries(*rising))
    assert not is_getting_worse(entries(*falling, *rising[:6]))
    assert is_getting_worse(entries(*falling, *[1.6] * 20))
