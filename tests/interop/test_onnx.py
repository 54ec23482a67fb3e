"""ONNX files: onnxruntime computes what NumPy does, and the file says what its ids stand for."""

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest

import charrnn
from charrnn.errors import CharRNNError, ConfigError
from charrnn.interop import onnx as module
from charrnn.nn.model import ModelConfig
from tests.helpers import assert_refused, random_checkpoint
from tests.inference.models import trained_on

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

ALPHABET = '\n "abc\0é\u2028🎶'
CONFIGS = [
    ModelConfig(cell, 20, layers, embedding)
    for cell in ("rnn", "lstm", "gru")
    for layers in (1, 2)
    for embedding in (0, 5)
]
T, B = 30, 3


def make_checkpoint(config=CONFIGS[0], documents="whole"):
    return random_checkpoint(config, ALPHABET, scale=0.2, training=trained_on(documents))


@pytest.fixture
def session(tmp_path):
    """A function that exports a model and opens the file in onnxruntime."""

    def open_session(checkpoint):
        charrnn.export(checkpoint, tmp_path / "model.onnx", overwrite=True)
        onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
        return onnxruntime.InferenceSession(tmp_path / "model.onnx")

    return open_session


def names(session):
    return [value.name for value in session.get_inputs()], [
        value.name for value in session.get_outputs()
    ]


def as_torch(state):
    """The states (L, S, B, H) as S arrays of (L, B, H)."""
    return [np.ascontiguousarray(part) for part in state.transpose(1, 0, 2, 3)]


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_onnxruntime_computes_the_same_logits_and_states(session, config):
    checkpoint = make_checkpoint(config)
    network, rng = checkpoint.model(), np.random.default_rng(1)
    ids = rng.integers(0, len(ALPHABET), (T, B))
    state = rng.normal(0, 1, network.zero_state(B).shape).astype(np.float32)
    logits, last_state = network.logits(ids, state)
    onnx_session = session(checkpoint)
    inputs, outputs = names(onnx_session)
    states = ["h", "c"][: state.shape[1]]
    assert inputs == ["ids", *(f"{name}0" for name in states)]
    assert outputs == ["logits", *(f"{name}n" for name in states)]

    feeds = dict(zip(inputs, [ids, *as_torch(state)], strict=True))
    results = onnx_session.run(None, feeds)
    expected = [logits, *as_torch(last_state)]
    for name, result, wanted in zip(outputs, results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_text_read_in_pieces_with_the_state_carried_is_the_text_read_at_once(session, config):
    onnx_session = session(make_checkpoint(config))
    inputs, _ = names(onnx_session)
    L, H = config.num_layers, config.hidden_size
    zeros = [np.zeros((L, 1, H), np.float32) for _ in inputs[1:]]
    ids = np.random.default_rng(2).integers(0, len(ALPHABET), (T, 1))

    def read(ids, states):
        logits, *states = onnx_session.run(None, dict(zip(inputs, [ids, *states], strict=True)))
        return logits, states

    whole, last = read(ids, zeros)
    first, states = read(ids[:7], zeros)
    second, states = read(ids[7:], states)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-6)
    for state, wanted in zip(states, last, strict=True):
        np.testing.assert_allclose(state, wanted, rtol=0, atol=1e-6)


def test_the_metadata_are_the_alphabet_the_configuration_and_the_terminator(session):
    checkpoint = make_checkpoint(documents="paragraphs")
    metadata = session(checkpoint).get_modelmeta().custom_metadata_map
    assert {name: json.loads(value) for name, value in metadata.items()} == {
        "alphabet": ALPHABET,
        "config": asdict(checkpoint.config),
        "terminator": "\n\n",
    }


def test_the_same_model_gives_the_same_bytes():
    checkpoint = make_checkpoint(CONFIGS[-1])
    one, other = (module.onnx_content(checkpoint, "model").data for _ in range(2))
    assert one == other


def test_a_cell_that_onnx_lacks_is_refused(monkeypatch):
    monkeypatch.delitem(module.GATES, "rnn")
    with pytest.raises(
        ConfigError, match="ONNX does not support the cell 'rnn'; supported cells: lstm, gru"
    ):
        module.onnx_content(make_checkpoint(), "model")


def test_a_model_that_no_protobuf_holds_is_refused(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 1000)
    with pytest.raises(CharRNNError, match=r"MB of weights; the limit of \.onnx files is"):
        module.onnx_content(make_checkpoint(), "model")


def test_without_onnx_the_command_names_the_extra_before_it_opens_the_model(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = cli("export", "missing.safetensors", "novel.onnx")
    assert_refused(result, 1, "pip install 'charrnn[onnx]'")
