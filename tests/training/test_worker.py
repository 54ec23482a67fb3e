"""A step is the same for any number of workers: the bits depend only on the shards."""

from dataclasses import replace

import numpy as np
import pytest

from charrnn.checkpoints.records import TrainConfig
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, run_to
from tests.tiny import CORPUS, TRAIN, make_trainer

DEEP = ModelConfig("lstm", hidden_size=8, num_layers=2, embedding_size=4, dropout=0.3)
SHARDED = replace(TRAIN, shards=2)


@pytest.mark.parametrize("workers", [(1, 1), (2, 1), (1, 2), (2, 2)], ids=str)
def test_the_bits_depend_on_the_shards_and_not_on_the_workers(tmp_path, workers):
    """Also if the run is resumed with another number of workers."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(make_trainer(whole, model=DEEP, train=SHARDED))
    run_to(make_trainer(parts, model=DEEP, train=SHARDED, workers=workers[0]), 11)
    finish(Trainer.resume(CORPUS, parts, workers=workers[1]))
    assert parts.read_bytes() == whole.read_bytes()


def test_different_numbers_of_shards_agree_closely():
    weights = []
    for shards in (1, 2, 4):
        model = ModelConfig("gru", hidden_size=8, embedding_size=4, dropout=0.0)
        train = TrainConfig(seq_len=8, batch_size=8, optimizer="sgd", shards=shards)
        trainer = make_trainer(model=model, train=train, limits=Limits(max_steps=10))
        finish(trainer)
        weights.append(trainer.parameters.flat.copy())
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], rtol=0, atol=1e-5)


def test_workers_may_change_without_a_notice(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out, workers=2), 11)
    assert Trainer.resume(CORPUS, out, workers=1).notices == []


def test_a_short_text_reduces_the_workers():
    train = TrainConfig(seq_len=8, batch_size=50)
    corpus = Corpus.from_texts("the cat sat on it\n" * 12)
    assert make_trainer(corpus=corpus, train=train, workers=2).workers == 1


def test_an_error_in_a_step_restores_the_last_good_state():
    trainer = make_trainer()
    before = trainer.parameters.flat.copy()
    reports = trainer.run()
    next(reports)
    trainer.learner.network.train = None
    with pytest.raises(TypeError):
        next(reports)
    np.testing.assert_array_equal(trainer.parameters.flat, before)
    assert trainer.counters.step == 0
