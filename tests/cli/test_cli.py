"""The command line as a whole: help, exit codes, registries, and files that are no model."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from charrnn import __version__
from charrnn.checkpoints.checkpoint import load
from tests.helpers import assert_refused, rewrite

COMMANDS = ["train", "sample", "evaluate", "info", "compose", "assess", "convert"]
every_command = pytest.mark.parametrize("command", COMMANDS)


# ---- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_has_examples_before_options(cli, command, option):
    result = cli(*command, option)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: charrnn")
    examples, options = result.out.index("Examples:\n"), result.out.index("Options:\n")
    assert examples < options
    assert " ".join(["charrnn", *command]) in result.out[examples:options]


def test_help_names_every_command(cli):
    listed = cli("--help").out.split("Commands:\n")[1]
    assert {line.split()[0] for line in listed.splitlines()} == set(COMMANDS)


@pytest.mark.parametrize(
    ("command", "option", "default"),
    [
        ("train", "--cell", "gru"),
        ("train", "--hidden-size", "(chosen)"),
        ("train", "--valid-fraction", "0.1"),
        ("train", "--seed", "0"),
        ("sample", "--length", "500"),
        ("sample", "--temperature", "1.0"),
        ("evaluate", "--split", "all"),
    ],
)
def test_help_shows_defaults(cli, command, option, default):
    text = " ".join(cli(command, "--help").out.split())
    assert re.search(
        rf"{option} [^]]*(\[[^]]*\|[^]]*\] [^]]*)?\[default: {re.escape(default)}\]", text
    )


def test_version(cli):
    result = cli("--version")
    assert (result.code, result.err) == (0, "")
    assert __version__ in result.out


def test_help_does_not_wait_for_numpy(process):
    script = (
        "import sys\n"
        "from charrnn.cli import main\n"
        "try: main(['--help'])\n"
        "finally: assert not {'numpy', 'safetensors', 'tqdm'} & sys.modules.keys()\n"
    )
    result = process(script=("-c", script))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: charrnn")


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["--dance"], *([command, "--dance"] for command in COMMANDS)],
    ids=" ".join,
)
def test_an_unknown_command_or_option_is_a_usage_error(cli, arguments):
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "dance" in result.err


@every_command
def test_a_missing_argument_is_a_usage_error(cli, command):
    result = cli(command)
    assert (result.code, result.out) == (2, "")
    assert "Missing argument" in result.err


def test_shell_completion_prints_a_script(process):
    result = process(env={"_CHARRNN_COMPLETE": "zsh_source"})
    assert (result.code, result.err) == (0, "")
    assert "#compdef charrnn" in result.out


def test_shell_completion_knows_the_settings(process):
    words = {"COMP_WORDS": "charrnn train --opt", "COMP_CWORD": "2"}
    result = process(env={"_CHARRNN_COMPLETE": "zsh_complete", **words})
    assert result.code == 0
    assert "--optimizer" in result.out


# ---- bad model files -----------------------------------------------------------------------------


def truncated(path, model):
    path.write_bytes(model.read_bytes()[:-7])


def flipped(path, model):
    data = bytearray(model.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def foreign(path, _):
    save_file({"weight": np.zeros((2, 3), np.float32)}, path)


def text(path, _):
    path.write_text("Once upon a time\n")


def empty(path, _):
    path.touch()


def folder(path, _):
    path.mkdir()


def missing(*_):
    pass


def huge_header(path, _):
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")


def not_finite(path, model):
    checkpoint = load(model)
    checkpoint.parameters.flat[5] = np.nan
    checkpoint.save(path)


def resume_file(path, model):
    shutil.copy(model.with_name("tiny.resume.safetensors"), path)


def says(**changes):
    """Return a function that makes a model say something else of itself."""

    def spoil(path, model):
        shutil.copy(model, path)
        rewrite(path, lambda document: document.update(changes))

    return spoil


def other_shape(path, model):
    checkpoint = load(model)
    replace(checkpoint, config=replace(checkpoint.config, hidden_size=31)).save(path)


@pytest.mark.parametrize("command", ["sample", "evaluate", "info"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "damaged"),
        (flipped, "damaged"),
        (not_finite, "not finite"),
        (says(config={"cell": "gru"}), "damaged"),
        (other_shape, "damaged"),
        (huge_header, "damaged"),
        (foreign, "not written by charrnn"),
        (text, "no model file"),
        (empty, "no model file"),
        (folder, "is not a file"),
        (missing, "does not exist"),
        (resume_file, "is a resume file"),
    ],
)
def test_a_bad_model_file_is_told_in_one_line(
    cli, model_file, corpus_file, tmp_path, spoil, words, command
):
    spoil(tmp_path / "bad.safetensors", model_file)
    arguments = {"sample": ["--seed", "1"], "evaluate": [corpus_file], "info": []}[command]
    assert_refused(cli(command, "bad.safetensors", *arguments), 1, "bad.safetensors", words)


@pytest.mark.parametrize(
    ("spoil", "command"),
    [
        (says(history=[{"step": 1}, 2]), ["info"]),
        (
            says(training={"valid_fraction": "much"}),
            ["evaluate", "text.txt", "--split", "valid"],
        ),
    ],
)
def test_a_record_that_makes_no_sense_is_told_or_left_aside(
    cli, model_file, tmp_path, spoil, command
):
    (tmp_path / "text.txt").write_text("The cat sat")
    spoil(tmp_path / "odd.safetensors", model_file)
    result = cli(command[0], "odd.safetensors", *command[1:])
    if result.code:
        assert_refused(result, 1, "odd.safetensors")


def test_a_model_of_a_future_version_asks_for_an_upgrade(cli, model_file, monkeypatch):
    with monkeypatch.context() as future:
        future.setattr("charrnn.checkpoints.container.FORMAT", 9)
        future.setattr("charrnn.checkpoints.container.__version__", "9.0")
        load(model_file).save("new.safetensors")
    assert_refused(cli("info", "new.safetensors"), 1, "written by a newer charrnn (9.0): upgrade")


def test_init_from_a_bad_model_is_an_error(cli, model_file, corpus_file, tmp_path):
    truncated(tmp_path / "bad.safetensors", model_file)
    result = cli("train", corpus_file, "--init-from", "bad.safetensors", "-o", "new.safetensors")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith("charrnn: error: bad.safetensors")
    assert not (tmp_path / "new.safetensors").exists()


def test_a_bad_resume_file_is_an_error(cli, model_file, corpus_file, tmp_path):
    shutil.copy(model_file, tmp_path / "m.safetensors")
    truncated(tmp_path / "m.resume.safetensors", model_file.with_name("tiny.resume.safetensors"))
    result = cli("train", corpus_file, "--resume", "-o", "m.safetensors")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith("charrnn: error: m.resume.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() == model_file.read_bytes()


# ---- one place each ------------------------------------------------------------------------------

TOYS = '''
import numpy as np

from charrnn.cli import main
from charrnn.text.formats import FORMATS, Format
from charrnn.nn.cells import CELLS, RNN
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES, Optimizer
from charrnn.inference.filters import FILTERS, Filter


class Leaky(RNN):
    """h' = (h + a + u) / 2"""

    @staticmethod
    def forward(a, u, kept, old, new):
        np.add(a, u, out=a)
        np.add(a, old, out=new)
        np.multiply(new, 0.5, out=new)

    @staticmethod
    def backward(a, kept, old, new, d, direct, tmp):
        np.multiply(d, 0.5, out=d)
        np.copyto(a, d)


