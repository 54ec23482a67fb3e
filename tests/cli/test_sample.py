"""`charrnn sample`: its output, prompts, options, and closed pipes."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.inference.documents import stream_documents
from charrnn.inference.sampling import generate
from charrnn.text.loading import read
from tests.cli.runs import save_constant_model
from tests.helpers import assert_refused, needs_dev_full, posix


def test_sample_prints_the_prompt_and_the_requested_number_of_characters(process, model_file):
    result = process("sample", model_file, "--prompt", "The c", "--length", "40", "--seed", "1")
    assert (result.code, result.err) == (0, "")
    assert result.out == "The c" + generate(load(model_file), "The c", length=40, seed=1)[0]
    assert len(result.out) == 45


def test_a_chosen_seed_is_printed_and_reproduces_the_text(cli, model_file):
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
    ],
)
def test_sample_has_a_python_twin(cli, model_file, options, arguments):
    result = cli("sample", model_file, "-n", "80", "--seed", "5", *options.split())
    assert (result.code, result.err) == (0, "")
    assert result.out == generate(load(model_file), length=80, seed=5, **arguments)[0]


def test_sample_length_0_prints_only_the_prompt(cli, model_file):
    assert cli("sample", model_file, "-p", "The", "-n", "0", "--seed", "1").out == "The"


def test_each_sample_starts_with_the_prompt(cli, model_file):
    arguments = ["--prompt", "The", "--length", "30", "--num-samples", "3", "--seed", "1"]
    result = cli("sample", model_file, *arguments)
    texts = generate(load(model_file), "The", length=30, seed=1, num_samples=3)
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
    assert content["samples"] == generate(load(model_file), "The", length=30, seed=4, num_samples=2)


def test_the_chosen_seed_is_in_the_json(cli, model_file):
    result = cli("sample", model_file, "--json", "-n", "5")
    assert f"seed {json.loads(result.out)['seed']}\n" in result.err


# ---- several temperatures ------------------------------------------------------------------------


def test_several_temperatures_are_used_in_turn_under_headings(cli, model_file):
    arguments = ["--prompt", "The", "-n", "30", "--seed", "1", "--num-samples", "2"]
    result = cli("sample", model_file, "-t", "0.5,1.1", *arguments)
    expected = [
        [
            f"The{text}"
            for text in generate(
                load(model_file), "The", length=30, num_samples=2, seed=1, temperature=temperature
            )
        ]
        for temperature in (0.5, 1.1)
    ]
    assert (result.code, result.err) == (0, "")
    assert result.out == "\n\n".join(
        f"---- temperature {temperature} ----\n\n" + "\n\n----\n\n".join(texts)
        for temperature, texts in zip((0.5, 1.1), expected, strict=True)
    )


def test_the_json_has_the_temperature_of_each_sample(cli, model_file):
    arguments = ["-n", "30", "--seed", "1", "--num-samples", "2", "--json"]
    content = json.loads(cli("sample", model_file, "-t", "0.5,1.1", *arguments).out)
    assert content["temperatures"] == [0.5, 0.5, 1.1, 1.1]
    for temperature, texts in ((0.5, content["samples"][:2]), (1.1, content["samples"][2:])):
        options = {"length": 30, "num_samples": 2, "seed": 1}
        assert texts == generate(load(model_file), temperature=temperature, **options)


@pytest.mark.parametrize("temperatures", ["0.5,-1", "0.5,hot", "0.5,", ",", "0.5;1"])
def test_every_temperature_is_checked_before_the_first_sample(cli, model_file, temperatures):
    result = cli("sample", model_file, "--seed", "1", "-t", temperatures)
    assert_refused(result, 2, "temperature")


# ---- documents -----------------------------------------------------------------------------------


@pytest.fixture
def names(tmp_path):
    """A model that writes lines of a, b and c."""
    model = save_constant_model(tmp_path / "names.safetensors", "\nabc", documents="lines")
    (tmp_path / "names.txt").write_text("a\nb\nab\n")
    return model


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--unique"], {"unique": True}),
        (["--min-length", "2", "--max-length", "3"], {"min_length": 2, "max_length": 3}),
        (["--new-against", "names.txt"], {"new_against": "names.txt"}),
        (["--unique", "--prompt", "b", "-n", "4"], {"unique": True, "length": 4}),
    ],
    ids=str,
)
def test_conditions_for_documents_have_a_python_twin(cli, names, options, arguments):
    result = cli("sample", names, "--num-samples", "20", "--seed", "3", *options)
    prompt = "b" if "--prompt" in options else ""
    if "new_against" in arguments:
        arguments = {"new_against": read(arguments["new_against"])}
    expected = list(stream_documents(load(names), prompt, num_samples=20, seed=3, **arguments))
    assert len(expected) == 20
    assert (result.code, result.err) == (0, "")
    assert result.out == "".join(f"{prompt}{text}\n" for text in expected)


def test_new_documents_are_compared_with_all_files_of_a_folder(cli, names, tmp_path):
    (tmp_path / "known").mkdir()
    (tmp_path / "known/one.txt").write_text("a\nb")
    (tmp_path / "known/two.txt").write_text("c\n")
    result = cli("sample", names, "--num-samples", "50", "--new-against", "known", "--seed", "1")
    assert not {"a", "b", "c"} & set(result.out.split("\n"))


def test_the_number_of_documents_found_is_reported_if_there_are_too_few(cli, names):
    options = ["--num-samples", "9", "--unique", "--max-length", "1", "--seed", "1"]
    result = cli("sample", names, *options)
    assert sorted(result.out.split()) == ["a", "b", "c"]
    assert "charrnn: found 3 of 9 documents that meet the conditions; lower --num" in result.err
    content = json.loads(cli("sample", names, *options, "--json").out)
    assert sorted(content["samples"]) == ["a", "b", "c"]
    result = cli("sample", names, *options[:2], "--min-length", "9", "-n", "5", "--seed", "1")
    assert (result.code, result.out) == (0, "")
    assert "found 0 of 9 documents" in result.err


def test_the_number_of_documents_found_follows_the_finished_text(cli, names, monkeypatch):
    monkeypatch.setattr("charrnn.cli.sample.tell", print)
    options = ["--num-samples", "9", "--unique", "--max-length", "1", "--seed", "1"]
    assert re.match(r"(.\n){3}found 3 of 9 documents", cli("sample", names, *options).out)


def test_a_model_of_tunes_says_how_to_get_playable_tunes(cli, tmp_path):
    model = save_constant_model(tmp_path / "tunes.safetensors", "\nab", documents="tunes")
    hint = "training notation; for playable tunes, use compose"
    assert hint in cli("sample", model, "--seed", "1").err
    assert hint not in cli("sample", model, "--seed", "1", "--json").err


def test_usage_errors_come_before_the_seed(cli, names):
    for wrong in (["-t", "-1"], ["--unique", "--stop", "a"], ["--num-samples", "0"]):
        result = cli("sample", names, *wrong)
        assert result.code == 2
        assert "seed" not in result.err


def test_conditions_for_documents_are_refused_without_documents_and_with_a_stop(
    cli, names, model_file
):
    refused = cli("sample", model_file, "--unique", "--seed", "1")
    assert_refused(refused, 2, "error: --unique needs a model trained on lines", "on whole files")
    result = cli("sample", names, "--unique", "--stop", "a")
    assert_refused(result, 2, "--stop cannot be combined with --unique")


# ---- prompts -------------------------------------------------------------------------------------


def test_a_prompt_can_be_read_from_a_file(cli, model_file, tmp_path):
    (tmp_path / "prompt.txt").write_bytes(b"The cat\r\nsat on")
    from_file = cli("sample", model_file, "--prompt-file", "prompt.txt", "--seed", "1")
    assert from_file.out == cli("sample", model_file, "-p", "The cat\nsat on", "--seed", "1").out


def test_a_prompt_can_be_read_from_standard_input(process, model_file):
    arguments = ["sample", model_file, "--seed", "1", "-n", "20"]
    result = process(*arguments, "--prompt-file", "-", input=b"The cat")
    assert result.code == 0
    assert result.out == process(*arguments, "--prompt", "The cat").out


def test_prompt_and_prompt_file_cannot_be_combined(cli, model_file):
    result = cli("sample", model_file, "--prompt", "a", "--prompt-file", "b.txt")
    assert (result.code, result.out) == (2, "")
    assert "--prompt and --prompt-file cannot be combined" in result.err


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_prompt_file_is_echoed_piece_by_piece(cli, model_file, tmp_path, monkeypatch, form):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", 3)
    text = 'The cat sat.\n"The\tdog"'
    (tmp_path / "prompt.txt").write_text(text, encoding="utf-8")
    options = ["--unknown", "skip", "-n", "20", "--seed", "1", *form]
    result = cli("sample", model_file, "--prompt-file", "prompt.txt", *options)
    assert result.out == cli("sample", model_file, "--prompt", text, *options).out
    echoed = json.loads(result.out)["prompt"] if form else result.out[: len(text)]
    assert echoed == text


def test_unknown_characters_in_a_prompt_are_skipped_or_folded_with_a_notice(cli, model_file):
    options = ["-n", "20", "--seed", "1"]
    skipped = cli("sample", model_file, "--prompt", "§é", "--unknown", "skip", *options)
    assert skipped.err == "charrnn: skipped 2 characters not in the model's alphabet\n"
    assert skipped.out == "§é" + generate(load(model_file), length=20, seed=1)[0]
    folded = cli("sample", model_file, "--prompt", "§é", "--unknown", "fold", *options)
    assert "replaced 1 character with similar ones from the model's alphabet" in folded.err
    assert "skipped 1 character not in" in folded.err
    assert folded.out == "§é" + generate(load(model_file), "e", length=20, seed=1)[0]


def test_a_long_prompt_is_announced(cli, model_file, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.cli.sample.LONG_PROMPT", 10)
    (tmp_path / "prompt.txt").write_text("The cat sat")
    result = cli("sample", model_file, "--prompt-file", "prompt.txt", "--seed", "1")
    assert result.err == "charrnn: reading a prompt of 11 characters\n"


def test_a_text_to_adapt_to_may_have_unknown_characters(cli, model_file, tmp_path):
    (tmp_path / "style.txt").write_text("The § cát sat\n" * 9, encoding="utf-8")
    arguments = ["sample", model_file, "--adapt", "style.txt", "--seed", "1"]
    refused = cli(*arguments)
    assert (refused.code, refused.out) == (1, "")
    assert "U+00A7" in refused.err
    result = cli(*arguments, "--unknown", "fold")
    assert "replaced 9 characters" in result.err
    assert "skipped 9 characters" in result.err


def test_unknown_characters_in_a_prompt_are_named(cli, model_file):
    result = cli("sample", model_file, "--prompt", "Thé c§t", "--seed", "1")
    assert_refused(result, 1, "U+00E9", "U+00A7", "--unknown fold", "--unknown skip")


# ---- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (f"--num-samples {10**40}", "--num-samples"),
        ("--length -1", "length"),
        ("--temperature -1", "temperature"),
        ("--temperature nan", "temperature"),
        ("--temperature inf", "temperature"),
        ("--top-k 0", "--top-k"),
        ("--top-p 2", "--top-p"),
        ("--top-p -0.1", "--top-p"),
        ("--min-p nan", "--min-p"),
        ("--num-samples 0", "--num-samples"),
        ("--num-samples -1", "--num-samples"),
        ("--seed -1", "seed"),
        ("--seed 18446744073709551616", "seed"),
        ("--prompt-file nowhere.txt", "nowhere.txt does not exist"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_invalid_options_of_sample_are_named(cli, model_file, option, word, form):
    result = cli("sample", model_file, "--prompt", "", "--seed", "1", *form, *option.split())
    assert_refused(result, 1 if "file" in option else 2, word)


@pytest.mark.parametrize("option", ["--temperature 1e-320", "--top-p 0", "--min-p 1", "--top-k 1"])
def test_extreme_options_are_greedy(cli, model_file, option):
    greedy = cli("sample", model_file, "--temperature", "0", "--seed", "1")
    result = cli("sample", model_file, "--seed", "1", *option.split())
    assert (result.code, result.out) == (0, greedy.out)


# ---- closed pipes --------------------------------------------------------------------------------


@posix
def test_a_closed_pipe_ends_a_sample_quietly(start, model_file):
    writer = start("sample", model_file, "--length", "10000000", "--seed", "1")
    assert len(writer.stdout.read(10)) == 10
    writer.stdout.close()
    assert writer.stderr.read() == b""
    assert writer.wait() == 0


@posix
@pytest.mark.parametrize("arguments", [["info"], ["sample", "--json", "--seed", "1"]])
def test_a_pipe_closed_before_the_result_is_no_error(start, model_file, arguments):
    ours, theirs = os.pipe()
    os.close(ours)
    writer = start(arguments[0], model_file, *arguments[1:], stdout=theirs)
    os.close(theirs)
    assert writer.stderr.read() == b""
    assert writer.wait() == 0


@needs_dev_full
def test_a_full_disk_is_a_one_line_error_of_sample(start, model_file):
    with Path("/dev/full").open("wb") as full:
        writer = start("sample", model_file, "--seed", "1", stdout=full)
    errors = writer.stderr.read().decode()
    assert (writer.wait(), errors.count("\n")) == (1, 1), errors
    assert "no space left" in errors


@posix
def test_ctrl_c_ends_a_sample_quietly(start, model_file):
    writer = start("sample", model_file, "--length", "10000000", "--seed", "1")
    assert writer.stdout.read(10)
    writer.send_signal(signal.SIGINT)
    writer.stdout.read()
    assert writer.stderr.read().strip() == b""
    assert writer.wait() == 130
