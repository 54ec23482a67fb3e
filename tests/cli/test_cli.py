"""The command line as a whole: help, usage errors, bad model files, and registries."""

import errno
import json
import re
import shutil
from dataclasses import replace

import click
import numpy as np
import pytest
from safetensors.numpy import save_file

from charrnn import __version__
from charrnn import cli as cli_module
from charrnn.checkpoints.checkpoint import load
from charrnn.registry import resolve
from tests.helpers import assert_refused, failing, rewrite

COMMANDS = [
    "train",
    "sample",
    "evaluate",
    "info",
    "compose",
    "assess",
    "convert",
    "export",
    "import",
]
every_command = pytest.mark.parametrize("command", COMMANDS)


# ---- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_has_examples_before_options(cli, command, option):
    result = cli(*command, option)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: charrnn")
    description, _, options = result.out.partition("\n\nOptions:\n")
    assert " ".join(["charrnn", *command]) in description.partition("Examples:\n")[2]
    assert "-h, --help" in options


def test_help_lists_every_command_with_a_whole_sentence(cli):
    listed = cli("--help").out.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert all(re.search(r"\w\.$", line) for line in listed)


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_fits_80_columns(cli, command):
    assert max(map(len, cli(*command, "--help").out.splitlines())) <= 80


@every_command
def test_help_describes_every_option_in_sentences(command):
    context = click.Context(resolve(cli_module.COMMANDS[command]))
    for heading, options in context.command.sections(context).items():
        assert re.fullmatch(r"[A-Z][a-z ]+", heading)
        assert options, heading
        for option in options:
            assert re.fullmatch(r"[A-Z][a-z]+ .+\.", option.help), option.name


def test_help_groups_the_options_of_train(cli):
    text = cli("train", "--help").out
    headings = re.findall(r"^([A-Z][a-z ]+):$", text, re.MULTILINE)
    assert headings[:2] == ["Output", "Limits"]
    assert "--batch-size" in text.split("Optimization:\n")[1].split("\n\n")[0]


@pytest.mark.parametrize(
    ("command", "option", "default"),
    [
        ("train", "--cell", "gru"),
        ("train", "--hidden-size", "(automatic)"),
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


def test_without_arguments_the_help_is_shown(cli):
    result = cli()
    assert (result.code, result.out) == (2, "")
    assert result.err == cli("--help").out


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
    assert_refused(cli(*arguments), 2, "dance", "; see 'charrnn", "--help'")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "charrnn: error: too many open files (raise the limit with ulimit -n)"),
        (errno.ENOSPC, "charrnn: error: standard output: no space left on device"),
    ],
)
def test_an_error_of_the_system_says_what_it_concerns(cli, monkeypatch, model_file, number, words):
    monkeypatch.setattr("charrnn.cli.info.show", failing(number))
    result = cli("info", model_file)
    assert (result.code, result.err.strip()) == (1, words)


@every_command
def test_a_missing_argument_is_a_usage_error(cli, command):
    assert_refused(cli(command), 2, "missing argument", f"see 'charrnn {command} --help'")


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
    """Return a function that changes the description in a model file."""

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
        (text, "not a model file"),
        (empty, "not a model file"),
        (folder, "is a folder"),
        (missing, "does not exist"),
        (resume_file, "is a resume file"),
    ],
)
def test_a_bad_model_file_is_an_error_in_one_line(
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
def test_an_invalid_record_is_an_error_or_ignored(cli, model_file, tmp_path, spoil, command):
    (tmp_path / "text.txt").write_text("The cat sat")
    spoil(tmp_path / "odd.safetensors", model_file)
    result = cli(command[0], "odd.safetensors", *command[1:])
    if result.code:
        assert_refused(result, 1, "odd.safetensors")


def test_a_mistyped_command_is_corrected(cli):
    assert_refused(cli("trian", "novel.txt"), 2, "no such command 'trian' (did you mean 'train'?)")
    assert_refused(cli("frobnicate"), 2, "no such command 'frobnicate'; see 'charrnn --help'")


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

    direct = 1

    @staticmethod
    def forward(a, u, kept, old, new):
        np.add(a, u, out=a)
        np.add(a, old, out=new)
        np.multiply(new, 0.5, out=new)

    @staticmethod
    def backward(a, kept, old, new, d, direct, tmp):
        np.multiply(d, 0.5, out=a)
        np.copyto(direct, a)


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
    """The command line with a toy entry in every registry."""
    path = tmp_path / "toys.py"
    path.write_text(TOYS)
    return lambda *arguments: process(*arguments, script=[path])


def test_registry_entries_can_be_used_for_training_and_sampling(toys, tmp_path):
    (tmp_path / "text.toy").write_text("abcdefgh\n" * 40)
    settings = [f"--{name}=toy" for name in ("cell", "optimizer", "schedule")]
    sizes = ["--hidden-size=8", "--batch-size=4", "--seq-len=8", "--learning-rate=0.01"]
    result = toys("train", "text.toy", *settings, *sizes, "--max-steps=100", "--warmup-steps=0")
    assert (result.code, result.out) == (0, "")

    printed = json.loads(toys("info", "text.safetensors", "--json").out)
    assert (printed["config"]["cell"], printed["training"]["config"]["optimizer"]) == ("toy", "toy")
    assert printed["training"]["config"]["schedule"] == "toy"
    assert printed["history"][-1]["valid"] < np.log(len("abcdefgh\n")) / 2

    sample = ["sample", "text.safetensors", "--seed=1"]
    assert "hgfedcba" in toys(*sample, "--temperature=0", "--length=20").out
    few = toys(*sample, "--toy-filter=2", "--temperature=5", "--length=50").out
    assert set(few) == set("\na")


def test_registry_entries_are_in_the_help(toys):
    train, sample = toys("train", "--help").out, toys("sample", "--help").out
    assert len(re.findall(r"\|toy\]", train)) == 3
    assert "--toy-filter N" in sample
    assert "Keep the first of the alphabet." in " ".join(sample.split())


def test_registry_entries_are_validated(toys, model_file):
    result = toys("sample", model_file, "--seed=1", "--toy-filter=0")
    assert_refused(result, 2, "--toy-filter", "between 1 and 100")
