"""The update rules are torch's, in however many pieces; schedules and clipping are as defined."""

import numpy as np
import pytest

from charrnn.nn import optim
from charrnn.nn.optim import (
    OPTIMIZERS,
    SCHEDULES,
    clip_by_norm,
    clip_by_value,
    scheduled_rate,
    squares,
)
from tests.torch_oracle import ORACLE

RULES = {  # the oracle's name: optimizer, learning rate, momentum, weight decay
    "sgd": ("sgd", 0.1, 0.9, 0.0),
    "sgd_decay": ("sgd", 0.1, 0.9, 0.1),
    "rmsprop": ("rmsprop", 0.01, 0.0, 0.0),
    "adagrad": ("adagrad", 0.05, 0.0, 0.0),
    "adam_decay": ("adam", 0.01, 0.0, 0.1),
    "adamw": ("adamw", 0.01, 0.0, 0.1),
}

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def make_optimizer(name, size, dtype=np.float64, **options):
    return OPTIMIZERS[name](size, dtype, **options)


def run(optimizer, w, gradients, learning_rate):
    w = w.copy()
    for g in gradients:
        optimizer.step(w, g.copy(), learning_rate)
    return w


def random_run(size=9, steps=5, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (
        rng.normal(0, 1, size).astype(dtype),
        rng.normal(0, 1, (steps, size)).astype(dtype),
    )


def test_every_optimizer_is_compared_with_torch():
    assert {rule[0] for rule in RULES.values()} == OPTIMIZERS.keys()
    assert {key.split(".")[1] for key in ORACLE if key.startswith("optimizer.")} == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_five_steps_equal_those_of_torch(rule, dtype, tolerance):
    start, gradients, end = (
        ORACLE[f"optimizer.{rule}.{part}"].astype(dtype) for part in ("start", "gradients", "end")
    )
    name, learning_rate, momentum, weight_decay = RULES[rule]
    optimizer = make_optimizer(name, 9, dtype, momentum=momentum, weight_decay=weight_decay)
    w = run(optimizer, start, gradients, learning_rate)
    assert w.dtype == optimizer.moments.dtype == dtype
    np.testing.assert_allclose(w, end, rtol=0, atol=tolerance)


@every_optimizer
@pytest.mark.parametrize("piece", [1, 4, 9, 100])
def test_pieces_leave_no_trace(monkeypatch, name, piece):
    options = {"momentum": 0.9, "weight_decay": 0.1}
    w, gradients = random_run()
    whole = make_optimizer(name, 9, **options)
    expected = run(whole, w, gradients, 0.1)
    monkeypatch.setattr(optim, "PIECE", piece)
    pieces = make_optimizer(name, 9, **options)
    np.testing.assert_array_equal(run(pieces, w, gradients, 0.1), expected)
    np.testing.assert_array_equal(pieces.moments, whole.moments)
    assert pieces.steps == whole.steps == 5


@every_optimizer
def test_moments_and_steps_are_all_that_an_optimizer_remembers(name):
    w, gradients = random_run(steps=6)
    expected = run(make_optimizer(name, 9, momentum=0.9), w, gradients, 0.1)
    first, second = (make_optimizer(name, 9, momentum=0.9) for _ in range(2))
    half = run(first, w, gradients[:3], 0.1)
    second.moments[...] = first.moments
    second.steps = first.steps
    np.testing.assert_array_equal(run(second, half, gradients[3:], 0.1), expected)


@every_optimizer
def test_a_step_goes_downhill(name):
    w, gradients = random_run(steps=1)
    moved = run(make_optimizer(name, 9), w, gradients, 0.01) - w
    assert np.all(moved * gradients[0] < 0)


@every_optimizer
def test_a_gradient_of_zero_moves_nothing(name):
    w, gradients = random_run()
    np.testing.assert_array_equal(
        run(make_optimizer(name, 9, momentum=0.9), w, 0 * gradients, 0.1), w
    )


@every_optimizer
def test_weight_decay_alone_shrinks_the_weights(name):
    w, gradients = random_run()
    decayed = run(make_optimizer(name, 9, weight_decay=0.1), w, 0 * gradients, 0.01)
    assert np.all(np.abs(decayed) < np.abs(w))
    assert np.all(decayed * w > 0)


@every_optimizer
def test_moments_start_at_zero(name):
    optimizer = make_optimizer(name, 9, np.float32)
    assert optimizer.moments.shape == (OPTIMIZERS[name].moments_per_weight, 9)
    assert optimizer.moments.dtype == np.float32
    assert not optimizer.moments.any()


@pytest.mark.parametrize(
    ("schedule", "start", "middle", "end"),
    [
        ("constant", 1, 1, 1),
        ("cosine", 1, 0.5, 0),
        ("linear", 1, 0.5, 0),
        ("exponential", 1, 0.1, 0.01),
    ],
)
def test_schedules_at_the_start_the_middle_and_the_end(schedule, start, middle, end):
    rates = [scheduled_rate(0.2, schedule, p, 0, 0) for p in (0, 0.5, 1, 1.5)]
    np.testing.assert_allclose(rates, 0.2 * np.array([start, middle, end, end]), atol=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_never_rise(schedule):
    rates = [scheduled_rate(1.0, schedule, p, 0, 0) for p in np.linspace(0, 1, 50)]
    assert rates[0] == 1
    assert np.all(np.diff(rates) <= 0)
    assert min(rates) >= 0


def test_the_rate_rises_evenly_while_warming_up():
    rates = [scheduled_rate(0.2, "constant", 0.0, step, 4) for step in range(6)]
    np.testing.assert_allclose(rates, [0.05, 0.1, 0.15, 0.2, 0.2, 0.2])
    assert scheduled_rate(0.2, "constant", 0.0, 0, 0) == 0.2
    assert scheduled_rate(0.2, "linear", 0.5, 0, 2) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("max_norm", "expected"), [(0, [3, -4]), (10, [3, -4]), (5, [3, -4]), (1, [0.6, -0.8])]
)
def test_clipping_by_norm(max_norm, expected):
    g = np.array([3.0, -4.0])
    clip_by_norm(g, 5, max_norm)
    np.testing.assert_allclose(g, expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("max_value", "expected"), [(0, [3, -4, 0]), (5, [3, -4, 0]), (3.5, [3, -3.5, 0])]
)
def test_clipping_by_value(max_value, expected):
    g = np.array([3.0, -4.0, 0.0])
    clip_by_value(g, max_value)
    np.testing.assert_array_equal(g, expected)


def test_the_squares_of_all_pieces_make_the_norm(monkeypatch):
    monkeypatch.setattr(optim, "PIECE", 4)
    g = np.arange(10.0)
    np.testing.assert_allclose(squares(g), [14, 126, 145])
    assert sum(squares(g)) == pytest.approx(float(g @ g))
