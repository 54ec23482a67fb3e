"""Softmax cross-entropy equals its definition, and keeps to it where the definition overflows."""

import numpy as np
import pytest

from charrnn.nn.loss import cross_entropy, cross_entropy_backward

N, V = 12, 6


def random_logits(scale=2.0):
    rng = np.random.default_rng(0)
    return rng.normal(0, scale, (N, V)), rng.integers(0, V, N, np.uint8)


def naive_softmax(logits):
    exponentials = [[np.exp(logits[n, v]) for v in range(V)] for n in range(N)]
    return np.array([np.array(row) / sum(row) for row in exponentials])


def at(array, targets):
    return np.array([array[n, targets[n]] for n in range(N)])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_losses_are_minus_the_log_of_the_targets_probability(dtype, tolerance):
    exact, targets = random_logits()
    logits = exact.astype(dtype)
    losses, _ = cross_entropy(logits, targets)
    assert losses.shape == (N,)
    assert losses.dtype == dtype
    expected = -np.log(at(naive_softmax(exact), targets))
    np.testing.assert_allclose(losses, expected, rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(logits, naive_softmax(exact), rtol=0, atol=tolerance)


def test_correct_is_where_the_target_is_the_likeliest():
    logits, targets = random_logits()
    targets[0] = logits[0].argmax(axis=0)
    expected = logits.argmax(axis=1) == targets
    assert expected.any()
    assert not expected.all()
    _, correct = cross_entropy(logits, targets)
    np.testing.assert_array_equal(correct, expected)


def test_of_equal_logits_only_the_first_is_correct():
    _, correct = cross_entropy(np.zeros((3, 3), np.float32), np.array([0, 1, 2]))
    assert correct.tolist() == [True, False, False]


@pytest.mark.parametrize("sign", [1, -1])
def test_huge_logits_do_not_overflow(sign):
    logits = np.full((2, 3), sign * 1e4, np.float32)
    logits[0, 0] += 1e4
    losses, correct = cross_entropy(logits, np.array([0, 2]))
    np.testing.assert_allclose(losses, [0, np.log(3)], rtol=1e-6)
    assert correct[0]
    np.testing.assert_allclose(logits, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_a_hopeless_target_costs_the_distance_to_the_likeliest():
    logits = np.array([1e4, -1e4, 0], np.float32).reshape(1, 3)
    losses, correct = cross_entropy(logits, np.array([1]))
    assert losses[0] == 2e4
    assert not correct[0]


def test_logits_count_only_by_their_differences():
    logits, targets = random_logits()
    shifted = logits + 100
    np.testing.assert_allclose(
        cross_entropy(shifted, targets)[0], cross_entropy(logits, targets)[0], rtol=0, atol=1e-12
    )


def test_the_gradient_is_the_scaled_difference_of_softmax_and_one_hot():
    logits, targets = random_logits()
    expected = naive_softmax(logits)
    for n in range(N):
        expected[n, targets[n]] -= 1
    cross_entropy(logits, targets)
    cross_entropy_backward(logits, targets, 0.25)
    np.testing.assert_allclose(logits, 0.25 * expected, rtol=0, atol=1e-14)
