"""The command line as a whole, and the commands that use a model."""

import json
import os
import re
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from charrnn import __version__
from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.container import write
from charrnn.checkpoints.records import TrainingRecord
from charrnn.inference.sampling import generate
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.tokenizer import Tokenizer

COMMANDS = ["train", "sample", "evaluate", "info", "compose", "assess", "convert"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes")
every_command = pytest.mark.parametrize("command", COMMANDS)


def assert_refused(result, code, *words):
    """One line on standard error says what is wrong."""
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("charrnn: error: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err


def save_constant_model(path, alphabet, **training):
    """Save a model that finds each character of `alphabet` equally likely, whatever it has read."""
    config = ModelConfig("rnn", hidden_size=1, embedding_size=0)
    parameters = Parameters(config.shapes(len(alphabet)))
    record = TrainingRecord.parsed(training)
    Checkpoint(config, Tokenizer(alphabet), parameters, record).save(path)
    return path


# ---- help ------------------------------------------------------------------------------------


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


# ---- sample ----------------------------------------------------------------------------------


def test_sample_prints_the_prompt_and_just_so_many_characters(process, model_file):
    result = process("sample", model_file, "--prompt", "The c", "--length", "40", "--seed", "1")
    assert (result.code, result.err) == (0, "")
    assert result.out == "The c" + generate(load(model_file), "The c", 40, seed=1)[0]
    assert len(result.out) == 45


def test_a_seed_that_is_not_given_is_told_and_gives_the_text_again(cli, model_file):
    first = cli("sample", model_file, "--length", "60")
    seed = re.fullmatch(r"charrnn: seed (\d+)\n", first.err)[1]
    again = cli("sample", model_file, "--length", "60", "--seed", seed)
    assert (again.out, again.err) == (first.out, "")
    assert cli("sample", model_file, "--length", "60").out != first.out


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ("--temperature 0", {"temperature": 0}),
        ("-t 0.5 --top-k 3", {"temperature": 0.5, "top_k": 3}),
        ("--top-p 0.5 --min-p 0.1", {"top_p": 0.5, "min_p": 0.1}),
        ("--stop cat", {"stop": "cat"}),
        ("--prompt § --unknown skip", {}),
    ],
)
def test_sample_has_a_python_twin(cli, model_file, options, arguments):
    result = cli("sample", model_file, "-n", "80", "--seed", "5", *options.split())
    assert (result.code, result.err) == (0, "")
    prompt = "§" if "§" in options else ""
    assert result.out == prompt + generate(load(model_file), length=80, seed=5, **arguments)[0]


def test_sample_length_0_prints_the_prompt_alone(cli, model_file):
    assert cli("sample", model_file, "-p", "The", "-n", "0", "--seed", "1").out == "The"


def test_each_sample_begins_with_the_prompt(cli, model_file):
    arguments = ["--prompt", "The", "--length", "30", "--num-samples", "3", "--seed", "1"]
    result = cli("sample", model_file, *arguments)
    texts = generate(load(model_file), "The", 30, seed=1, num_samples=3)
    assert len(set(texts)) == 3
    positions = [result.out.index("The" + text) for text in texts]
    assert positions == sorted(positions)
    assert positions[0] == 0


def test_samples_of_a_model_of_lines_are_lines(cli, tmp_path):
    model = save_constant_model(tmp_path / "names.safetensors", "\nab", documents="lines")
    result = cli("sample", model, "--num-samples", "20", "--seed", "1")
    texts = generate(load(model), seed=1, num_samples=20)
    assert result.out.removesuffix("\n").split("\n") == texts


def test_sample_json(cli, model_file):
    arguments = ["--prompt", "The", "--length", "30", "--num-samples", "2", "--seed", "4"]
    result = cli("sample", model_file, *arguments, "--json")
    content = json.loads(result.out)
    assert {"prompt", "seed", "samples"} <= content.keys()
    assert (content["prompt"], content["seed"]) == ("The", 4)
    assert content["samples"] == generate(load(model_file), "The", 30, seed=4, num_samples=2)


def test_the_drawn_seed_is_in_the_json(cli, model_file):
    result = cli("sample", model_file, "--json", "-n", "5")
    assert f"seed {json.loads(result.out)['seed']}\n" in result.err


def test_a_prompt_may_come_from_a_file(cli, model_file, tmp_path):
    (tmp_path / "prompt.txt").write_bytes(b"The cat\r\nsat on")
    from_file = cli("sample", model_file, "--prompt-file", "prompt.txt", "--seed", "1")
    assert from_file.out == cli("sample", model_file, "-p", "The cat\nsat on", "--seed", "1").out


