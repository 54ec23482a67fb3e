"""Settings that are not stated are selected from the tables; stated settings are kept."""

import os
from pathlib import Path

import numpy as np
import pytest

from charrnn.checkpoints.records import Selection, TrainConfig
from charrnn.errors import ConfigError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.loading import read
from charrnn.training.autoconfig import (
    CHOSEN,
    SHARES_DROPPED,
    SIZES,
    choose,
    expected_loss,
    trigram_loss,
)
from charrnn.training.diagnosis import MOST_EPOCHS
from charrnn.training.limits import Limits
from charrnn.training.prepare import prepare
from tests.helpers import needs_data

NOVEL = {"characters": 1_000_000, "alphabet": 65, "cores": 2}


def test_longer_runs_get_larger_networks_and_lower_learning_rates():
    runs = [choose(**NOVEL, limits=Limits(minutes=minutes)) for minutes in (0.1, 1, 10, 60)]
    sizes = [run.model.hidden_size for run in runs]
    rates = [run.train.learning_rate for run in runs]
    assert sizes == sorted(set(sizes))
    assert rates == sorted(set(rates), reverse=True)


def test_two_cores_for_five_minutes_select_the_same_as_one_for_ten():
    two = choose(**NOVEL, limits=Limits(minutes=5))
    one = choose(**NOVEL | {"cores": 1}, limits=Limits(minutes=10))
    assert (two.model, two.train) == (one.model, one.train)
    assert two.minutes == pytest.approx(one.minutes / 2)


def test_faster_kernels_select_larger_networks(monkeypatch):
    sizes = []
    for name in ("", "Haswell", "SkylakeX"):
        monkeypatch.setattr("charrnn.training.autoconfig.kernels", lambda name=name: name)
        sizes.append(choose(**NOVEL, limits=Limits(minutes=1)).model.hidden_size)
    assert sizes[0] == sizes[1] < sizes[2]


def test_more_epochs_mean_more_dropout():
    runs = [choose(n, 65, 2, Limits(minutes=3)) for n in (10_000_000, 1_000_000, 100_000)]
    for share in ("dropout", "weight_dropout"):
        values = [getattr(run.model, share) for run in runs]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_epochs_on_a_short_text_are_limited():
    choice = choose(20_000, 50, 2, Limits(minutes=30))
    assert choice.limits.epochs == choice.epochs == MOST_EPOCHS
    assert choice.minutes < 5
    assert choice.model.hidden_size < choose(**NOVEL, limits=Limits(minutes=30)).model.hidden_size


def test_without_limits_a_run_takes_ten_minutes():
    assert choose(**NOVEL) == choose(**NOVEL, limits=Limits(minutes=10))
    assert choose(**NOVEL).limits.minutes == 10


@pytest.mark.parametrize("limits", [Limits(epochs=3), Limits(max_steps=1500), Limits(2, 10**6)])
def test_stated_limits_are_kept(limits):
    choice = choose(**NOVEL, limits=limits)
    assert choice.limits == limits
    assert choice.epochs == pytest.approx(limits.epochs or 1500 / 488)  # chunks of 32 x 64


def test_with_one_chunk_per_epoch_steps_are_epochs():
    assert choose(48, 23, 2, Limits(max_steps=50)).epochs == 50


def test_stated_settings_are_kept():
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


def test_a_large_alphabet_gets_a_smaller_network():
    """It is slow: a larger network would read too little text."""
    few, many = (choose(900_000, alphabet, 2, Limits(minutes=1)) for alphabet in (65, 6000))
    assert many.model.hidden_size < few.model.hidden_size
    assert many.epochs < few.epochs


def test_a_choice_records_selected_and_stated_settings():
    choice = choose(**NOVEL, limits=Limits(minutes=3), dropout=0.25, seed=7)
    assert choice.chosen == ("hidden_size", "weight_dropout", "learning_rate")
    assert choice.selection() == Selection(
        stated=("dropout", "seed"), selected=("hidden_size", "weight_dropout", "learning_rate")
    )


