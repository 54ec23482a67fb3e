"""The recurrent layers equal their naive twins below, in whatever chunks time is cut."""

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.nn.cells import CELLS
from charrnn.nn.parameters import Parameters
from charrnn.nn.recurrent import MAX_LAYERS, Recurrent, dropout_mask, recurrent_shapes

T, B, E, H = 12, 3, 4, 5

every_cell = pytest.mark.parametrize("cell", CELLS)
one_to_three_layers = pytest.mark.parametrize("num_layers", [1, 2, 3])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn_step(ih, hh, h):
    return (np.tanh(ih(0) + hh(0, h)),)


def lstm_step(ih, hh, h, c):
    i = sigmoid(ih(0) + hh(0, h))
    f = sigmoid(ih(1) + hh(1, h))
    g = np.tanh(ih(2) + hh(2, h))
    o = sigmoid(ih(3) + hh(3, h))
    c = f * c + i * g
    return o * np.tanh(c), c


def gru_step(ih, hh, h):
    r = sigmoid(ih(0) + hh(0, h))
    z = sigmoid(ih(1) + hh(1, h))
    n = np.tanh(ih(2) + r * hh(2, h))
    return ((1 - z) * n + z * h,)


TWINS = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}


def naive_layer(cell, weights, layer, sequence, state):
    """`sequence` is (T, B, E), `state` (S, B, H)."""

    def linear(kind, gate, x):
        rows = slice(gate * H, (gate + 1) * H)
        return (
            x @ weights[f"weight_{kind}_l{layer}"][rows].T + weights[f"bias_{kind}_l{layer}"][rows]
        )

    outputs = []
    for x in sequence:
        state = TWINS[cell](
            lambda gate, x=x: linear("ih", gate, x), lambda gate, h: linear("hh", gate, h), *state
        )
        outputs.append(state[0])
    return outputs, state


def naive_forward(cell, weights, x, state):
    final = []
    for layer in range(len(state)):
        x, end = naive_layer(cell, weights, layer, x, state[layer])
        final.append(end)
    return np.array(x), np.array(final)


def random_recurrent(cell, num_layers=2, dropout=0.0, dtype=np.float64):
    shapes = recurrent_shapes(cell, E, H, num_layers)
    weights = Parameters(shapes, dtype)
    weights.flat[:] = np.random.default_rng(0).normal(0, 0.7, weights.flat.shape)
    return Recurrent(cell, weights, dropout=dropout), weights


def random_input(recurrent, steps=T, batch_size=B):
    rng = np.random.default_rng(steps * 100 + batch_size)
    x = rng.normal(0, 1, (steps, batch_size, E))
    zero = recurrent.zero_state(batch_size)
    state = rng.normal(0, 1, zero.shape)
    return x.astype(zero.dtype), state.astype(zero.dtype)


def forward(recurrent, *arguments, **keywords):
    """Return the output and the next state."""
    output, state, _ = recurrent.forward(*arguments, **keywords)
    return output, state


def backward(recurrent, weights, tape, d_output):
    """Return dL/dx, dL/dstate and the weights' gradients."""
    gradients = Parameters(weights.shapes, weights.flat.dtype)
    return [*recurrent.backward(tape, d_output, gradients), gradients.flat]


