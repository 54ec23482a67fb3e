"""A diverging run rolls back once, then ends; the files on disk stay intact."""

from dataclasses import replace

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.output import resume_path
from charrnn.errors import DivergedError
from charrnn.nn.model import Reader
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, run_to
from tests.tiny import CORPUS, LIMITS, TRAIN, make_trainer

WILD = replace(TRAIN, optimizer="sgd", learning_rate=1e6, clip_norm=0.0, warmup_steps=0)


@pytest.mark.parametrize("save_every", [1, 100])
@pytest.mark.parametrize("valid_fraction", [0.0, 0.1])
def test_divergence_rolls_back_once_and_then_ends_the_run(tmp_path, save_every, valid_fraction):
    out = tmp_path / "model.safetensors"
    limits = replace(LIMITS, save_every=save_every)
    train = replace(WILD, valid_fraction=valid_fraction)
    reports = []
    with pytest.raises(DivergedError, match="learning_rate"):
        reports.extend(make_trainer(out, train=train, limits=limits).run())
    (notice,) = [report.notice for report in reports if report.notice]
    assert "continuing from step" in notice
    assert "a tenth of the learning rate" in notice
    if out.exists():
        assert np.isfinite(load(out).parameters.flat).all()


def diverge_at(trainer, steps):
    """Make the loss NaN at each of `steps`, once per listed step."""
    left = list(steps)
    train = trainer.learner.network.train

    def failing(*arguments, **keywords):
        loss, state, d_state = train(*arguments, **keywords)
        if trainer.counters.step in left:
            left.remove(trainer.counters.step)
            loss = np.nan
        return loss, state, d_state

    trainer.learner.network.train = failing
    return trainer


def test_after_a_divergence_the_run_continues_from_its_last_save_with_a_tenth_of_the_rate(tmp_path):
    out = tmp_path / "model.safetensors"
    reports = finish(diverge_at(make_trainer(out, train=replace(TRAIN, schedule="constant")), [12]))
    (notice,) = [report for report in reports if report.notice]
    assert notice.notice.startswith("training diverged at step 12; continuing from step 10")
    assert notice.step == 10
    after = reports[reports.index(notice) + 1 :]
    assert [report.step for report in after if not report.evaluation] == list(range(11, 25))
    assert {report.learning_rate for report in after} == {TRAIN.learning_rate / 10}
    resumed = Trainer.resume(CORPUS, out, limits=Limits(max_steps=25))
    assert resumed.counters.learning_rate_scale == 0.1


def test_after_a_second_divergence_the_file_holds_the_last_good_model(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = diverge_at(make_trainer(out), [12, 17])
    with pytest.raises(DivergedError, match="last good model"):
        finish(trainer)
    assert load(out).history[-1].step == 15
    assert Trainer.resume(CORPUS, out).counters.step == 15


def test_a_second_divergence_without_out_names_no_file():
    with pytest.raises(DivergedError) as caught:
        finish(diverge_at(make_trainer(), [12, 17]))
    assert "None" not in str(caught.value)


# ---- in validation -------------------------------------------------------------------------------


def test_a_validation_loss_that_is_not_finite_is_a_divergence(monkeypatch):
    trainer = make_trainer(limits=Limits(max_steps=10, eval_every=5))
    losses = Reader.losses
    calls = []

    def failing(*arguments):
        calls.append(trainer.counters.step)
        loss, correct, state = losses(*arguments)
        return (loss * np.nan if calls == [5, 10] else loss), correct, state

    monkeypatch.setattr(Reader, "losses", failing)
    reports = finish(trainer)
    (notice,) = [report.notice for report in reports if report.notice]
    assert notice.startswith("training diverged at step 10; continuing from step 5")
    assert reports[-1].step == 10
    assert reports[-1].evaluation is not None


def test_a_validation_loss_far_above_a_uniform_prediction_is_a_divergence(tmp_path):
    wild = replace(TRAIN, optimizer="sgd", learning_rate=1e9, clip_norm=0.0, warmup_steps=0)
    out = tmp_path / "model.safetensors"
    with pytest.raises(DivergedError):
        finish(make_trainer(out, train=wild, limits=Limits(max_steps=9, eval_every=1)))
    assert not out.exists()


# ---- after a stop --------------------------------------------------------------------------------


@pytest.mark.parametrize("stops", [[12], [10], [3], [11, 13], [9, 10]])
def test_a_divergence_after_a_stop_rolls_back_as_without_the_stop(tmp_path, stops):
    """It rolls back to the last scheduled save or the beginning, not to the stop."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    at = stops[-1] + 1
    finish(diverge_at(make_trainer(whole), [at]))
    trainer = make_trainer(parts)
    for step in stops:
        run_to(trainer, step)
        trainer = Trainer.resume(CORPUS, parts)
    finish(diverge_at(trainer, [at]))
    assert parts.read_bytes() == whole.read_bytes()


def test_a_run_stopped_before_a_diverging_validation_rolls_back_before_it(tmp_path, monkeypatch):
    files = [tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"]
    for file in files:
        trainer = make_trainer(file)
        if file.stem == "parts":
            run_to(trainer, 10)  # where an evaluation is due
            trainer = Trainer.resume(CORPUS, file)
        losses, failed = Reader.losses, []

        def failing(*arguments, losses=losses, trainer=trainer, failed=failed):
            loss, correct, state = losses(*arguments)
            if trainer.counters.step == 10 and not failed:
                failed.append(10)
                loss = loss * np.nan
            return loss, correct, state

        monkeypatch.setattr(Reader, "losses", failing)
        assert any("continuing from step 5" in r.notice for r in finish(trainer) if r.notice)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_only_a_run_stopped_between_saves_stores_two_snapshots(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    stopped = resume_path(out).stat().st_size
    finish(Trainer.resume(CORPUS, out))
    assert resume_path(out).stat().st_size < 0.7 * stopped
