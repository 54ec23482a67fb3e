"""Ten training steps of the whole model agree with torch's, weight by weight."""

import numpy as np
import pytest

from charrnn.nn.model import CharRNN
from charrnn.nn.optim import Adam
from tests.torch_oracle import MODELS, ORACLE


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-4)])
def test_ten_steps_of_adam(name, dtype, tolerance):
    model = CharRNN(MODELS[name], 11, dtype=dtype)
    for key, values in model.parameters.items():
        values[...] = ORACLE[f"{name}.initial.{key}"]
    inputs, targets, state = (ORACLE[f"{name}.{part}"] for part in ("inputs", "targets", "state"))
    adam = Adam(model.parameters.flat.size, dtype)
    losses, gradients = [], model.new_gradients()
    for _ in range(10):
        losses.append(model.train(inputs, targets, state.astype(dtype), gradients)[0])
        adam.step(model.parameters.flat, gradients.flat, 0.01)
    np.testing.assert_allclose(losses, ORACLE[f"{name}.losses"], rtol=0, atol=tolerance)
    for key, values in model.parameters.items():
        expected = ORACLE[f"{name}.trained.{key}"]
        np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance, err_msg=key)
