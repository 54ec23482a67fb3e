"""The log starts with a record of the run and has a line of JSON per report.

Only a log is replaced or continued, and only by one run at a time.
"""

import json
import os

import pytest

import charrnn
from charrnn.checkpoints.lock import lock_path
from charrnn.text.loading import read
from tests.cli.runs import LONG, SHORT, TEXT, logged
from tests.helpers import assert_refused, needs_dev_full, posix, wait_for_line


def events(name):
    return [(entry["event"], entry["step"]) for entry in logged(name)]


def test_the_log_has_a_record_per_report(cli, novel):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    told = events("log.jsonl")
    assert told[0] == ("run", 0)
    assert [step for event, step in told if event == "step"] == list(range(1, 13))
    assert [step for event, step in told if event == "evaluation"] == [5, 10, 12]
    assert len(told) == 1 + 12 + 3


def test_the_first_record_describes_the_run(cli, novel, tmp_path):
    (tmp_path / "valid.txt").write_text(TEXT[:200])
    options = ["--valid", "valid.txt", "--seed", "7", "--shards", "1"]
    assert cli("train", novel, *SHORT, *options, "--log", "log.jsonl").code == 0
    run = logged("log.jsonl")[0]
    assert run["charrnn"] == charrnn.__version__
    assert run["corpus"] == {
        "files": [str(novel)],
        "digest": read(novel).digest,
        "characters": len(TEXT),
    }
    assert run["valid"] == {
        "files": ["valid.txt"],
        "digest": read("valid.txt").digest,
        "characters": 200,
    }
    expected = {"cell": "gru", "hidden_size": 8, "seed": 7, "max_steps": 12, "shards": 1}
    assert run["settings"].items() >= expected.items()
    assert run["reading"]["documents"] == "whole"
    assert (run["alphabet"], run["workers"]) == (len(set(TEXT)), 1)


def test_all_reports_have_the_same_flat_fields(cli, novel):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    _, *reports = logged("log.jsonl")
    (fields,) = {tuple(report) for report in reports}
    assert {"epoch", "progress", "loss", "learning_rate", "gradient_norm", "best"} <= {*fields}
    assert not any(isinstance(value, (dict, list)) for r in reports for value in r.values())
    figures = [name for name in fields if name.startswith("valid_")]
    assert figures == [
        *("valid_nats_per_char", "valid_bits_per_char", "valid_accuracy", "valid_characters")
    ]
    for report in reports:
        assert {report[name] is None for name in figures} == {report["event"] != "evaluation"}


def test_a_divergence_is_a_notice(cli, novel):
    wild = ["--optimizer", "sgd", "--learning-rate", "1e9", "--clip-norm", "0"]
    cli("train", novel, *SHORT, *wild, "--warmup-steps", "0", "--log", "log.jsonl")
    (notice,) = (entry for entry in logged("log.jsonl") if entry["event"] == "notice")
    assert "diverged" in notice["notice"]


# ---- an existing log -----------------------------------------------------------------------------


def test_a_resumed_run_continues_its_log(cli, novel):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    before = events("log.jsonl")
    assert cli("train", novel, "--resume", "--max-steps", "15", "--log", "log.jsonl").code == 0
    after = events("log.jsonl")
    assert after[: len(before)] == before
    steps = [("step", 13), ("step", 14), ("step", 15)]
    assert after[len(before) :] == [("run", 12), *steps, ("evaluation", 15)]


@pytest.mark.parametrize("torn", ['{"event": "step", "st', "x" * 200_000])
def test_a_line_that_a_killed_run_left_unfinished_is_removed(cli, novel, tmp_path, torn):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    before = logged("log.jsonl")
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write(torn)
    assert cli("train", novel, "--resume", "--max-steps", "13", "--log", "log.jsonl").code == 0
    assert logged("log.jsonl")[: len(before) + 1][:-1] == before


@pytest.mark.usefixtures("trained")
def test_a_log_of_0_1_0_is_continued(cli, novel, tmp_path):
    """It had no record of the run."""
    first = '{"step": 1, "epoch": 0.1, "progress": 0.08, "loss": 2.5, "evaluation": null}\n'
    (tmp_path / "log.jsonl").write_text(first)
    assert cli("train", novel, "--resume", "--max-steps", "13", "--log", "log.jsonl").code == 0
    assert (tmp_path / "log.jsonl").read_text().startswith(first + '{"event": "run"')


def test_an_existing_log_is_replaced_only_with_overwrite(cli, novel, tmp_path):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    before = (tmp_path / "log.jsonl").read_bytes()
    other = ["train", novel, *SHORT, "-o", "other.safetensors", "--log", "log.jsonl"]
    assert_refused(cli(*other), 1, "log.jsonl already exists", "--overwrite")
    assert (tmp_path / "log.jsonl").read_bytes() == before
    assert cli(*other, "--overwrite", "--max-steps", "1").code == 0
    assert events("log.jsonl") == [("run", 0), ("step", 1), ("evaluation", 1)]


