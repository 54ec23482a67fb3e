"""A run ends at the nearest limit; limits may change on resume."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.errors import ConfigError
from charrnn.inference.evaluate import validated_characters
from charrnn.training.limits import Limits
from charrnn.training.prepare import prepare
from charrnn.training.state import Counters
from charrnn.training.trainer import Trainer
from charrnn.training.worker import Learner
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
def test_a_limit_may_be_very_large_but_not_out_of_range(limit):
    assert next(make_trainer(limits=Limits(**{limit: 10**12})).run()).step == 1
    for value in (0, -1, 10**400, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=f"{limit} must be"):
            Limits(**{limit: value})


@pytest.mark.parametrize(
    ("limits", "steps"), [(Limits(minutes=0.5), 30), (Limits(minutes=1e-9, max_steps=10**9), 1)]
)
def test_minutes_end_a_run(monkeypatch, limits, steps):
    clock = SimpleNamespace(monotonic=itertools.count(1000.0).__next__)  # every call takes a second
    monkeypatch.setattr("charrnn.training.trainer.time", clock)
    trainer = make_trainer(limits=limits, train=replace(TRAIN, valid_fraction=0.0))
    reports = finish(trainer)
    assert [report.seconds for report in reports] == list(range(1, steps + 1))
    assert trainer.checkpoint().training.steps == steps
    assert trainer.counters.ended_by == "minutes"
    assert not trainer.stopped


# ---- evaluations by time -------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock on which every call takes a second, and an evaluation as many as a test says."""
    clock = SimpleNamespace(now=1000.0, evaluation=0.0)

    def monotonic():
        clock.now += 1
        return clock.now

    def validate(learner, *arguments):
        clock.now += clock.evaluation
        return validate_now(learner, *arguments)

    validate_now = Learner.validate
    monkeypatch.setattr(Learner, "validate", validate)
    monkeypatch.setattr("charrnn.training.trainer.time", SimpleNamespace(monotonic=monotonic))
    return clock


def evaluated_at(reports):
    return [report.seconds for report in reports if report.evaluation]


def test_a_run_that_time_ends_evaluates_and_saves_throughout(clock, tmp_path):  # noqa: ARG001
    trainer = make_trainer(tmp_path / "model.safetensors", limits=Limits(minutes=5))
    saved = []
    for report in trainer.run():
        if report.evaluation is None:
            saved.append(trainer.counters.saved_at)
    times = [entry.step for entry in trainer.history]
    assert times[0] <= 25
    assert 10 <= len(times) <= 20
    assert max(b - a for a, b in itertools.pairwise(times)) <= 25
    assert set(times[:-1]) <= set(saved)


def test_evaluations_by_time_are_fewer_if_they_take_long(clock):
    clock.evaluation = 10.0
    reports = finish(make_trainer(limits=Limits(minutes=5)))
    first, *others = evaluated_at(reports)
    assert first <= 25
    assert 2 <= len(others) <= 4
    assert min(b - a for a, b in itertools.pairwise([first, *others[:-1]])) >= 100


def test_evaluations_by_time_continue_in_a_resumed_run(clock, tmp_path):  # noqa: ARG001
    out = tmp_path / "model.safetensors"
    before = run_to(make_trainer(out, limits=Limits(minutes=5)), 130)
    after = finish(Trainer.resume(CORPUS, out))
    times = evaluated_at([*before, *after])
    assert 10 <= len(times) <= 20
    assert max(b - a for a, b in itertools.pairwise(times)) <= 40


def test_without_validation_saves_come_by_time(clock, tmp_path):  # noqa: ARG001
    train = replace(TRAIN, valid_fraction=0.0)
    trainer = make_trainer(tmp_path / "model", train=train, limits=Limits(minutes=5))
    saved = sorted({trainer.counters.saved_at for _ in trainer.run()})
    assert max(b - a for a, b in itertools.pairwise(saved)) <= 25


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_steps=60, minutes=20),
        Limits(epochs=0.7, minutes=20),
        Limits(minutes=1, eval_every=40),
    ],
    ids=["steps", "epochs", "stated"],
)
def test_only_time_changes_when_a_run_evaluates(clock, limits):  # noqa: ARG001
    trainer = make_trainer(limits=limits)
    steps = [report.step for report in finish(trainer)]
    every = limits.eval_every or 100
    due = {step for step in range(steps[-1] + 1) if step and step % every == 0}
    assert {entry.step for entry in trainer.history} == due | {steps[-1]}