def assert_equal(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@every_cell
@one_to_three_layers
def test_forward_equals_the_naive_twin(cell, num_layers):
    recurrent, weights = random_recurrent(cell, num_layers)
    x, state = random_input(recurrent)
    assert_equal(forward(recurrent, x, state), naive_forward(cell, weights, x, state))


@every_cell
def test_forward_reads_the_weights_afresh(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)
    recurrent.forward(x, state)
    weights.flat[:] *= -0.5
    assert_equal(forward(recurrent, x, state), naive_forward(cell, weights, x, state))


@every_cell
def test_a_prefix_names_the_weights(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)
    prefixed = {f"deep.{name}": weight for name, weight in weights.items()}
    twin = Recurrent(cell, prefixed, prefix="deep.")
    assert_equal(forward(twin, x, state), forward(recurrent, x, state))


@every_cell
@one_to_three_layers
def test_chunks_with_carried_state_equal_the_whole(cell, num_layers):
    recurrent, _ = random_recurrent(cell, num_layers)
    x, state = random_input(recurrent)
    whole = forward(recurrent, x, state)
    outputs = []
    for chunk in np.split(x, 3):
        output, state = forward(recurrent, chunk, state)
        outputs.append(output)
    assert_equal((np.concatenate(outputs), state), whole)


@every_cell
@one_to_three_layers
def test_a_reset_restarts_its_stream_from_the_zero_state(cell, num_layers):
    recurrent, _ = random_recurrent(cell, num_layers)
    x, state = random_input(recurrent)
    step, column = 7, 1
    expected, expected_state = forward(recurrent, x, state)
    anew, anew_state = forward(recurrent, x[step:], np.zeros_like(state))
    expected[step:, column] = anew[:, column]
    expected_state[:, :, column] = anew_state[:, :, column]

    resets = np.zeros((T, B), np.bool_)
    resets[step, column] = True
    assert_equal(forward(recurrent, x, state, resets), (expected, expected_state))


@every_cell
def test_a_reset_before_the_first_step_forgets_the_state_passed_in(cell):
    recurrent, _ = random_recurrent(cell)
    x, state = random_input(recurrent)
    resets = np.zeros((T, B), np.bool_)
    resets[0] = True
    zero = recurrent.zero_state(B)
    assert_equal(forward(recurrent, x, state, resets), forward(recurrent, x, zero))


@every_cell
def test_resets_affect_only_their_chunk(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)

    def results():
        output, final, tape = recurrent.forward(x, state)
        return [output, final, *backward(recurrent, weights, tape, np.ones_like(output))]

    expected = results()
    recurrent.forward(x, state, np.ones((T, B), np.bool_))
    assert_equal(results(), expected)


@every_cell
def test_the_streams_of_a_batch_are_independent(cell):
    recurrent, _ = random_recurrent(cell)
    x, state = random_input(recurrent)
    output, final = forward(recurrent, x, state)
    for column in range(B):
        only = slice(column, column + 1)
        alone = forward(recurrent, x[:, only], state[:, :, only])
        assert_equal(alone, (output[:, only], final[:, :, only]))


@every_cell
@pytest.mark.parametrize("with_resets", [False, True])
def test_arguments_are_not_modified(cell, with_resets):
    recurrent, weights = random_recurrent(cell, dropout=0.5)
    x, state = random_input(recurrent)
    resets = np.random.default_rng(0).random((T, B)) < 0.3 if with_resets else None
    passed = [x, state] if resets is None else [x, state, resets]
    kept = [each.copy() for each in passed]
    output, _, tape = recurrent.forward(x, state, resets, np.random.default_rng(1))
    d_output = np.ones_like(output)
    backward(recurrent, weights, tape, d_output)
    np.testing.assert_array_equal(d_output, 1)
    for now, before in zip(passed, kept, strict=True):
        np.testing.assert_array_equal(now, before)


@every_cell
def test_results_are_not_modified_by_the_next_call(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)
    output, final, tape = recurrent.forward(x, state)
    returned = [output, final, *backward(recurrent, weights, tape, np.ones_like(output))]
    kept = [each.copy() for each in returned]
    other, _, tape = recurrent.forward(x[::-1] * 2, final)
    backward(recurrent, weights, tape, other)
    for now, before in zip(returned, kept, strict=True):
        np.testing.assert_array_equal(now, before)


@every_cell
def test_chunks_of_different_sizes_can_follow_one_another(cell):
    recurrent, weights = random_recurrent(cell)
    for steps, batch_size in [(T, B), (1, 1), (3, 7), (3, 2), (T, B)]:
        x, state = random_input(recurrent, steps, batch_size)
        output, final, tape = recurrent.forward(x, state)
        assert_equal((output, final), naive_forward(cell, weights, x, state))
        d_x, d_state, _ = backward(recurrent, weights, tape, output)
        assert (d_x.shape, d_state.shape) == (x.shape, state.shape)


@every_cell
def test_float32_stays_float32(cell):
    recurrent, weights = random_recurrent(cell, dropout=0.5, dtype=np.float32)
    x, state = random_input(recurrent)
    output, final, tape = recurrent.forward(x, state, np.eye(T, B) > 0, np.random.default_rng(1))
    zero = recurrent.zero_state(B)
    returned = [output, final, *backward(recurrent, weights, tape, output), zero]
    assert {each.dtype for each in returned} == {np.dtype(np.float32)}


@every_cell
def test_float32_is_close_to_float64(cell):
    exact, _ = random_recurrent(cell)
    x, state = random_input(exact)
    expected = forward(exact, x, state)
    rough, _ = random_recurrent(cell, dtype=np.float32)
    actual = forward(rough, x.astype(np.float32), state.astype(np.float32))
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


@every_cell
def test_huge_inputs_saturate_and_do_not_overflow(cell):
    recurrent, weights = random_recurrent(cell, dtype=np.float32)
    x, state = random_input(recurrent)
    output, final, tape = recurrent.forward(x * np.float32(1e6), state)
    returned = [output, final, *backward(recurrent, weights, tape, output)]
    assert all(np.isfinite(each).all() for each in returned)


def test_the_dropout_mask_is_zero_at_its_rate_and_has_mean_one():
    mask = dropout_mask((100, 50, 20), 0.3, np.random.default_rng(0), np.float32)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.7], rtol=1e-6)
    assert np.mean(mask == 0) == pytest.approx(0.3, abs=0.01)
    assert mask.mean(dtype=np.float64) == pytest.approx(1, abs=0.01)


