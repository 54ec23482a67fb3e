"""A run learns, ends at its limits, and can be stopped and gone on with, bit for bit."""

import errno
import json
import os
from dataclasses import asdict, replace
from itertools import islice, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from charrnn.checkpoints import atomic, container
from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.container import write
from charrnn.checkpoints.output import resume_path
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import (
    CharRNNError,
    CheckpointError,
    ConfigError,
    CorpusError,
    DivergedError,
    UnknownCharacterError,
)
from charrnn.inference.sampling import generate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer

MODEL = ModelConfig("gru", 8, 1, 4, 0.2)
TRAIN = TrainConfig(seq_len=8, batch_size=4, warmup_steps=3)
LIMITS = Limits(max_steps=24, eval_every=5)


def make_text(length=3000, seed=0):
    rng = np.random.default_rng(seed)
    animals, deeds = ["cat", "dog", "old hen", "fox"], ["sat", "ran", "slept"]
    lines = (f"the {rng.choice(animals)} {rng.choice(deeds)} on the mat\n" for _ in range(length))
    return "".join(islice(lines, length // 20 + 1))[:length]


def make_corpus(*texts):
    return Corpus.from_texts(*texts)


CORPUS = make_corpus(make_text())


def make_trainer(out=None, corpus=CORPUS, model=MODEL, train=TRAIN, limits=LIMITS, **options):
    return Trainer.new(corpus, model, train, limits, out, **options)


def finish(trainer):
    return list(trainer.run())


def run_to(trainer, step):
    """Train until `step`, stop there, and return the reports."""
    reports = []
    for report in trainer.run():
        reports.append(report)
        if report.step >= step:
            trainer.stop()
    return reports


def weights(trainer):
    return trainer.parameters.flat


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


def test_the_history_is_that_of_the_evaluations():
    trainer = make_trainer()
    evaluated = [report for report in finish(trainer) if report.evaluation]
    assert trainer.checkpoint().history == [
        HistoryEntry(r.step, r.loss, r.evaluation.nats_per_char) for r in evaluated
    ]


# ---- same run, same bits -------------------------------------------------------------------------


def test_a_run_is_decided_by_its_settings_and_its_seed(tmp_path):
    files = [tmp_path / name for name in ("one", "same", "other")]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        finish(make_trainer(file, train=replace(TRAIN, seed=seed)))
    one, same, other = (load(file).parameters.flat for file in files)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert np.any(one != other)
    np.testing.assert_array_equal(one, same)


VARIANTS = {
    **{name: (MODEL, replace(TRAIN, optimizer=name, schedule="constant")) for name in OPTIMIZERS},
    **{name: (MODEL, replace(TRAIN, schedule=name)) for name in SCHEDULES},
    **{name: (replace(MODEL, cell=name, num_layers=2), TRAIN) for name in CELLS},
    "onehot": (replace(MODEL, embedding_size=0), TRAIN),
    "lines": (MODEL, replace(TRAIN, documents="lines")),
    "weight_decay": (MODEL, replace(TRAIN, optimizer="adamw", weight_decay=0.1)),
    "no validation": (MODEL, replace(TRAIN, valid_fraction=0.0)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, variant):
    model, train = VARIANTS[variant]
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(make_trainer(whole, model=model, train=train))
    stopped = make_trainer(parts, model=model, train=train)
    run_to(stopped, 11)
    assert stopped.stopped
    assert parts.read_bytes() != whole.read_bytes()
    resumed = Trainer.resume(CORPUS, parts)
    assert resumed.counters.step == 11
    assert resumed.notices == []
    finish(resumed)
    assert parts.read_bytes() == whole.read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "model.safetensors"
    reports = finish(make_trainer(out))
    return out.read_bytes(), reports


def comparable(reports):
    """Reports without the clock, and by kind: a stopped run evaluates only when it goes on."""
    return {
        (report.step, report.evaluation is None): replace(
            report,
            seconds=0.0,
            learning_rate=0.0 if report.evaluation else report.learning_rate,
            gradient_norm=0.0 if report.evaluation else report.gradient_norm,
        )
        for report in reports
    }


@pytest.mark.parametrize(
    "steps", [[1], [5], [9], [10], [23], [24], [7, 12], [5, 5, 6], [10, 15, 20]]
)
def test_it_does_not_matter_when_or_how_often(tmp_path, uninterrupted, steps):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    reports = []
    for step in steps:
        reports += run_to(trainer, step)
        trainer = Trainer.resume(CORPUS, out)
    reports += finish(trainer)
    assert out.read_bytes() == uninterrupted[0]
    assert len(reports) == len(uninterrupted[1])
    assert comparable(reports) == comparable(uninterrupted[1])


def test_a_stop_before_the_first_step(tmp_path, uninterrupted):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    trainer.stop()
    assert finish(trainer) == []
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == uninterrupted[0]


@pytest.mark.parametrize("abandoned_at", [6, 13, 24])
def test_a_run_that_was_killed_goes_on_from_its_last_save(tmp_path, uninterrupted, abandoned_at):
    out = tmp_path / "model.safetensors"
    for report in make_trainer(out).run():
        if report.step == abandoned_at:
            break
    resumed = Trainer.resume(CORPUS, out)
    assert resumed.counters.step == (abandoned_at - 1) // 5 * 5
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


def test_evaluating_and_saving_do_not_touch_training(tmp_path):
    seldom = make_trainer(limits=Limits(max_steps=24, eval_every=100))
    often = make_trainer(tmp_path / "model", limits=Limits(max_steps=24, eval_every=1))
    finish(seldom)
    finish(often)
    np.testing.assert_array_equal(weights(often), weights(seldom))
    np.testing.assert_array_equal(often.learner.state, seldom.learner.state)
    np.testing.assert_array_equal(often.learner.moments, seldom.learner.moments)
    assert often.counters.loss == seldom.counters.loss


def test_a_trainer_without_out_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = make_trainer()
    finish(trainer)
    trainer.save()
    assert list(tmp_path.iterdir()) == []


def test_model_and_resume_file_are_all_that_is_written(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    assert list(tmp_path.iterdir()) == []
    finish(trainer)
    assert set(tmp_path.iterdir()) == {out, resume_path(out)}


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        (Limits(max_steps=1), 1),
        (Limits(max_steps=7), 7),
        (Limits(epochs=1), 84),
        (Limits(epochs=0.5), 42),
        (Limits(epochs=0.001), 1),
        (Limits(epochs=1.01), 85),
        (Limits(max_steps=7, epochs=1), 7),
        (Limits(max_steps=900, epochs=0.1, minutes=9), 9),
    ],
)
def test_a_run_ends_at_the_nearest_limit(limits, steps):
    trainer = make_trainer(limits=limits)
    reports = finish(trainer)
    assert (reports[-1].step, reports[-1].progress) == (steps, 1)
    assert not trainer.stopped


@pytest.mark.parametrize("limit", ["epochs", "max_steps", "minutes"])
def test_a_limit_may_be_beyond_reach(limit):
    assert next(make_trainer(limits=Limits(**{limit: 10**12})).run()).step == 1
    for value in (0, -1, 10**400, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=f"{limit} is"):
            Limits(**{limit: value})


@pytest.mark.parametrize("limits", [Limits(minutes=0.002), Limits(minutes=1e-9, max_steps=10**9)])
def test_minutes_end_a_run(limits):
    trainer = make_trainer(limits=limits)
    reports = finish(trainer)
    assert not trainer.stopped
    assert trainer.checkpoint().training.steps == reports[-1].step > 0


def test_a_finished_run_has_nothing_left_to_do(tmp_path, uninterrupted):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    assert finish(Trainer.resume(CORPUS, out)) == []
    assert out.read_bytes() == uninterrupted[0]


def test_a_finished_run_goes_on_to_a_raised_limit(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    reports = finish(Trainer.resume(CORPUS, out, Limits(max_steps=30)))
    assert [report.step for report in reports if not report.evaluation] == list(range(25, 31))
    assert load(out).training.steps == 30


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_steps", 13), ("epochs", 0.15), ("minutes", 5.0), ("eval_every", 2), ("patience", 9)],
)
def test_limits_may_change_and_are_kept(tmp_path, name, value):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    finish(Trainer.resume(CORPUS, out, Limits(**{name: value})))
    limits = Trainer.resume(CORPUS, out).limits
    assert limits == replace(LIMITS, **{name: value})


def test_patience_ends_a_run_that_gets_no_better():
    limits = Limits(max_steps=500, eval_every=1, patience=3)
    trainer = make_trainer(train=replace(TRAIN, learning_rate=0.5), limits=limits)
    evaluated = [report for report in finish(trainer) if report.evaluation]
    assert evaluated[-1].step < 500
    assert [report.best for report in evaluated[-4:]] == [True, False, False, False]
    assert not trainer.stopped


def overfit(tmp_path):
    corpus = make_corpus("abcabcabcabd" * 8 + "dbadcbbadcda")
    train = TrainConfig(seq_len=12, batch_size=4, learning_rate=0.02, valid_fraction=0.12)
    out = tmp_path / "model.safetensors"
    limits = Limits(max_steps=60, eval_every=4)
    trainer = make_trainer(out, corpus, replace(MODEL, dropout=0.0), train, limits)
    best, snapshot = np.inf, None
    for report in trainer.run():
        if report.evaluation and report.best:
            assert report.evaluation.nats_per_char < best
            best, snapshot = report.evaluation.nats_per_char, weights(trainer).copy()
    return trainer, snapshot, best


def test_the_file_holds_the_weights_of_the_best_validation(tmp_path):
    trainer, snapshot, best = overfit(tmp_path)
    assert trainer.history[-1].valid > best + 0.1
    assert min(entry.valid for entry in trainer.history) == best
    np.testing.assert_array_equal(load(trainer.output.path).parameters.flat, snapshot)
    assert np.any(weights(trainer) != snapshot)


def test_without_validation_the_last_weights_are_the_model(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, train=replace(TRAIN, valid_fraction=0.0))
    assert all(report.evaluation is None for report in finish(trainer))
    np.testing.assert_array_equal(load(out).parameters.flat, weights(trainer))
    assert load(out).history == []
    assert trainer.notices == []


# ---- what a resume refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [make_text(seed=1), make_text()[:-1], make_text() + "Ω", "the cat"],
    ids=["other", "shorter", "new character", "too short"],
)
def test_another_corpus_is_refused(tmp_path, text):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="corpus"):
        Trainer.resume(make_corpus(text), out)
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_size", 9), ("cell", "lstm"), ("seed", 1), ("learning_rate", 1.0)]
)
def test_another_setting_is_refused_by_name(tmp_path, name, value):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    same = {**asdict(MODEL), **asdict(TRAIN)}[name]
    assert Trainer.resume(CORPUS, out, **{name: same}).counters.step == 3
    with pytest.raises(ConfigError, match=f"{name} {same}.*--{name.replace('_', '-')}"):
        Trainer.resume(CORPUS, out, **{name: value})