class SignSGD(Optimizer):
    def update(self, w, g, moments, learning_rate, tmp):
        np.subtract(w, learning_rate * np.sign(g), out=w)


def only_the_first(p, count):
    p[:, int(count):] = 0


CELLS["toy"] = Leaky
OPTIMIZERS["toy"] = SignSGD
SCHEDULES["toy"] = lambda p: 1 - p / 2
FILTERS["toy_filter"] = Filter(only_the_first, int, 1, 100, "Keep the first of the alphabet.")
FORMATS[".toy"] = Format(lambda file, name, encoding: [file.read().decode(encoding)[::-1]])
main()
'''


@pytest.fixture
def toys(process, tmp_path):
    """The command line with a toy listed in every registry."""
    path = tmp_path / "toys.py"
    path.write_text(TOYS)
    return lambda *arguments: process(*arguments, script=[path])


def test_what_a_registry_lists_can_be_trained_with_and_sampled_from(toys, tmp_path):
    (tmp_path / "text.toy").write_text("abcdefgh\n" * 40)
    settings = [f"--{name}=toy" for name in ("cell", "optimizer", "schedule")]
    sizes = ["--hidden-size=8", "--batch-size=4", "--seq-len=8", "--learning-rate=0.01"]
    result = toys("train", "text.toy", *settings, *sizes, "--max-steps=100", "--warmup-steps=0")
    assert (result.code, result.out) == (0, "")

    told = json.loads(toys("info", "text.safetensors", "--json").out)
    assert (told["config"]["cell"], told["training"]["config"]["optimizer"]) == ("toy", "toy")
    assert told["training"]["config"]["schedule"] == "toy"
    assert told["history"][-1]["valid"] < np.log(len("abcdefgh\n")) / 2

    sample = ["sample", "text.safetensors", "--seed=1"]
    assert "hgfedcba" in toys(*sample, "--temperature=0", "--length=20").out
    few = toys(*sample, "--toy-filter=2", "--temperature=5", "--length=50").out
    assert set(few) == set("\na")


def test_what_a_registry_lists_is_in_the_help(toys):
    train, sample = toys("train", "--help").out, toys("sample", "--help").out
    assert len(re.findall(r"\|toy\]", train)) == 3
    assert "--toy-filter INTEGER" in sample
    assert "Keep the first of the alphabet." in " ".join(sample.split())


def test_a_toy_is_checked_like_all_others(toys, model_file):
    result = toys("sample", model_file, "--seed=1", "--toy-filter=0")
    assert_refused(result, 2, "--toy-filter", "1 to 100")
