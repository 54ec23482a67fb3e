"""A run learns and reports, and its bits depend only on its settings."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import ConfigError
from charrnn.inference.sampling import generate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, run_to
from tests.tiny import CORPUS, MODEL, TRAIN, make_text, make_trainer

# ---- learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [8, 0], ids=["embedding", "onehot"])
def test_the_loss_falls(cell, embedding_size):
    model = ModelConfig(cell, 24, 1, embedding_size, 0.0)
    train = TrainConfig(seq_len=24, batch_size=8, learning_rate=0.02)
    trainer = make_trainer(model=model, train=train, limits=Limits(max_steps=150, eval_every=50))
    evaluations = [report.evaluation for report in finish(trainer) if report.evaluation]
    first, second, third = (evaluation.nats_per_char for evaluation in evaluations)
    assert third < second < first < np.log(len(trainer.data.tokenizer))
    assert third < 1
    assert evaluations[-1].accuracy > 0.7


def test_two_layers_learn_too():
    train = TrainConfig(seq_len=16, batch_size=8, learning_rate=0.02)
    trainer = make_trainer(
        model=replace(MODEL, num_layers=2), train=train, limits=Limits(max_steps=80)
    )
    reports = finish(trainer)
    assert reports[-1].loss < 0.8 * reports[0].loss


def test_training_reads_the_chunks_of_its_streams_in_order(monkeypatch):
    steps = []
    chunk = Streams.chunk
    monkeypatch.setattr(Streams, "chunk", lambda self, n: steps.append(n) or chunk(self, n))
    finish(make_trainer())
    assert steps == list(range(24))


def test_the_state_is_reset_at_each_line_and_samples_end_with_a_line():
    train = TrainConfig(seq_len=24, batch_size=8, learning_rate=0.02, documents="lines")
    trainer = make_trainer(model=replace(MODEL, hidden_size=16), train=train)
    finish(trainer)
    text = trainer.data.text
    assert set(trainer.data.tokenizer.decode(text.ids[text.ends])) == {"\n"}
    samples = generate(trainer.checkpoint(), length=2000, num_samples=3, seed=1)
    assert len(samples) == 3
    assert all("\n" not in sample.removesuffix("\n") for sample in samples)


def test_the_reported_gradient_norm_is_before_clipping():
    norms = []
    for clipped in ({}, {"clip_value": 1e-6}, {"clip_norm": 1e-6}):
        trainer = make_trainer(train=replace(TRAIN, **({"clip_norm": 0.0} | clipped)))
        norms.append(next(trainer.run()).gradient_norm)
    assert norms[0] == norms[1] == norms[2] > 0


# ---- reports -------------------------------------------------------------------------------------


def test_a_run_reports_every_step_and_every_evaluation():
    trainer = make_trainer()
    reports = finish(trainer)
    steps = [report for report in reports if report.evaluation is None]
    assert [report.step for report in steps] == list(range(1, 25))
    assert [report.step for report in reports if report.evaluation] == [5, 10, 15, 20, 24]
    assert [report.characters for report in steps] == [32 * report.step for report in steps]
    assert [report.progress for report in steps] == [report.step / 24 for report in steps]
    assert all(report.epoch == report.step / (2700 // 32) for report in reports)
    assert all(report.gradient_norm > 0 and report.loss > 0 for report in reports)
    assert all(one.seconds <= other.seconds for one, other in pairwise(steps))
    assert all(report.notice is None for report in reports)
    assert reports[-1].progress == 1
    assert not trainer.stopped
    assert trainer.notices == []


def test_the_reported_rate_warms_up_and_follows_the_schedule():
    train = replace(TRAIN, schedule="linear", learning_rate=0.01, warmup_steps=4)
    rates = [r.learning_rate for r in finish(make_trainer(train=train)) if not r.evaluation]
    expected = [0.01 * min(1, (step + 1) / 4) * (1 - step / 24) for step in range(24)]
    assert rates == pytest.approx(expected)


def test_the_history_lists_the_evaluations():
    trainer = make_trainer()
    evaluated = [report for report in finish(trainer) if report.evaluation]
    assert trainer.checkpoint().history == [
        HistoryEntry(r.step, r.loss, r.evaluation.nats_per_char) for r in evaluated
    ]


# ---- the model -----------------------------------------------------------------------------------


def overfit(tmp_path):
    corpus = Corpus.from_texts("abcabcabcabd" * 8 + "dbadcbbadcda")
    train = TrainConfig(seq_len=12, batch_size=4, learning_rate=0.02, valid_fraction=0.12)
    out = tmp_path / "model.safetensors"
    limits = Limits(max_steps=60, eval_every=4)
    trainer = make_trainer(out, corpus, replace(MODEL, dropout=0.0), train, limits)
    best, snapshot = np.inf, None
    for report in trainer.run():
        if report.evaluation and report.best:
            assert report.evaluation.nats_per_char < best
            best, snapshot = report.evaluation.nats_per_char, trainer.parameters.flat.copy()
    return trainer, snapshot, best


def test_the_file_holds_the_weights_with_the_best_validation_loss(tmp_path):
    trainer, snapshot, best = overfit(tmp_path)
    assert trainer.history[-1].valid > best + 0.1
    assert min(entry.valid for entry in trainer.history) == best
    np.testing.assert_array_equal(load(trainer.output.path).parameters.flat, snapshot)
    assert np.any(trainer.parameters.flat != snapshot)


def test_without_validation_the_last_weights_are_saved(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, train=replace(TRAIN, valid_fraction=0.0))
    assert all(report.evaluation is None for report in finish(trainer))
    np.testing.assert_array_equal(load(out).parameters.flat, trainer.parameters.flat)
    assert load(out).history == []
    assert trainer.notices == []


def test_the_checkpoint_records_how_it_was_trained():
    trainer = make_trainer()
    finish(trainer)
    checkpoint = trainer.checkpoint()
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.config == MODEL
    assert checkpoint.tokenizer.alphabet == Tokenizer.from_text(make_text()).alphabet
    assert checkpoint.training == TrainingRecord(
        replace(TRAIN, shards=1, hold_out="last"), steps=24, characters=2700, corpus=CORPUS.digest
    )


def test_a_checkpoint_does_not_change_while_training_continues():
    trainer = make_trainer()
    run_to(trainer, 11)
    checkpoint = trainer.checkpoint()
    before, history = checkpoint.parameters.flat.copy(), list(checkpoint.history)
    trainer._stop_requested = False
    finish(trainer)
    np.testing.assert_array_equal(checkpoint.parameters.flat, before)
    assert checkpoint.history == history


# ---- same run, same bits -------------------------------------------------------------------------


def test_settings_and_seed_determine_a_run(tmp_path):
    files = [tmp_path / name for name in ("one", "same", "other")]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        finish(make_trainer(file, train=replace(TRAIN, seed=seed)))
    one, same, other = (load(file).parameters.flat for file in files)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert np.any(one != other)
    np.testing.assert_array_equal(one, same)


def test_evaluating_and_saving_do_not_affect_training(tmp_path):
    seldom = make_trainer(limits=Limits(max_steps=24, eval_every=100))
    often = make_trainer(tmp_path / "model", limits=Limits(max_steps=24, eval_every=1))
    finish(seldom)
    finish(often)
    np.testing.assert_array_equal(often.parameters.flat, seldom.parameters.flat)
    np.testing.assert_array_equal(often.learner.state, seldom.learner.state)
    np.testing.assert_array_equal(often.learner.moments, seldom.learner.moments)
    assert often.counters.loss == seldom.counters.loss


def test_integers_for_floats_make_the_same_file(tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file, decay in zip(files, (0, 0.0), strict=True):
        finish(make_trainer(file, train=replace(TRAIN, weight_decay=decay)))
    assert files[0].read_bytes() == files[1].read_bytes()


# ---- starting from a model -----------------------------------------------------------------------


def trained(model=MODEL):
    trainer = make_trainer(model=model, limits=Limits(max_steps=3))
    finish(trainer)
    return trainer.checkpoint()


@pytest.mark.parametrize("embedding_size", [4, 0], ids=["embedding", "onehot"])
def test_init_from_keeps_the_weights_and_adds_characters(embedding_size):
    start = trained(replace(MODEL, embedding_size=embedding_size))
    trainer = Trainer.new(Corpus.from_texts("Zebra Ω " + make_text()), train=TRAIN, init_from=start)
    assert trainer.config == start.config
    assert trainer.data.tokenizer.alphabet == start.tokenizer.alphabet + "ZbΩ"
    for name, old in start.parameters.items():
        new = trainer.parameters[name]
        np.testing.assert_array_equal(new[tuple(map(slice, old.shape))], old)
        assert new.ndim == old.ndim
    table = "embedding.weight" if embedding_size else "rnn.weight_ih_l0"
    added = trainer.parameters[table]
    assert np.all(added[-3:] if embedding_size else added[:, -3:])
    assert len(finish(trainer_with(trainer, 2))) >= 2


def trainer_with(trainer, steps):
    trainer.limits = Limits(max_steps=steps)
    return trainer


def test_init_from_may_change_only_the_dropouts():
    start = trained()
    other = replace(MODEL, dropout=0.5, weight_dropout=0.25)
    assert make_trainer(model=other, init_from=start).config == other
    for change in ({"cell": "lstm"}, {"hidden_size": 9}, {"num_layers": 2}, {"embedding_size": 0}):
        with pytest.raises(ConfigError, match=next(iter(change))):
            make_trainer(model=replace(MODEL, **change), init_from=start)


def test_a_run_started_from_a_model_resumes(tmp_path):
    start = trained()
    corpus = Corpus.from_texts("Zebra Ω " + make_text())
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    finish(make_trainer(whole, corpus, init_from=start))
    run_to(make_trainer(parts, corpus, init_from=start), 11)
    finish(Trainer.resume(corpus, parts))
    assert parts.read_bytes() == whole.read_bytes()