def test_there_must_be_a_run_to_resume(tmp_path):
    out = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"there is no run of .*model\.safetensors"):
        Trainer.resume(CORPUS, out)
    run_to(make_trainer(out), 3)
    resume_path(out).write_bytes(out.read_bytes())
    with pytest.raises(CheckpointError, match="is a model"):
        Trainer.resume(CORPUS, out)


def test_a_damaged_resume_file_is_refused_and_nothing_else(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    good = resume_path(out).read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(good), 60):
        damaged = bytearray(good)
        damaged[position] ^= 1 << int(rng.integers(8))
        resume_path(out).write_bytes(damaged)
        with pytest.raises(CharRNNError):
            Trainer.resume(CORPUS, out)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("config", {"hidden_size": 10**7}),
        ("config", {"hidden_size": 9}),
        ("training", {"learning_rate": 10**400}),
        ("training", {"seed": -1}),
        ("training", {"optimizer": "sgd"}),
        ("limits", {"minutes": 10**400}),
        ("limits", {"max_steps": 0.5}),
        ("counters", {"step": "6"}),
        ("counters", {"step": 10**400}),
        ("counters", {"step": -1}),
        ("counters", {"seconds": 1e300}),
        ("counters", {"unknown": 1}),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_forged_resume_file_is_refused(tmp_path, part, change):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    with safe_open(resume_path(out), framework="np") as file:
        document = json.loads(file.metadata()["charrnn"])
    document[part].update(change)
    write(resume_path(out), "resume", load_file(resume_path(out)), document)
    with pytest.raises(CheckpointError):
        Trainer.resume(CORPUS, out)


