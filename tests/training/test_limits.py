"""A run ends at the nearest limit, and limits may change when it is resumed."""

from dataclasses import replace

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.errors import ConfigError
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, run_to
from tests.tiny import CORPUS, LIMITS, TRAIN, make_trainer


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


def test_patience_ends_a_run_that_gets_no_better():
    limits = Limits(max_steps=500, eval_every=1, patience=3)
    trainer = make_trainer(train=replace(TRAIN, learning_rate=0.5), limits=limits)
    evaluated = [report for report in finish(trainer) if report.evaluation]
    assert evaluated[-1].step < 500
    assert [report.best for report in evaluated[-4:]] == [True, False, False, False]
    assert not trainer.stopped


# ---- limits of a resumed run ---------------------------------------------------------------------


def test_a_finished_run_has_nothing_left_to_do(tmp_path, uninterrupted):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    assert finish(Trainer.resume(CORPUS, out)) == []
    assert out.read_bytes() == uninterrupted[0]


def test_a_finished_run_knows_what_ended_it(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    resumed = Trainer.resume(CORPUS, out)
    assert resumed.finished()
    assert resumed.counters.ended_by == "max_steps"
    assert finish(resumed) == []
    assert not Trainer.resume(CORPUS, out, Limits(max_steps=30)).finished()


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