@pytest.mark.parametrize("option", ["--overwrite", "--resume", None])
@pytest.mark.parametrize("kind", ["a model", "notes", "JSON lines"])
def test_only_a_log_is_replaced_or_continued(cli, novel, trained, tmp_path, option, kind):
    mine = tmp_path / "mine"
    texts = {"notes": "my only copy\n", "JSON lines": '{"step": 1, "name": "mine"}\n'}
    mine.write_bytes(trained.read_bytes() if kind == "a model" else texts[kind].encode())
    before = mine.read_bytes(), trained.read_bytes()
    options = [option] if option else ["-o", "other.safetensors"]
    result = cli("train", novel, *SHORT, "--max-steps", "14", *options, "--log", mine)
    assert_refused(result, 1, f"{mine} is not a charrnn log; choose another --log")
    assert (mine.read_bytes(), trained.read_bytes()) == before


def test_an_empty_file_becomes_a_log(cli, novel, tmp_path):
    (tmp_path / "log.jsonl").touch()
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    assert events("log.jsonl")[0] == ("run", 0)


@posix
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("option", ["--overwrite", "--resume"])
def test_a_log_that_another_run_is_writing_is_refused(start, cli, novel, option):
    first = start("train", novel, *LONG, "-o", "first.safetensors", "--log", "log.jsonl")
    wait_for_line(first.stderr)
    result = cli("train", novel, *SHORT, "--max-steps", "14", option, "--log", "log.jsonl")
    assert result.code == 1
    assert "error: another run is writing log.jsonl; choose another --log" in result.err
    first.terminate()
    first.stderr.read()
    assert first.wait() == 143
    steps = [step for event, step in events("log.jsonl") if event == "step"]
    assert steps == list(range(1, len(steps) + 1))
    result = cli("train", novel, *SHORT, "--max-steps", "14", option, "--log", "log.jsonl")
    assert result.code == 0


# ---- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", ["missing/log.jsonl", "other.txt/log.jsonl", "x" * 300])
def test_an_unwritable_log_is_an_error_before_training(cli, novel, tmp_path, files, log):
    (tmp_path / "other.txt").touch()
    result = cli("train", novel, *SHORT, "--log", log)
    assert result.code == 1
    assert log in result.err.splitlines()[-1]
    assert result.err.splitlines()[-1].startswith("charrnn: error: cannot ")
    assert "\nstep " not in result.err
    assert files() == ["novel.txt", "other.txt"]


@pytest.mark.parametrize("log", [".", "/", "folder"])
def test_a_folder_is_no_log(cli, novel, tmp_path, log):
    (tmp_path / "folder").mkdir()
    result = cli("train", novel, *SHORT, "--log", log, "--overwrite")
    assert_refused(result, 1, f"{log} is a folder; choose another --log")


def test_a_dash_is_no_log(cli, novel, files):
    assert_refused(cli("train", novel, *SHORT, "--log", "-"), 1, "a log cannot be named -")
    assert files() == ["novel.txt"]


@pytest.mark.parametrize(
    "name", ["novel.txt", "novel.safetensors", "novel.resume.safetensors", "the lock"]
)
def test_a_log_cannot_be_a_file_of_the_run(cli, novel, tmp_path, name):
    name = lock_path(tmp_path / "novel.safetensors").name if name == "the lock" else name
    result = cli("train", novel, *SHORT, "--log", name)
    assert (result.code, result.out) == (2, "")
    assert f"--log cannot be {name}, which this run reads or writes" in result.err


@needs_dev_full
def test_a_full_disk_ends_the_log_and_not_the_run(cli, novel):
    result = cli("train", novel, *SHORT, "--log", "/dev/full")
    assert result.code == 0
    assert result.err.count("cannot write the log: no space left") == 1


@posix
def test_a_log_may_be_a_pipe_with_a_reader(cli, novel, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = cli("train", novel, *SHORT, "--log", "pipe")  # without one it does not hang
    assert result.code == 1
    assert "cannot write pipe" in result.err
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert cli("train", novel, *SHORT, "--log", "pipe").code == 0
    lines = os.read(reading, 1 << 16).splitlines()
    os.close(reading)
    assert [json.loads(line)["event"] for line in lines].count("run") == 1
    assert len(lines) == 16


@posix
def test_a_log_may_be_a_link(cli, novel, tmp_path):
    (tmp_path / "link").symlink_to("log.jsonl")
    assert cli("train", novel, *SHORT, "--log", "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert events("log.jsonl")[0] == ("run", 0)
