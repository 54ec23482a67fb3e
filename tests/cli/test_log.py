"""The log has a line of JSON per report."""

import pytest

from tests.cli.runs import SHORT, logged
from tests.helpers import assert_refused, needs_dev_full


def test_the_log_has_a_line_per_report(cli, novel):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    entries = logged("log.jsonl")
    trained = [entry for entry in entries if entry["evaluation"] is None]
    evaluated = [entry for entry in entries if entry["evaluation"] is not None]
    assert [entry["step"] for entry in trained] == list(range(1, 13))
    assert [entry["step"] for entry in evaluated] == [5, 10, 12]
    for entry in entries:
        assert {"epoch", "progress", "loss", "learning_rate", "gradient_norm"} <= entry.keys()
    assert all(entry["evaluation"]["bits_per_char"] > 0 for entry in evaluated)


def test_a_resumed_run_continues_its_log(cli, novel):
    assert cli("train", novel, *SHORT, "--log", "log.jsonl").code == 0
    assert cli("train", novel, "--resume", "--max-steps", "15", "--log", "log.jsonl").code == 0
    assert {entry["step"] for entry in logged("log.jsonl")} == set(range(1, 16))


def test_an_unwritable_log_is_an_error_before_training(cli, novel, files):
    result = cli("train", novel, *SHORT, "--log", "missing/log.jsonl")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("charrnn: error: cannot write missing/log.jsonl")
    assert files() == ["novel.txt"]


@needs_dev_full
def test_a_full_disk_ends_the_log_and_not_the_run(cli, novel):
    result = cli("train", novel, *SHORT, "--log", "/dev/full")
    assert result.code == 0
    assert result.err.count("cannot write the log: no space left") == 1


def test_an_existing_log_is_replaced_only_with_overwrite(cli, novel, tmp_path):
    (tmp_path / "log.jsonl").write_text("another run's\n")
    refused = cli("train", novel, *SHORT, "--log", "log.jsonl")
    assert_refused(refused, 1, "log.jsonl already exists", "--overwrite")
    assert cli("train", novel, *SHORT, "--log", "log.jsonl", "--overwrite").code == 0
    assert logged("log.jsonl")[0]["step"] == 1


@pytest.mark.parametrize("name", ["novel.txt", "novel.safetensors", "novel.resume.safetensors"])
def test_a_log_cannot_be_a_file_of_the_run(cli, novel, name):
    result = cli("train", novel, *SHORT, "--log", name)
    assert (result.code, result.out) == (2, "")
    assert f"--log cannot be {name}, a file of the run" in result.err
