"""What torch computes, as fixtures/make_torch_fixture.py stored it, and the models it is of."""

from safetensors.numpy import load_file

from charrnn.nn.model import ModelConfig
from tests.helpers import ROOT

ORACLE = load_file(ROOT / "tests" / "fixtures" / "torch.safetensors")
MODELS = {
    "rnn": ModelConfig("rnn", 7, 2, 5, 0.0),
    "lstm": ModelConfig("lstm", 7, 2, 5, 0.0),
    "gru": ModelConfig("gru", 7, 2, 5, 0.0),
    "onehot": ModelConfig("lstm", 7, 1, 0, 0.0),
}
