"""Files of past releases load, sample, evaluate, resume and compose as in their own release.

`formats/` has a folder per release, with the results of that release in expected.json.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import charrnn
from tests.helpers import rewrite

FORMATS = Path(__file__).with_name("formats")
RELEASES = {
    record.parent: json.loads(record.read_text(encoding="utf-8"))
    for record in sorted(FORMATS.glob("*/expected.json"))
}
TUNE = """X:1
T:The Slipway
M:2/4
L:1/8
K:G
|:GB dB|cA F2|GB dc|B2 G2:|
"""


def cases(kind):
    """Return (folder, file name, expected results) for each model or run of each release."""
    return [
        (folder, name, case)
        for folder, expected in RELEASES.items()
        for name, case in expected[kind].items()
    ]


def parametrize(names, cases):
    ids = [f"{folder.name}-{name.split('.')[0]}" for folder, name, *_ in cases]
    return pytest.mark.parametrize(names, cases, ids=ids)


RUNS = cases("runs")
every_model = parametrize(("folder", "name", "expected"), cases("models"))
every_run = parametrize(("folder", "name", "run"), RUNS)
every_finished_run = parametrize(
    ("folder", "name", "run"), [case for case in RUNS if "max_steps" in case[2]]
)
every_model_of_tunes = parametrize(
    ("folder", "name"), [case[:2] for case in RUNS if case[2]["corpus"][0].endswith(".abc")]
)


def test_files_of_every_release_are_present():
    assert [folder.name for folder in RELEASES] == ["0.1.0"]


@every_model
def test_a_model_keeps_its_config_and_alphabet(folder, name, expected):
    model = charrnn.load(folder / name)
    config = asdict(model.config)
    assert {setting: config[setting] for setting in expected["config"]} == expected["config"]
    assert model.tokenizer.alphabet == expected["alphabet"]


@every_model
def test_a_model_keeps_its_history(folder, name, expected, cli):
    assert losses(history(cli, folder / name)) == losses(expected["history"])


@every_model
def test_a_model_samples_the_same_text(folder, name, expected, cli):
    for sample in expected["samples"]:
        keys = ("prompt", "length", "num_samples", "temperature", "seed")
        options = [f"--{key.replace('_', '-')}={sample[key]}" for key in keys]
        result = cli("sample", folder / name, *options, "--json")
        assert json.loads(result.out)["samples"] == sample["texts"]


@every_model
def test_a_model_evaluates_to_the_same_results(folder, name, expected, cli):
    for figures in expected["evaluations"]:
        corpus = [folder / file for file in figures["corpus"]]
        result = cli("evaluate", folder / name, *corpus, "--split", figures["split"], "--json")
        now = json.loads(result.out)
        assert now["characters"] == figures["characters"]
        assert now["nats_per_char"] == pytest.approx(figures["nats_per_char"], rel=1e-5)
        # The two most likely characters may be so close that the result depends on the processor.
        assert now["accuracy"] == pytest.approx(figures["accuracy"], abs=1.5 / now["characters"])


@every_run
def test_a_resumed_run_ends_as_it_did(folder, name, run, cli, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    assert resume(cli, name, run).code == 0
    check_same_end(cli, tmp_path / name, folder / run["resumed"])


@every_run
def test_a_run_resumes_with_a_model_of_another_step(folder, name, run, cli, tmp_path):
    # A crash between writing the model and the resume file leaves such a pair.
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.copyfile(folder / run["resumed"], tmp_path / name)
    assert resume(cli, name, run).code == 0
    check_same_end(cli, tmp_path / name, folder / run["resumed"])


@every_finished_run
def test_resuming_a_finished_run_changes_nothing(folder, name, run, cli, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)
    assert resume(cli, name, {**run, "max_steps": None}).code == 0
    assert contents(tmp_path) == before


@every_model
def test_training_starts_from_the_weights_of_a_model(folder, name, expected, cli, tmp_path):
    (tmp_path / "new.txt").write_text("A text with \N{GREEK SMALL LETTER OMEGA}.\n" * 20, "utf-8")
    result = cli(
        *("train", "new.txt", "--init-from", folder / name, "-o", "new.safetensors"),
        *("--max-steps", 1, "--learning-rate", 1e-9, "--workers", 1),
    )
    assert result.code == 0
    new = charrnn.load(tmp_path / "new.safetensors")
    assert new.tokenizer.alphabet.startswith(expected["alphabet"])
    assert "\N{GREEK SMALL LETTER OMEGA}" in new.tokenizer.alphabet
    for parameter, weights in charrnn.load(folder / name).parameters.items():
        known = tuple(map(slice, weights.shape))  # all except the rows of new characters
        np.testing.assert_allclose(new.parameters[parameter][known], weights, atol=1e-6)


@every_model_of_tunes
def test_a_model_of_tunes_composes(folder, name, cli):
    result = cli("compose", folder / name, "--count", 2, "--bars", 8, "--seed", 1)
    assert result.code == 0
    assert result.out.count("X:") == 2


@every_model_of_tunes
def test_a_model_of_tunes_rewrites_bars(folder, name, cli, tmp_path):
    (tmp_path / "tune.abc").write_text(TUNE, encoding="utf-8")
    result = cli(
        *("compose", folder / name, "--prompt-file", "tune.abc", "--rewrite", "2-3", "--seed", 1)
    )
    assert result.code == 0
    bars, new = TUNE.split("|"), result.out.split("|")
    changed = [number for number, bar in enumerate(bars) if new[number] != bar]
    assert len(new) == len(bars)
    assert changed
    assert set(changed) <= {2, 3}


def test_files_from_before_random_splits_keep_the_last_tenth_held_out(cli, tmp_path):
    text = "".join(f"name {number}\n" for number in range(300))
    (tmp_path / "names.txt").write_text(text)
    settings = ["--documents=lines", "--hidden-size=8", "--workers=1", "--schedule=constant"]
    settings += ["--learning-rate=0.01"]
    for name, steps in (("expected", 6), ("old", 3)):
        limit = ["--hold-out=last", "--max-steps", steps, "-o", f"{name}.safetensors"]
        assert cli("train", "names.txt", *settings, *limit).code == 0
    for name in ("old.safetensors", "old.resume.safetensors"):
        rewrite(tmp_path / name, lambda document: without_hold_out(document["training"]))
    figures = cli("evaluate", "old.safetensors", "names.txt", "--split=valid", "--json").out
    assert json.loads(figures)["characters"] == len("name 299\n" * 29) - 1
    limit = ["--max-steps", 6, "--resume", "-o", "old.safetensors"]
    result = cli("train", "names.txt", *settings, *limit)
    assert result.code == 0, result.err
    ours, theirs = (charrnn.load(tmp_path / f"{name}.safetensors") for name in ("old", "expected"))
    np.testing.assert_array_equal(ours.parameters.flat, theirs.parameters.flat)
    assert ours.training.config.hold_out == "last"


def without_hold_out(training):
    """Remove the field from the training record of a model or the settings in a resume file."""
    del training.get("config", training)["hold_out"]


def resume(cli, name, run):
    options = ["--workers", 1]
    for option in ("valid", "max_steps"):
        if run.get(option):
            options += [f"--{option.replace('_', '-')}", run[option]]
    return cli("train", *run["corpus"], "-o", name, "--resume", *options)


def check_same_end(cli, ours, theirs):
    """Compare two models except for the last bits, which differ between processors."""
    here, there = history(cli, ours), history(cli, theirs)
    np.testing.assert_allclose(losses(here), losses(there), rtol=1e-4)
    now, then = charrnn.load(ours).parameters, charrnn.load(theirs).parameters
    assert now.keys() == then.keys()
    for name in then:
        np.testing.assert_allclose(now[name], then[name], atol=1e-5, err_msg=name)


def history(cli, model):
    return json.loads(cli("info", model, "--json").out)["history"]


def losses(history):
    return [[entry["step"], entry["train"], entry["valid"]] for entry in history]


def contents(folder):
    return {file: file.read_bytes() for file in folder.iterdir()}