@pytest.mark.parametrize("history", [None, {}, [3], [{}], [{"step": 5, "train": 1, "valid": "1"}]])
def test_a_forged_history_is_refused(tmp_path, history):
    """It would get into the model, which could not be read any more."""
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    with safe_open(resume_path(out), framework="np") as file:
        document = json.loads(file.metadata()["charrnn"])
    write(resume_path(out), "resume", load_file(resume_path(out)), {**document, "history": history})
    with pytest.raises(CheckpointError, match="is damaged"):
        Trainer.resume(CORPUS, out)


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_lost_model_is_written_anew(tmp_path, uninterrupted, change):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    change(out)
    resumed = Trainer.resume(CORPUS, out)
    assert any("written anew" in notice for notice in resumed.notices)
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


def test_another_machine_is_noticed(tmp_path, monkeypatch):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    monkeypatch.setattr("charrnn.training.trainer.fingerprint", lambda _: {"numpy": "0"})
    assert any("bit for bit" in notice for notice in Trainer.resume(CORPUS, out).notices)


# ---- starting from a model -----------------------------------------------------------------------


def trained(model=MODEL):
    trainer = make_trainer(model=model, limits=Limits(max_steps=3))
    finish(trainer)
    return trainer.checkpoint()


@pytest.mark.parametrize("embedding_size", [4, 0], ids=["embedding", "onehot"])
def test_init_from_keeps_the_weights_and_adds_characters(embedding_size):
    start = trained(replace(MODEL, embedding_size=embedding_size))
    trainer = Trainer.new(make_corpus("Zebra Ω " + make_text()), train=TRAIN, init_from=start)
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