def test_with_all_settings_stated_cores_and_limits_do_not_matter():
    stated = {"hidden_size": 8, "dropout": 0.1, "weight_dropout": 0.0, "learning_rate": 0.01}
    one = choose(**NOVEL, limits=Limits(max_steps=5), **stated)
    two = choose(**NOVEL | {"cores": 4}, limits=Limits(minutes=5), **stated)
    assert one.selection() == two.selection() == Selection(stated=tuple(stated))


def test_the_size_of_a_model_to_start_from_is_not_selected():
    assert choose(**NOVEL).chosen == CHOSEN
    assert "hidden_size" not in choose(**NOVEL, model=ModelConfig()).chosen


def test_all_selected_settings_are_valid():
    for characters in (1, 100, 10**6, 10**10):
        for alphabet in (1, 65, 100_000):
            for minutes in (0.01, 1, 10**6):
                choice = choose(characters, alphabet, 1, Limits(minutes=minutes))
                assert choice.model.hidden_size in [size for _, size, _ in SIZES]
                assert choice.train == TrainConfig(learning_rate=choice.train.learning_rate)


@pytest.mark.parametrize("stated", [{"hidden_size": 0}, {"batch_size": 0}, {"dropout": 1.0}])
def test_settings_out_of_range_are_rejected(stated):
    with pytest.raises(ConfigError, match=next(iter(stated))):
        choose(**NOVEL, **stated)


# ---- the expected loss ---------------------------------------------------------------------------


def slow_trigram_loss(before, after):
    """Return the loss of a trigram model by its definition."""
    text = before + after

    def probability(order, at):
        if order < 0:
            return 1 / (1 + max(text))
        history = text[at - order : at]
        followers = [
            before[i] for i in range(order, len(before)) if before[i - order : i] == history
        ]
        lower, kinds = probability(order - 1, at), max(1, len(set(followers)))
        return (followers.count(text[at]) + kinds * lower) / (len(followers) + kinds)

    places = range(len(before), len(text))
    return -sum(np.log(probability(2, at)) for at in places) / len(places)


def test_the_trigram_loss_is_that_of_its_definition():
    ids = (np.random.default_rng(0).integers(0, 9, 400) ** 2 // 9).tolist()
    fast = trigram_loss(np.array(ids[:300], np.uint8), np.array(ids[300:], np.uint8))
    # The first characters have no complete history; the fast one takes what comes before it.
    assert fast == pytest.approx(slow_trigram_loss(ids[:300], ids[300:]), rel=0.01)


def expected(text, minutes, **settings):
    corpus = Corpus.from_texts(text)
    choice = choose(len(text), 30, 2, Limits(minutes=minutes), **settings)
    return expected_loss(choice, prepare(corpus, choice.train))


def test_the_expected_loss_is_lower_for_longer_runs_and_easier_texts():
    letters = "".join(np.random.default_rng(0).choice(list("abcdefgh"), 400_000))
    low, high = expected(letters, 0.1)
    assert low < high < 1.1 * np.log(8)
    assert expected(letters, 10)[0] < low
    assert expected("round and round and round it goes\n" * 2000, 1)[1] < low / 4


def test_there_is_no_expected_loss_without_enough_text_or_time():
    text = "".join(np.random.default_rng(0).choice(list("abcdefgh"), 60_000))
    assert expected(text, 1) is not None
    assert expected(text, 0.0001) is None
    assert expected(text[:50_000], 1) is None
    assert expected(text, 1, valid_fraction=0.0) is None
    assert expected(text + "".join(map(chr, range(1000, 1600))), 1) is None


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measured"),
    [("tinyshakespeare.txt", 1.561), ("irish.abc", 1.157), ("nottingham", 1.152)],
)
def test_the_expected_loss_of_a_core_minute_is_within_its_spread(name, measured):
    """The losses were measured with one run each."""
    corpus = read(Path(os.environ["CHARRNN_DATA"], name))
    choice = choose(len(corpus.ids), len(corpus.characters()), 2, Limits(minutes=0.5))
    low, high = expected_loss(choice, prepare(corpus, choice.train))
    assert low < measured < high