@every_cell
def test_there_is_no_dropout_without_an_rng(cell):
    with_rate, _ = random_recurrent(cell, dropout=0.5)
    without, _ = random_recurrent(cell, dropout=0.0)
    x, state = random_input(with_rate)
    expected = forward(without, x, state)
    with_rate.forward(x, state, rng=np.random.default_rng(1))
    assert_equal(forward(with_rate, x, state), expected)
    rng = np.random.default_rng(1)
    assert_equal(forward(without, x, state, rng=rng), expected)


@every_cell
def test_dropout_is_decided_by_the_rng(cell):
    recurrent, _ = random_recurrent(cell, dropout=0.5)
    x, state = random_input(recurrent)
    one, same, other = (
        recurrent.forward(x, state, rng=np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


@every_cell
def test_dropout_thins_the_output_the_same_at_all_steps_and_not_the_state(cell):
    recurrent, _ = random_recurrent(cell, 1, dropout=0.5)
    x, state = random_input(recurrent)
    output, final = forward(recurrent, x, state)
    mask = dropout_mask((H, B), 0.5, np.random.default_rng(1), np.float64).T
    thinned = forward(recurrent, x, state, rng=np.random.default_rng(1))
    assert_equal(thinned, (output * mask, final))


@every_cell
def test_weight_dropout_is_a_pass_with_thinned_recurrent_weights(cell):
    recurrent, weights = random_recurrent(cell, 1)
    x, state = random_input(recurrent)
    recurrent.weight_dropout = 0.5
    thinned = forward(recurrent, x, state, rng=np.random.default_rng(1))
    W = weights["weight_hh_l0"]
    W *= dropout_mask((W.size,), 0.5, np.random.default_rng(1), np.float64).reshape(W.shape)
    assert_equal(thinned, forward(recurrent, x, state))
    assert np.any(W == 0)


@every_cell
def test_dropout_lies_between_the_layers_too(cell):
    recurrent, _ = random_recurrent(cell, 2, dropout=0.5)
    x, state = random_input(recurrent)
    _, final = forward(recurrent, x, state)
    _, thinned = forward(recurrent, x, state, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(thinned[0], final[0])
    assert np.any(thinned[1] != final[1])


def test_shapes_and_names_are_those_of_torch():
    assert recurrent_shapes("lstm", 3, 5, 2) == {
        "weight_ih_l0": (20, 3),
        "weight_hh_l0": (20, 5),
        "bias_ih_l0": (20,),
        "bias_hh_l0": (20,),
        "weight_ih_l1": (20, 5),
        "weight_hh_l1": (20, 5),
        "bias_ih_l1": (20,),
        "bias_hh_l1": (20,),
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("elman", 3, 5, 1), "'elman'"),
        (("gru", 0, 5, 1), "input_size must be at least 1, got 0"),
        (("gru", 3, 0, 1), "hidden_size must be at least 1, got 0"),
        (("gru", 3, 5, 0), "num_layers must be between 1 and 8, got 0"),
        (("gru", 3, 5, MAX_LAYERS + 1), "num_layers must be between 1 and 8, got 9"),
    ],
)
def test_shapes_out_of_range_are_refused_by_name(arguments, named):
    with pytest.raises(ConfigError, match=named):
        recurrent_shapes(*arguments)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
@pytest.mark.parametrize("name", ["dropout", "weight_dropout"])
def test_a_dropout_rate_out_of_range_is_refused(name, dropout):
    with pytest.raises(ConfigError, match=f"^{name}"):
        Recurrent("rnn", {}, **{name: dropout})


@every_cell
def test_a_tape_is_valid_until_the_next_forward_pass(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)
    output, _, old = recurrent.forward(x, state)
    _, _, tape = recurrent.forward(x, state)
    with pytest.raises(ValueError, match="older than the last forward pass"):
        backward(recurrent, weights, old, output)
    backward(recurrent, weights, tape, output)


@every_cell
def test_a_tape_serves_one_backward_pass(cell):
    recurrent, weights = random_recurrent(cell)
    x, state = random_input(recurrent)
    output, _, tape = recurrent.forward(x, state)
    backward(recurrent, weights, tape, output)
    with pytest.raises(ValueError, match="this tape was used"):
        backward(recurrent, weights, tape, output)