def test_init_from_may_change_dropouts_alone():
    start = trained()
    other = replace(MODEL, dropout=0.5, weight_dropout=0.25)
    assert make_trainer(model=other, init_from=start).config == other
    for change in ({"cell": "lstm"}, {"hidden_size": 9}, {"num_layers": 2}, {"embedding_size": 0}):
        with pytest.raises(ConfigError, match=next(iter(change))):
            make_trainer(model=replace(MODEL, **change), init_from=start)


def test_a_run_that_began_from_a_model_resumes(tmp_path):
    start = trained()
    corpus = make_corpus("Zebra Ω " + make_text())
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    finish(make_trainer(whole, corpus, init_from=start))
    run_to(make_trainer(parts, corpus, init_from=start), 11)
    finish(Trainer.resume(corpus, parts))
    assert parts.read_bytes() == whole.read_bytes()


# ---- divergence ----------------------------------------------------------------------------------

WILD = replace(TRAIN, optimizer="sgd", learning_rate=1e6, clip_norm=0.0, warmup_steps=0)


@pytest.mark.parametrize("save_every", [1, 100])
@pytest.mark.parametrize("valid_fraction", [0.0, 0.1])
def test_divergence_goes_back_once_and_then_ends_the_run(tmp_path, save_every, valid_fraction):
    out = tmp_path / "model.safetensors"
    limits = replace(LIMITS, save_every=save_every)
    train = replace(WILD, valid_fraction=valid_fraction)
    reports = []
    with pytest.raises(DivergedError, match="learning-rate"):
        reports.extend(make_trainer(out, train=train, limits=limits).run())
    (notice,) = [report.notice for report in reports if report.notice]
    assert "back to step" in notice
    assert "a tenth of the learning rate" in notice
    if out.exists():
        assert np.isfinite(load(out).parameters.flat).all()


def diverge_at(trainer, steps):
    """Make the network's loss NaN at each of `steps`, once for each time it is listed."""
    left = list(steps)
    train = trainer.learner.network.train

    def failing(*arguments):
        loss, state, d_state = train(*arguments)
        if trainer.counters.step in left:
            left.remove(trainer.counters.step)
            loss = np.nan
        return loss, state, d_state

    trainer.learner.network.train = failing
    return trainer


