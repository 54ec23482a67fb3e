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


def test_info_lists_each_setting_once_for_people(cli, novel):
    assert (
        cli("train", novel, "--max-steps", "2", "--hidden-size", "8", "--batch-size", "4").code == 0
    )
    lines = cli("info", "novel.safetensors").out.splitlines()
    heading = lines.index("training")
    assert lines[heading - 1] == "given     hidden_size 8, batch_size 4"
    listed = [line.split()[0] for line in lines[heading + 1 :] if line.startswith("  ")]
    assert not {"batch_size", "hidden_size", "learning_rate", "dropout"} & set(listed)
    assert f"  {'characters':18} 828" in lines
    assert f"  {'momentum':18} 0.9" in lines
    assert any(line.startswith("  corpus digest ") for line in lines)


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
