"""The networks and optimizers agree with torch: the figures come from fixtures/torch.safetensors,
which fixtures/make_torch_fixture.py computed."""

import numpy as np
import pytest

from charrnn.nn.model import CharRNN
from tests.torch_oracle import MODELS, ORACLE


def oracle(name, prefix):
    start = f"{name}.{prefix}."
    return {key[len(start) :]: value for key, value in ORACLE.items() if key.startswith(start)}


def chunk(name):
    return [ORACLE[f"{name}.{part}"] for part in ("inputs", "targets", "state")]


def make_model(name, dtype=np.float64):
    model = CharRNN(MODELS[name], 11, dtype=dtype)
    initial = oracle(name, "initial")
    assert {key: value.shape for key, value in initial.items()} == model.config.shapes(11)
    for key, value in initial.items():
        model.parameters[key][...] = value
    return model


@pytest.mark.parametrize("name", MODELS)
def test_logits_and_final_state(name):
    inputs, _, state = chunk(name)
    logits, final = make_model(name).logits(inputs, state)
    np.testing.assert_allclose(logits, ORACLE[f"{name}.logits"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(final, ORACLE[f"{name}.final_state"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_loss_and_every_gradient(name):
    model = make_model(name)
    actual, gradients = model.new_gradients(), oracle(name, "gradient")
    loss, final, d_state = model.train(*chunk(name), actual)
    assert loss == pytest.approx(float(ORACLE[f"{name}.loss"][0]), abs=1e-12)
    np.testing.assert_allclose(final, ORACLE[f"{name}.final_state"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(d_state, gradients.pop("state"), rtol=0, atol=1e-12)
    assert gradients.keys() == actual.keys()
    for key, value in gradients.items():
        np.testing.assert_allclose(actual[key], value, rtol=0, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", MODELS)
def test_loss_in_float32(name):
    inputs, targets, state = chunk(name)
    model = make_model(name, np.float32)
    loss, *_ = model.train(inputs, targets, state.astype(np.float32), model.new_gradients())
    assert loss == pytest.approx(float(ORACLE[f"{name}.loss32"][0]), rel=1e-5)