def test_after_a_divergence_the_run_goes_on_from_its_last_save_with_a_tenth_of_the_rate(tmp_path):
    out = tmp_path / "model.safetensors"
    reports = finish(diverge_at(make_trainer(out, train=replace(TRAIN, schedule="constant")), [12]))
    (notice,) = [report for report in reports if report.notice]
    assert notice.notice.startswith("training diverged at step 12: back to step 10")
    assert notice.step == 10
    after = reports[reports.index(notice) + 1 :]
    assert [report.step for report in after if not report.evaluation] == list(range(11, 25))
    assert {report.learning_rate for report in after} == {TRAIN.learning_rate / 10}
    resumed = Trainer.resume(CORPUS, out, Limits(max_steps=25))
    assert resumed.counters.learning_rate_scale == 0.1


def test_what_is_on_disk_after_a_second_divergence_is_the_last_good_model(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = diverge_at(make_trainer(out), [12, 17])
    with pytest.raises(DivergedError, match="last good model"):
        finish(trainer)
    assert load(out).history[-1].step == 15
    assert Trainer.resume(CORPUS, out).counters.step == 15


@pytest.mark.parametrize("stops", [[12], [10], [3], [11, 13], [9, 10]])
def test_a_divergence_after_a_stop_goes_back_to_where_it_would_have_without(tmp_path, stops):
    """Which is the last save that was due, or the beginning, and not where it was stopped."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    at = stops[-1] + 1
    finish(diverge_at(make_trainer(whole), [at]))
    trainer = make_trainer(parts)
    for step in stops:
        run_to(trainer, step)
        trainer = Trainer.resume(CORPUS, parts)
    finish(diverge_at(trainer, [at]))
    assert parts.read_bytes() == whole.read_bytes()


def test_a_run_stopped_in_a_validation_that_diverges_goes_back_before_it(tmp_path, monkeypatch):
    files = [tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"]
    for file in files:
        trainer = make_trainer(file)
        if file.stem == "parts":
            run_to(trainer, 10)  # where the validation is still due
            trainer = Trainer.resume(CORPUS, file)
        losses, failed = trainer.learner.judge.losses, []

        def failing(*arguments, losses=losses, trainer=trainer, failed=failed):
            loss, correct, state = losses(*arguments)
            if trainer.counters.step == 10 and not failed:
                failed.append(10)
                loss = loss * np.nan
            return loss, correct, state

        monkeypatch.setattr(trainer.learner.judge, "losses", failing)
        assert any("back to step 5" in r.notice for r in finish(trainer) if r.notice)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_only_a_run_stopped_between_its_saves_keeps_two_moments(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    stopped = resume_path(out).stat().st_size
    finish(Trainer.resume(CORPUS, out))
    assert resume_path(out).stat().st_size < 0.7 * stopped


def test_a_second_divergence_without_out_names_no_file():
    with pytest.raises(DivergedError) as caught:
        finish(diverge_at(make_trainer(), [12, 17]))
    assert "None" not in str(caught.value)


def test_a_validation_that_is_not_finite_is_a_divergence(monkeypatch):
    trainer = make_trainer(limits=Limits(max_steps=10, eval_every=5))
    losses = trainer.learner.judge.losses
    calls = []

    def failing(*arguments):
        calls.append(trainer.counters.step)
        loss, correct, state = losses(*arguments)
        return (loss * np.nan if calls == [5, 10] else loss), correct, state

    monkeypatch.setattr(trainer.learner.judge, "losses", failing)
    reports = finish(trainer)
    (notice,) = [report.notice for report in reports if report.notice]
    assert notice.startswith("training diverged at step 10: back to step 5")
    assert reports[-1].step == 10
    assert reports[-1].evaluation is not None


# ---- texts ---------------------------------------------------------------------------------------


def test_sizes_shrink_to_a_short_text_with_a_notice():
    trainer = make_trainer(corpus=make_corpus(make_text(100)), train=TrainConfig())
    sizes = trainer.data.config.batch_size, trainer.data.config.seq_len
    assert sizes[0] * sizes[1] <= 90
    (notice,) = trainer.notices
    assert notice.startswith("the corpus has 90 characters to train on")
    assert notice.endswith(f"made it batch_size {sizes[0]} x seq_len {sizes[1]}")
    finish(trainer)
    config = trainer.checkpoint().training.config
    assert (config.batch_size, config.seq_len) == sizes


def test_a_run_with_shrunk_sizes_resumes(tmp_path):
    corpus, out = make_corpus(make_text(100)), tmp_path / "model"
    run_to(make_trainer(out, corpus, train=TrainConfig()), 5)
    resumed = Trainer.resume(corpus, out, batch_size=32)
    assert resumed.train_config == TrainConfig(shards=1)
    finish(resumed)
    assert load(out).training.steps == 24


@pytest.mark.parametrize("text", ["a", "ab", "\n"])
def test_a_text_too_short_to_learn_from_is_refused(text):
    with pytest.raises(CorpusError, match=r"[01] characters? to train on"):
        make_trainer(corpus=make_corpus(text))


@pytest.mark.parametrize("text", ["abc", "aaaa", "ab" * 9])
def test_the_shortest_texts_train(text):
    trainer = make_trainer(corpus=make_corpus(text), train=replace(TRAIN, valid_fraction=0.0))
    assert finish(trainer)[-1].step == 24


def test_too_little_to_validate_on_is_noticed():
    trainer = make_trainer(corpus=make_corpus("abcdefghij"), train=replace(TRAIN, seq_len=2))
    assert any("too little text is held out" in notice for notice in trainer.notices)
    assert all(report.evaluation is None for report in finish(trainer))


def test_the_notices_of_the_corpus_are_passed_on():
    corpus = replace(CORPUS, notices=("CRLF line ends were read as LF",))
    assert make_trainer(corpus=corpus, valid=corpus).notices == list(2 * corpus.notices)


def test_the_held_out_part_is_in_the_alphabet():
    assert make_trainer(corpus=make_corpus(make_text() + "Ω")).data.tokenizer.alphabet.endswith("Ω")


def test_a_corpus_of_its_own_to_validate_on():
    valid = make_corpus(make_text(500, seed=5))
    trainer = make_trainer(valid=valid)
    assert len(trainer.data.text) == 3000
    assert len(trainer.data.valid) == 500
    strange = make_corpus("the cat 🎶 sat")
    with pytest.raises(UnknownCharacterError, match=r"U\+1F3B6"):
        make_trainer(valid=strange)
    assert len(make_trainer(valid=strange, unknown="skip").data.valid) == 12


def test_the_validation_corpus_belongs_to_the_run(tmp_path):
    valid, out = make_corpus(make_text(500, seed=5)), tmp_path / "model"
    run_to(make_trainer(out, valid=valid), 3)
    assert Trainer.resume(CORPUS, out, valid=valid).counters.step == 3
    for other in (None, make_corpus(make_text(500, seed=6))):
        with pytest.raises(ConfigError, match="--valid"):
            Trainer.resume(CORPUS, out, valid=other)


@pytest.mark.parametrize(
    ("texts", "documents"),
    [(["ab" * 50], "lines"), (["ab" * 50], "paragraphs")],
)
def test_line_ends_that_splitting_adds_are_in_the_alphabet(texts, documents):
    train = replace(TRAIN, documents=documents)
    assert "\n" in make_trainer(corpus=make_corpus(*texts), train=train).data.tokenizer.alphabet


def test_lines_start_fresh_and_samples_end_with_them():
    train = TrainConfig(seq_len=24, batch_size=8, learning_rate=0.02, documents="lines")
    trainer = make_trainer(model=replace(MODEL, hidden_size=16), train=train)
    finish(trainer)
    text = trainer.data.text
    assert set(trainer.data.tokenizer.decode(text.ids[text.ends])) == {"\n"}
    samples = generate(trainer.checkpoint(), length=2000, num_samples=3, seed=1)
    assert len(samples) == 3
    assert all("\n" not in sample.removesuffix("\n") for sample in samples)


# ---- what is written where -----------------------------------------------------------------------


def test_an_out_that_cannot_be_written_is_refused_before_training(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        make_trainer(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        make_trainer(tmp_path / "missing" / "model")
    with pytest.raises(CheckpointError, match="name too long"):
        make_trainer(tmp_path / ("x" * 240))  # its resume file's name is the longer one


def test_the_checkpoint_says_how_it_was_trained():
    trainer = make_trainer()
    finish(trainer)
    checkpoint = trainer.checkpoint()
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.config == MODEL
    assert checkpoint.tokenizer.alphabet == Tokenizer.from_text(make_text()).alphabet
    assert checkpoint.training == TrainingRecord(
        replace(TRAIN, shards=1), steps=24, characters=2700, corpus=CORPUS.digest
    )


def test_a_checkpoint_does_not_change_while_training_goes_on():
    trainer = make_trainer()
    run_to(trainer, 11)
    checkpoint = trainer.checkpoint()
    before, history = checkpoint.parameters.flat.copy(), list(checkpoint.history)
    trainer._stop_requested = False
    finish(trainer)
    np.testing.assert_array_equal(checkpoint.parameters.flat, before)
    assert checkpoint.history == history


def test_training_reads_the_chunks_of_its_streams_in_order(monkeypatch):
    steps = []
    chunk = Streams.chunk
    monkeypatch.setattr(Streams, "chunk", lambda self, n: steps.append(n) or chunk(self, n))
    finish(make_trainer())
    assert steps == list(range(24))


# ---- what reviewers found ------------------------------------------------------------------------


def test_an_existing_model_or_resume_file_is_not_lost(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    for lost in (out, resume_path(out)):
        with pytest.raises(CheckpointError, match="--overwrite"):
            make_trainer(out)
        lost.unlink()
    run_to(make_trainer(out), 3)
    assert Trainer.new(CORPUS, MODEL, TRAIN, Limits(max_steps=1), out, overwrite=True)


def test_what_charrnn_did_not_write_is_never_overwritten(tmp_path):
    text = tmp_path / "novel.txt"
    text.write_text("my only copy")
    with pytest.raises(CheckpointError, match=r"is no model file"):
        Trainer.new(CORPUS, MODEL, TRAIN, out=text, overwrite=True)
    with pytest.raises(CheckpointError, match="another one with --out"):
        make_trainer(tmp_path / "a.resume.safetensors")
    assert text.read_text() == "my only copy"


def test_a_stop_during_the_last_evaluation_leaves_that_to_do(tmp_path):
    out, whole = tmp_path / "model.safetensors", tmp_path / "whole.safetensors"
    finish(make_trainer(whole))
    trainer = make_trainer(out)
    losses = trainer.learner.judge.losses

    def stopping(*arguments):
        if trainer.counters.step == 24:
            trainer.stop()
        return losses(*arguments)

    trainer.learner.judge.losses = stopping
    finish(trainer)
    assert trainer.stopped
    assert not trainer.finished()
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == whole.read_bytes()


def test_a_finished_run_knows_what_ended_it(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    resumed = Trainer.resume(CORPUS, out)
    assert resumed.finished()
    assert resumed.counters.ended_by == "max_steps"
    assert finish(resumed) == []
    assert not Trainer.resume(CORPUS, out, Limits(max_steps=30)).finished()


def test_a_run_may_be_stopped_and_gone_on_with_in_one_process(tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(make_trainer(whole))
    trainer = make_trainer(parts)
    run_to(trainer, 11)
    assert trainer.stopped
    finish(trainer)
    assert parts.read_bytes() == whole.read_bytes()


def test_a_validation_far_worse_than_knowing_nothing_is_a_divergence(tmp_path):
    wild = replace(TRAIN, optimizer="sgd", learning_rate=1e9, clip_norm=0.0, warmup_steps=0)
    out = tmp_path / "model.safetensors"
    with pytest.raises(DivergedError):
        finish(make_trainer(out, train=wild, limits=Limits(max_steps=9, eval_every=1)))
    assert not out.exists()


def test_the_gradient_norm_is_that_before_any_clipping():
    norms = []
    for clipped in ({}, {"clip_value": 1e-6}, {"clip_norm": 1e-6}):
        trainer = make_trainer(train=replace(TRAIN, **({"clip_norm": 0.0} | clipped)))
        norms.append(next(trainer.run()).gradient_norm)
    assert norms[0] == norms[1] == norms[2] > 0


@pytest.mark.parametrize("failure", [f("no space left") for f in (CheckpointError, MemoryError)])
def test_a_save_that_fails_is_told_and_tried_again(tmp_path, monkeypatch, failure):
    out = tmp_path / "model.safetensors"
    write, calls = container.write_atomically, []

    def failing(path, data):
        calls.append(path)
        if len(calls) == 1:
            raise failure
        write(path, data)

    monkeypatch.setattr(container, "write_atomically", failing)
    reports = finish(make_trainer(out))
    assert ["no space left" in r.notice for r in reports if r.notice] == [True]
    assert load(out).training.steps == 24


@pytest.fixture
def full_disk(monkeypatch):
    """Let no write succeed from now on, but for the number of them that is given."""

    def fill(left=0):
        def refuse(path, data):
            nonlocal left
            if not left:
                raise CheckpointError("no space left")
            left -= 1
            write(path, data)

        write = container.write_atomically
        monkeypatch.setattr(container, "write_atomically", refuse)

    return fill


def test_too_little_room_is_found_before_training(tmp_path, monkeypatch):
    out = tmp_path / "model.safetensors"
    disk = SimpleNamespace(total=10**6, free=50_000)
    monkeypatch.setattr("charrnn.checkpoints.output.shutil.disk_usage", lambda _: disk)
    run_to(make_trainer(out), 2)
    taken = out.stat().st_size + resume_path(out).stat().st_size
    disk.free -= taken
    Trainer.resume(CORPUS, out)  # what it writes takes the place of what is there
    disk.free = 5_000
    for make in (make_trainer, lambda out: Trainer.resume(CORPUS, out)):
        out = tmp_path / ("other.safetensors" if make is make_trainer else "model.safetensors")
        with pytest.raises(CheckpointError, match=r"0\.0 MB free .* --out"):
            make(out)
    disk.total = disk.free = 0  # not known
    make_trainer(tmp_path / "other.safetensors")


def test_what_could_not_be_saved_at_the_end_can_be_saved_later(
    tmp_path, full_disk, monkeypatch, uninterrupted
):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=100))
    full_disk()
    with pytest.raises(CheckpointError, match="no space left"):
        finish(trainer)
    assert trainer.counters.step == 24
    monkeypatch.undo()
    assert finish(trainer) == []
    assert out.read_bytes() == uninterrupted[0]
    assert trainer.finished()


def test_a_save_that_fails_after_its_file_is_in_place_is_still_ours(
    tmp_path, monkeypatch, uninterrupted
):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=100))
    monkeypatch.setattr(atomic, "sync_folder", failing_disk)
    with pytest.raises(CheckpointError, match="Input/output"):
        finish(trainer)
    monkeypatch.undo()
    assert out.exists()
    finish(trainer)
    assert out.read_bytes() == uninterrupted[0]


def failing_disk(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_model_beside_the_resume_file_of_another_run_is_noticed(
    tmp_path, full_disk, monkeypatch, uninterrupted
):
    """So a disk that fills up leaves them when a run is overwritten."""
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 7)
    full_disk(left=1)
    other = make_trainer(out, train=replace(TRAIN, seed=5), overwrite=True)
    with pytest.raises(CheckpointError, match="no space left"):
        run_to(other, 2)
    monkeypatch.undo()
    assert load(out).training.config.seed == 5
    before = out.read_bytes()
    with pytest.raises(CheckpointError, match=r"are of two runs.*--init-from"):
        Trainer.resume(CORPUS, out)
    assert out.read_bytes() == before
    out.rename(tmp_path / "other.safetensors")
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == uninterrupted[0]


def test_a_model_one_save_ahead_of_its_resume_file_is_noticed_and_no_harm(
    tmp_path, full_disk, monkeypatch, uninterrupted
):
    out = tmp_path / "model.safetensors"
    full_disk(left=3)
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=5))
    with pytest.raises(CheckpointError):
        run_to(trainer, 10)
    monkeypatch.undo()
    resumed = Trainer.resume(CORPUS, out)
    assert (load(out).training.steps, resumed.counters.step) == (10, 5)
    assert any("not of the same moment" in notice for notice in resumed.notices)
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


def test_whole_numbers_for_floats_make_the_same_file(tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file, decay in zip(files, (0, 0.0), strict=True):
        finish(make_trainer(file, train=replace(TRAIN, weight_decay=decay)))
    assert files[0].read_bytes() == files[1].read_bytes()
