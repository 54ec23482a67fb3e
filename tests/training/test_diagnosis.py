"""Early stopping, and the verdict at the end of a run."""

import pytest

from charrnn.checkpoints.records import HistoryEntry
from charrnn.training.diagnosis import is_getting_worse, verdict


def entries(*losses):
    return [HistoryEntry(100 * n, valid - 0.1, valid) for n, valid in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "epochs", "words"),
    [
        ((2.0,), 1.0, "too few evaluations to judge the fit; train longer"),
        ((2.0, 1.6, 1.5), 4.0, "underfitting after 4 epochs; train longer, or use a larger model"),
        ((2.0, 1.6, 1.5, 1.505), 45.0, "good fit after 45 epochs; more text"),
        (
            (2.0, 1.6, 1.5, 1.55, 1.6),
            45.0,
            "overfitting since step 200; use more text, ",
        ),
    ],
)
def test_the_verdict_says_what_to_do_next(losses, epochs, words):
    assert verdict(entries(*losses), epochs).startswith(words)


@pytest.mark.parametrize(
    ("losses", "worse"),
    [
        ((), False),
        ((2.0,), False),
        ((2.0, 1.6, 1.5, 1.45), False),
        ((1.5, 1.52, 1.54, 1.56), True),
        ((1.5, 1.55, 1.6), False),  # not long enough
        ((1.5, 1.504, 1.502, 1.509), False),  # a plateau
        ((1.5, 1.56, 1.57, 1.58, 1.49), False),
    ],
)
def test_a_rising_loss_is_distinguished_from_a_plateau(losses, worse):
    assert is_getting_worse(entries(*losses), patience=3) is worse


def test_a_long_run_has_more_patience():
    rising = [1.5 + 0.01 * n for n in range(6)]
    falling = [2.0 - 0.01 * n for n in range(50)]
    assert is_getting_worse(entries(*rising))
    assert not is_getting_worse(entries(*falling, *rising[:6]))
    assert is_getting_worse(entries(*falling, *[1.6] * 20))