def test_a_prompt_may_come_from_standard_input(process, model_file):
    arguments = ["sample", model_file, "--seed", "1", "-n", "20"]
    result = process(*arguments, "--prompt-file", "-", input=b"The cat")
    assert result.code == 0
    assert result.out == process(*arguments, "--prompt", "The cat").out


def test_two_prompts_are_a_usage_error(cli, model_file):
    result = cli("sample", model_file, "--prompt", "a", "--prompt-file", "b.txt")
    assert (result.code, result.out) == (2, "")
    assert "not both" in result.err


def test_a_prompt_with_unseen_characters_names_them(cli, model_file):
    result = cli("sample", model_file, "--prompt", "Thé c§t", "--seed", "1")
    assert_refused(result, 1, "U+00E9", "U+00A7", "--unknown skip")


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (f"--num-samples {10**40}", "num_samples"),
        ("--length -1", "length"),
        ("--temperature -1", "temperature"),
        ("--temperature nan", "temperature"),
        ("--temperature inf", "temperature"),
        ("--top-k 0", "top_k"),
        ("--top-p 2", "top_p"),
        ("--top-p -0.1", "top_p"),
        ("--min-p nan", "min_p"),
        ("--num-samples 0", "num_samples"),
        ("--num-samples -1", "num_samples"),
        ("--seed -1", "seed"),
        ("--seed 18446744073709551616", "seed"),
        ("--prompt-file nowhere.txt", "nowhere.txt does not exist"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_impossible_options_of_sample_are_named(cli, model_file, option, word, form):
    result = cli("sample", model_file, "--prompt", "", "--seed", "1", *form, *option.split())
    assert_refused(result, 1 if "file" in option else 2, word)


@pytest.mark.parametrize("option", ["--temperature 1e-320", "--top-p 0", "--min-p 1", "--top-k 1"])
def test_the_extremes_are_greedy(cli, model_file, option):
    greedy = cli("sample", model_file, "--temperature", "0", "--seed", "1")
    result = cli("sample", model_file, "--seed", "1", *option.split())
    assert (result.code, result.out) == (0, greedy.out)


@posix
def test_a_reader_of_the_text_may_leave(start, model_file):
    writer = start("sample", model_file, "--length", "10000000", "--seed", "1")
    assert len(writer.stdout.read(10)) == 10
    writer.stdout.close()
    assert writer.stderr.read() == b""
    assert writer.wait() == 0


@posix
@pytest.mark.parametrize("arguments", [["info"], ["sample", "--json", "--seed", "1"]])
def test_nobody_need_read_the_result(start, model_file, arguments):
    ours, theirs = os.pipe()
    os.close(ours)
    writer = start(arguments[0], model_file, *arguments[1:], stdout=theirs)
    os.close(theirs)
    assert writer.stderr.read() == b""
    assert writer.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_in_one_line(start, model_file):
    with Path("/dev/full").open("wb") as full:
        writer = start("sample", model_file, "--seed", "1", stdout=full)
    errors = writer.stderr.read().decode()
    assert (writer.wait(), errors.count("\n")) == (1, 1), errors
    assert "No space left" in errors


@posix
def test_ctrl_c_ends_a_sample_quietly(start, model_file):
    writer = start("sample", model_file, "--length", "10000000", "--seed", "1")
    assert writer.stdout.read(10)
    writer.send_signal(signal.SIGINT)
    writer.stdout.read()
    assert writer.stderr.read().strip() == b""
    assert writer.wait() == 130


# ---- terminals and encodings -----------------------------------------------------------------


def test_characters_that_the_output_lacks_are_replaced_and_told_once(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "é")
    arguments = ["sample", model, "--length", "5", "--seed", "1"]
    result = process(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.out) == (0, "?????")
    assert result.err.count("\n") == 1
    assert "ascii" in result.err


@pytest.mark.parametrize("command", [["info"], ["info", "--json"], ["evaluate"]], ids=" ".join)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_command_fails_for_what_the_output_lacks(process, tmp_path, command, encoding):
    model = save_constant_model(tmp_path / "café.safetensors", "é🎶\n")
    corpus = tmp_path / "café.txt"
    corpus.write_text("é🎶\n" * 10, encoding="utf-8")
    arguments = [*command, model, *([corpus] if command[0] == "evaluate" else [])]
    result = process(*arguments, env={"PYTHONIOENCODING": encoding})
    assert (result.code, result.err) == (0, "")
    assert result.out


def test_control_characters_go_raw_into_a_pipe(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    result = process("sample", model, "--length", "3", "--seed", "1", "--prompt", "\x1b")
    assert (result.code, result.out, result.err) == (0, "\x1b" * 4, "")


def test_control_characters_are_escaped_on_a_terminal(on_terminal, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    arguments = ["--length", "3", "--seed", "1", "--prompt", "\x1b"]
    result = on_terminal("sample", model, *arguments, stream="stdout")
    assert (result.code, result.err) == (0, "")
    assert result.out == r"\x1b" * 4 + "\r\n"


def test_info_escapes_what_a_model_file_says(cli, tmp_path):
    evil = "\x1b[2J"
    model = save_constant_model(tmp_path / "m.safetensors", "ab" + evil, corpus=evil)
    result = cli("info", model)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert r"\x1b[2J" in result.out


def test_errors_escape_what_they_name(cli):
    result = cli("info", "a\x1b[2Jb\nc.safetensors")
    assert_refused(result, 1, r"\x1b[2J")


# ---- evaluate --------------------------------------------------------------------------------


def evaluated(cli, *arguments):
    result = cli("evaluate", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def test_evaluate_json_has_just_these_keys(cli, model_file, corpus_file):
    figures = evaluated(cli, model_file, corpus_file)
    keys = {"nats_per_char", "bits_per_char", "perplexity", "accuracy", "characters"}
    assert figures.keys() == keys
    assert figures["bits_per_char"] == pytest.approx(figures["nats_per_char"] / np.log(2))
    assert figures["perplexity"] == pytest.approx(np.exp(figures["nats_per_char"]))
    assert figures["characters"] == len(corpus_file.read_text()) - 1
    assert 0 < figures["accuracy"] < 1


def test_evaluate_prints_the_same_figures(cli, model_file, corpus_file):
    figures = evaluated(cli, model_file, corpus_file)
    result = cli("evaluate", model_file, corpus_file)
    assert (result.code, result.err) == (0, "")
    for name in ("nats_per_char", "bits_per_char"):
        assert f"{figures[name]:.4f}" in result.out
    assert f"{figures['accuracy']:.1%}" in result.out
    assert f"{figures['characters']:,}" in result.out


def test_a_constant_model_is_as_good_as_its_alphabet_is_large(cli, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "abcd")
    (tmp_path / "text.txt").write_text("abcd" * 10)
    figures = evaluated(cli, model, "text.txt")
    assert figures["bits_per_char"] == pytest.approx(2)
    assert figures["perplexity"] == pytest.approx(4)
    assert figures["characters"] == 39


def test_the_splits_are_those_of_the_training(cli, model_file, corpus_file):
    characters = {
        split: evaluated(cli, model_file, corpus_file, "--split", split)["characters"]
        for split in ("train", "valid", "all")
    }
    text = len(corpus_file.read_text())
    assert characters["all"] == text - 1
    assert characters["train"] == int(text * 0.9) - 1
    assert characters["valid"] == text - int(text * 0.9) - 1


def test_the_valid_split_has_the_loss_that_training_told(cli, model_file, corpus_file):
    best = min(entry.valid for entry in load(model_file).history)
    figures = evaluated(cli, model_file, corpus_file, "--split", "valid")
    assert figures["nats_per_char"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    "options", [["--streams", "4"], ["--streams", "1000000"], ["--block-size", "64"]], ids=" ".join
)
def test_approximate_evaluation_scores_each_character_too(cli, model_file, corpus_file, options):
    exact = evaluated(cli, model_file, corpus_file)
    figures = evaluated(cli, model_file, corpus_file, *options)
    assert figures["characters"] == exact["characters"]
    assert figures["nats_per_char"] == pytest.approx(exact["nats_per_char"], rel=0.2)
    assert figures["nats_per_char"] != exact["nats_per_char"]


@pytest.mark.parametrize("option", ["--block-size", "--streams"])
def test_blocks_and_streams_may_be_as_many_as_one_likes(cli, model_file, corpus_file, option):
    figures = evaluated(cli, model_file, corpus_file, option, 10**30)
    exact = evaluated(cli, model_file, corpus_file)
    assert figures["characters"] == exact["characters"]


def test_short_blocks_foretell_worse_than_one_pass(cli, model_file, corpus_file):
    exact = evaluated(cli, model_file, corpus_file)
    blocks = evaluated(cli, model_file, corpus_file, "--block-size", "2")
    assert blocks["nats_per_char"] > 1.1 * exact["nats_per_char"]


def test_evaluate_reads_standard_input(process, model_file, corpus_file):
    arguments = ["evaluate", model_file, "--json"]
    from_file = process(*arguments, corpus_file)
    result = process(*arguments, "-", input=corpus_file.read_bytes())
    assert (result.code, result.err) == (0, "")
    assert result.out == from_file.out


def test_evaluate_names_or_skips_unseen_characters(cli, model_file, tmp_path):
    (tmp_path / "text.txt").write_text("The cåt sat\n", encoding="utf-8")
    assert_refused(cli("evaluate", model_file, "text.txt"), 1, "U+00E5", "--unknown skip")
    result = cli("evaluate", model_file, "text.txt", "--unknown", "skip", "--json")
    assert json.loads(result.out)["characters"] == len("The ct sat\n") - 1
    assert result.err == "charrnn: what the model lacks is left out: 1 distinct character\n"


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["{corpus}", "--streams", "0"], 2, "streams"),
        (["{corpus}", "--block-size", "0"], 2, "block_size"),
        (["{corpus}", "--block-size", "-1"], 2, "block_size"),
        (["nowhere.txt"], 1, "nowhere.txt does not exist"),
        (["one.txt"], 1, "least is 2"),
        (["one.txt", "--unknown", "skip", "--encoding", "utf-16"], 1, "not utf-16"),
    ],
)
def test_what_cannot_be_evaluated_is_named(
    cli, model_file, corpus_file, tmp_path, options, code, word
):
    (tmp_path / "one.txt").write_text("T")
    result = cli("evaluate", model_file, *(each.format(corpus=corpus_file) for each in options))
    assert_refused(result, code, word)


# ---- info ------------------------------------------------------------------------------------


def test_info_tells_what_a_model_is(cli, model_file):
    result = cli("info", model_file)
    assert (result.code, result.err) == (0, "")
    parameters = load(model_file).parameters.flat.size
    for word in ("gru, 1 x 32", f"{parameters:,} parameters", "seq_len", "120", "history"):
        assert word in result.out


def test_info_json_holds_all_of_it(cli, model_file):
    result = cli("info", model_file, "--json")
    assert (result.code, result.err) == (0, "")
    content, model = json.loads(result.out), load(model_file)
    assert content["config"]["hidden_size"] == 32
    assert content["vocabulary"] == model.tokenizer.alphabet
    assert content["training"] == model.training.document()
    assert content["history"] == [asdict(entry) for entry in model.history]
    assert content["parameters"] == model.parameters.flat.size
    assert content["bytes"] == model_file.stat().st_size


def test_info_of_a_model_without_history(cli, tmp_path):
    result = cli("info", save_constant_model(tmp_path / "m.safetensors", "ab"))
    assert (result.code, result.err) == (0, "")
    assert "one-hot" in result.out


# ---- bad model files -------------------------------------------------------------------------


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


def odd_config(path, model):
    checkpoint = load(model)
    document = checkpoint._document() | {"config": {"cell": "gru"}}
    write(path, "model", checkpoint.parameters, document)


def odd_history(path, model):
    checkpoint = load(model)
    document = checkpoint._document() | {"history": [{"step": 1}, 2]}
    write(path, "model", checkpoint.parameters, document)


def odd_training(path, model):
    checkpoint = load(model)
    document = checkpoint._document() | {"training": {"valid_fraction": "much"}}
    write(path, "model", checkpoint.parameters, document)


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
        (odd_config, "damaged"),
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
    [(odd_history, ["info"]), (odd_training, ["evaluate", "text.txt", "--split", "valid"])],
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
    monkeypatch.setattr("charrnn.checkpoints.container.FORMAT", 2)
    load(model_file).save("new.safetensors")
    monkeypatch.setattr("charrnn.checkpoints.container.FORMAT", 1)
    assert_refused(cli("info", "new.safetensors"), 1, "format 2", "upgrade")


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


# ---- one place each --------------------------------------------------------------------------

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
    def forward(a, u, old, new):
        np.add(a, u, out=a)
        np.add(a, old, out=new)
        np.multiply(new, 0.5, out=new)

    @staticmethod
    def backward(a, u, old, new, d, tmp):
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
    assert (told["config"]["cell"], told["training"]["optimizer"]) == ("toy", "toy")
    assert told["training"]["schedule"] == "toy"
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
    assert_refused(result, 2, "toy_filter", "1 to 100")
