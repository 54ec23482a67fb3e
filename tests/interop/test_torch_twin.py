"""With PyTorch itself: examples/torch_twin.py computes the same loss and writes the same text, and
its weights come back as they were. Skipped where torch is not installed."""

import importlib.util

import numpy as np
import pytest

import charrnn
from charrnn.errors import CheckpointError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from tests.helpers import ROOT, random_checkpoint
from tests.test_examples import run

torch = pytest.importorskip("torch", reason="torch is not installed")

ALPHABET = "\n abcdé🎶"
CONFIGS = [
    ModelConfig(cell, 12, layers, embedding)
    for cell in ("rnn", "lstm", "gru")
    for layers in (1, 2)
    for embedding in (0, 5)
]


@pytest.fixture(scope="module")
def twin():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("twin", ROOT / "examples" / "torch_twin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=CONFIGS, ids=repr)
def checkpoint(request):
    return random_checkpoint(request.param, ALPHABET, seed=1, scale=0.4)


def test_the_twin_computes_the_same_loss_and_writes_the_same_text(twin, checkpoint, tmp_path):
    checkpoint.save(tmp_path / "model.safetensors")
    model, alphabet = twin.load(tmp_path / "model.safetensors")
    assert alphabet == ALPHABET

    ids = np.random.default_rng(2).integers(0, len(ALPHABET), 2 * twin.CHUNK + 100)
    text = Corpus.from_texts(checkpoint.tokenizer.decode(ids))
    loss = charrnn.evaluate(checkpoint, text).nats_per_char
    assert twin.evaluate(model, torch.from_numpy(ids)) == pytest.approx(loss, abs=1e-6)

    for temperature in (0, 0.8):
        options = {"length": 200, "temperature": temperature, "seed": 5}
        ours = charrnn.generate(checkpoint, "abc", **options)[0]
        assert twin.sample(model, alphabet, "abc", **options) == ours


def test_the_twin_as_a_program_prints_what_evaluate_and_sample_do(model_file, corpus_file):
    loss, _, text = run("torch_twin.py", model_file, corpus_file).partition("\n")
    model = charrnn.load(model_file)
    nats = charrnn.evaluate(model, charrnn.read(corpus_file)).nats_per_char
    assert loss == f"{nats:.4f} nats per character"
    assert text == charrnn.generate(model, length=300, temperature=0.7, seed=1)[0] + "\n"


def test_the_weights_come_back(twin, checkpoint, tmp_path):
    checkpoint.save(tmp_path / "model.safetensors")
    model, alphabet = twin.load(tmp_path / "model.safetensors")
    for tensors in (model.state_dict(), dict(model.named_parameters())):
        again = charrnn.from_torch(tensors, alphabet=alphabet)
        assert again.parameters.flat.tobytes() == checkpoint.parameters.flat.tobytes()


def test_bfloat16_is_refused(twin):
    model = twin.CharRNN(len(ALPHABET), "gru", 4, 1, 3).bfloat16()
    with pytest.raises(CheckpointError, match=r"save model\.float\(\)"):
        charrnn.from_torch(model.state_dict(), alphabet=ALPHABET)
