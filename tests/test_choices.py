"""What is chosen where nothing is said: the tables, and that what is said stays."""

import pytest

from charrnn.choices import MOST_EPOCHS, SHARES_DROPPED, SIZES, choose, verdict
from charrnn.errors import ConfigError
from charrnn.model import ModelConfig
from charrnn.run import Limits, TrainConfig

NOVEL = {"characters": 1_000_000, "alphabet": 65, "cores": 2}


def test_more_minutes_are_for_larger_networks_with_smaller_steps():
    runs = [choose(**NOVEL, limits=Limits(minutes=minutes)) for minutes in (0.1, 1, 10, 60)]
    sizes = [run.model.hidden_size for run in runs]
    rates = [run.train.learning_rate for run in runs]
    assert sizes == sorted(set(sizes))
    assert rates == sorted(set(rates), reverse=True)


def test_two_cores_choose_for_five_minutes_what_one_does_for_ten():
    two = choose(**NOVEL, limits=Limits(minutes=5))
    one = choose(**NOVEL | {"cores": 1}, limits=Limits(minutes=10))
    assert (two.model, two.train) == (one.model, one.train)
    assert two.minutes == pytest.approx(one.minutes / 2)


def test_what_is_seen_more_often_is_dropped_more():
    runs = [choose(n, 65, 2, Limits(minutes=3)) for n in (10_000_000, 1_000_000, 100_000)]
    for share in ("dropout", "weight_dropout"):
        values = [getattr(run.model, share) for run in runs]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_a_short_text_is_read_so_often_and_no_more():
    choice = choose(20_000, 50, 2, Limits(minutes=30))
    assert choice.limits.epochs == choice.epochs == MOST_EPOCHS
    assert choice.minutes < 5
    assert choice.model.hidden_size < choose(**NOVEL, limits=Limits(minutes=30)).model.hidden_size


def test_without_limits_it_is_ten_minutes():
    assert choose(**NOVEL) == choose(**NOVEL, limits=Limits(minutes=10))
    assert choose(**NOVEL).limits.minutes == 10


@pytest.mark.parametrize("limits", [Limits(epochs=3), Limits(max_steps=1500), Limits(2, 10**6)])
def test_limits_that_are_given_stay(limits):
    choice = choose(**NOVEL, limits=limits)
    assert choice.limits == limits
    assert choice.epochs == pytest.approx(limits.epochs or 1500 * 32 * 64 / 1_000_000)


def test_what_is_stated_stays_and_the_rest_goes_with_it():
    stated = {"cell": "lstm", "hidden_size": 300, "num_layers": 2, "learning_rate": 0.1}
    choice = choose(**NOVEL, **stated, batch_size=8, dropout=0.25)
    assert (choice.model.cell, choice.model.hidden_size, choice.model.num_layers) == (
        "lstm",
        300,
        2,
    )
    assert (choice.model.dropout, choice.train.learning_rate, choice.train.batch_size) == (
        0.25,
        0.1,
        8,
    )
    assert choice.model.weight_dropout in [weights for _, _, weights in SHARES_DROPPED]


def test_a_model_to_start_from_keeps_its_shape():
    base = ModelConfig("rnn", hidden_size=77, num_layers=3, embedding_size=0)
    choice = choose(**NOVEL, limits=Limits(minutes=1), model=base)
    assert (choice.model.cell, choice.model.hidden_size, choice.model.num_layers) == ("rnn", 77, 3)


def test_all_that_can_be_chosen_is_valid():
    for characters in (1, 100, 10**6, 10**10):
        for alphabet in (1, 65, 100_000):
            for minutes in (0.01, 1, 10**6):
                choice = choose(characters, alphabet, 1, Limits(minutes=minutes))
                assert choice.model.hidden_size in [size for _, size, _ in SIZES]
                assert choice.train == TrainConfig(learning_rate=choice.train.learning_rate)


@pytest.mark.parametrize("stated", [{"hidden_size": 0}, {"batch_size": 0}, {"dropout": 1.0}])
def test_settings_out_of_range_are_refused(stated):
    with pytest.raises(ConfigError, match=next(iter(stated))):
        choose(**NOVEL, **stated)


def entries(*losses):
    return [
        {"step": 100 * n, "train": valid - 0.1, "valid": valid} for n, valid in enumerate(losses)
    ]


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
