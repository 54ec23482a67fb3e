"""A signal saves and ends a run, and the printed command resumes it."""

import re
import shlex
import signal

import pytest

from charrnn.checkpoints.checkpoint import load
from tests.cli.runs import LONG, SHORT, TEXT, logged
from tests.helpers import posix, wait_for_line


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_saves_and_the_resumed_run_equals_an_uninterrupted_one(
    start, cli, novel, tmp_path, name, code
):
    novel.rename(tmp_path / "my novel.txt")
    (tmp_path / "my valid.txt").write_text(TEXT[:200])
    files = ["my novel.txt", "--valid", "my valid.txt"]
    stopped = start("train", *files, *LONG, "--log", "my log.jsonl")
    wait_for_line(stopped.stderr)
    stopped.send_signal(getattr(signal, name))
    *_, told, command = stopped.stderr.read().decode().splitlines()
    assert stopped.wait() == code
    step = int(re.search(r"at step ([\d,]+) and saved", told)[1].replace(",", ""))
    model = tmp_path / "my novel.safetensors"
    assert load(model).history

    word, *arguments = shlex.split(command)
    assert word == "charrnn"
    result = cli(*arguments, "--max-steps", step + 10)
    assert result.code == 0
    assert f"resuming from step {step:,}" in result.err
    result = cli("train", *files, *LONG, "--max-steps", step + 10, "-o", "whole.safetensors")
    assert result.code == 0
    assert model.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    steps = [entry["step"] for entry in logged("my log.jsonl") if entry["event"] == "step"]
    assert steps == list(range(1, step + 11))


@posix
def test_an_ignored_hangup_stays_ignored(start, novel):
    run = start("train", novel, *LONG, signals={signal.SIGHUP: signal.SIG_IGN})
    wait_for_line(run.stderr)
    run.send_signal(signal.SIGHUP)
    wait_for_line(run.stderr)
    wait_for_line(run.stderr)
    run.send_signal(signal.SIGTERM)
    assert b"Traceback" not in run.stderr.read()
    assert run.wait() == 143


@posix
def test_two_signals_at_once_save_and_end_the_run(start, novel, tmp_path):
    run = start("train", novel, *LONG)
    wait_for_line(run.stderr)
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        run.send_signal(number)
    errors = run.stderr.read().decode()
    assert run.wait() in (130, 143)
    assert "and saved; to continue:" in errors
    assert "Traceback" not in errors
    load(tmp_path / "novel.safetensors")


def test_signal_handlers_are_restored(cli, novel):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert cli("train", novel, *SHORT).code == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
