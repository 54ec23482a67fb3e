"""`charrnn info`: the content of a model file."""

import json
from dataclasses import asdict

from charrnn.checkpoints.checkpoint import load
from tests.cli.runs import save_constant_model


def test_info_shows_the_key_figures(cli, model_file):
    result = cli("info", model_file)
    assert (result.code, result.err) == (0, "")
    parameters = load(model_file).parameters.flat.size
    for word in ("gru, 1 x 32", f"{parameters:,} parameters", "seq_len", "120", "history"):
        assert word in result.out


def test_info_json_has_everything(cli, model_file):
    result = cli("info", model_file, "--json")
    assert (result.code, result.err) == (0, "")
    content, model = json.loads(result.out), load(model_file)
    assert content["config"]["hidden_size"] == 32
    assert content["vocabulary"] == model.tokenizer.alphabet
    assert content["training"] == json.loads(json.dumps(asdict(model.training)))
    assert content["history"] == [asdict(entry) for entry in model.history]
    assert content["parameters"] == model.parameters.flat.size
    assert content["bytes"] == model_file.stat().st_size


def test_info_of_a_model_without_history(cli, tmp_path):
    result = cli("info", save_constant_model(tmp_path / "m.safetensors", "ab"))
    assert (result.code, result.err) == (0, "")
    assert "one-hot" in result.out