def test_patience_stops_a_run_early():
    limits = Limits(max_steps=500, eval_every=1, patience=3)
    trainer = make_trainer(train=replace(TRAIN, learning_rate=0.5), limits=limits)
    evaluated = [report for report in finish(trainer) if report.evaluation]
    assert evaluated[-1].step < 500
    assert [report.best for report in evaluated[-4:]] == [True, False, False, False]
    assert not trainer.stopped


# ---- limits of a resumed run ---------------------------------------------------------------------


def test_resuming_a_complete_run_does_nothing(tmp_path, uninterrupted):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    assert finish(Trainer.resume(CORPUS, out)) == []
    assert out.read_bytes() == uninterrupted[0]


def test_a_complete_run_knows_the_limit_that_ended_it(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    resumed = Trainer.resume(CORPUS, out)
    assert resumed.finished()
    assert resumed.counters.ended_by == "max_steps"
    assert finish(resumed) == []
    assert not Trainer.resume(CORPUS, out, limits=Limits(max_steps=30)).finished()


def test_a_complete_run_continues_to_a_raised_limit(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(make_trainer(out))
    reports = finish(Trainer.resume(CORPUS, out, limits=Limits(max_steps=30)))
    assert [report.step for report in reports if not report.evaluation] == list(range(25, 31))
    assert load(out).training.steps == 30


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_steps", 13), ("epochs", 0.15), ("minutes", 5.0), ("eval_every", 2), ("patience", 9)],
)
def test_limits_may_change_on_resume_and_are_stored(tmp_path, name, value):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    finish(Trainer.resume(CORPUS, out, limits=Limits(**{name: value})))
    limits = Trainer.resume(CORPUS, out).limits
    assert limits == replace(LIMITS, **{name: value})


# ---- shares --------------------------------------------------------------------------------------

DATA = prepare(CORPUS, TRAIN)  # 84 steps per epoch


def shares(limits, step=21, seconds=60.0, closing=0.0):
    return limits.shares(Counters(step=step, seconds=seconds), DATA, closing)


def test_each_stated_limit_has_a_share():
    limits = Limits(epochs=2, max_steps=210, minutes=4)
    assert shares(limits) == {"max_steps": 0.1, "epochs": 0.125, "minutes": 0.25}


def test_without_a_limit_the_share_is_of_ten_minutes():
    assert shares(Limits()) == {"minutes": 0.1}
    assert shares(Limits(eval_every=5, patience=2)) == {"minutes": 0.1}
    assert "minutes" not in shares(Limits(epochs=1))


def test_a_fraction_of_an_epoch_is_rounded_up_to_whole_steps():
    assert shares(Limits(epochs=0.24), step=21) == {"epochs": 1.0}
    assert shares(Limits(epochs=1e-9), step=1) == {"epochs": 1.0}


def test_the_minutes_include_the_last_evaluation():
    assert shares(Limits(minutes=3), seconds=90.0, closing=30.0) == {"minutes": 0.6}
    assert shares(Limits(minutes=1), seconds=0.0, closing=60.0) == {"minutes": 1.0}


def test_an_unmeasured_evaluation_is_estimated_as_a_third_of_training():
    characters = validated_characters(DATA.valid)
    seconds = 3.0 * 21 * DATA.chunk_size / characters  # training on as much takes 3 seconds
    unmeasured = shares(Limits(minutes=1), seconds=seconds, closing=None)
    assert unmeasured["minutes"] == pytest.approx(seconds / 59)


def test_restated_limits_replace_the_earlier_ones():
    before = Limits(epochs=3, max_steps=120, eval_every=10)
    assert before.updated(Limits()) == before
    assert before.updated(Limits(max_steps=200, patience=4)) == Limits(
        epochs=3, max_steps=200, eval_every=10, patience=4
    )
