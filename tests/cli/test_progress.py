"""The progress of a run: lines, or a bar on a terminal."""

import errno
import math
import os
import re
import sys

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.cli.progress import preparing
from charrnn.text.loading import read
from tests.cli.runs import LONG, SHORT
from tests.helpers import posix, wait_for_line
from tests.processes import PATIENCE
from tests.tiny import OPTIONS


def steps_shown(errors):
    return [int(line.split()[1]) for line in errors.splitlines() if line.startswith("step ")]


def test_without_a_terminal_progress_is_plain_lines(cli, novel, monkeypatch):
    monkeypatch.setattr("charrnn.cli.progress.SECONDS_BETWEEN_LINES", math.inf)
    result = cli("train", novel, *SHORT)
    assert (result.code, result.out) == (0, "")
    assert result.err.replace("\n", "").isprintable()
    assert steps_shown(result.err) == [5, 10, 12]
    lines = [line for line in result.err.splitlines() if line.startswith("step ")]
    assert all(" bits/char" in line and " chars/s" in line for line in lines)


def test_between_evaluations_a_line_is_printed_every_few_seconds(cli, novel, monkeypatch):
    monkeypatch.setattr("charrnn.cli.progress.SECONDS_BETWEEN_LINES", 0)
    shown = steps_shown(cli("train", novel, *SHORT).err)
    assert shown == sorted([*range(1, 13), 5, 10, 12])


# ---- before training -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silence", "lines"), [(0, ["charrnn: reading novel.txt: 100%"]), (math.inf, [])]
)
def test_what_takes_long_is_announced(cli, novel, monkeypatch, silence, lines):
    monkeypatch.setattr("charrnn.cli.progress.SILENCE", silence)
    result = cli("train", novel.name, *SHORT)
    assert result.code == 0
    assert [line for line in result.err.splitlines() if line.endswith("%")] == lines


def test_augmentation_is_announced(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.cli.progress.SILENCE", 0)
    monkeypatch.setattr("charrnn.cli.progress.SECONDS_BETWEEN_LINES", 0)
    (tmp_path / "tunes.abc").write_text(
        "".join(f"X:{n}\nM:2/4\nL:1/8\nK:D\nDEFG|A2d{n}|AGFE|D{n}|]\n\n" for n in range(1, 9))
    )
    options = [*OPTIONS, "--max-steps", "2", "--transpose", "all", "--keep-irregular"]
    told = cli("train", "tunes.abc", *options).err
    for what in ("reading tunes", "reading tunes.abc", "comparing tunes", "transposing tunes"):
        assert f"charrnn: {what}: " in told
    assert "charrnn: augmenting the corpus: 50%" in told


def test_a_terminal_shows_a_bar_for_what_takes_long(novel, monkeypatch, capsys):
    monkeypatch.setattr("charrnn.cli.progress.SILENCE", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with preparing():
        read(novel)
    assert re.search(r"%\|.+\| reading .+novel.txt", capsys.readouterr().err)


# ---- while training ------------------------------------------------------------------------------


def test_a_terminal_shows_a_bar(on_terminal, novel):
    result = on_terminal("train", novel, *SHORT, stream="stderr")
    assert (result.code, result.out) == (0, "")
    assert "\r" in result.err
    assert re.search(r"100%\|.+ left, loss .+, valid .+, .+ chars/s", result.err)
    assert "\x1b[" not in re.sub(r"\x1b\[A|\x1b\[K", "", result.err)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_lines_fit_the_terminal_and_the_bar_keeps_the_time_left(on_terminal, novel, columns):
    shown = on_terminal("train", novel.name, *SHORT, stream="stderr", columns=columns).err
    rows = [row.rstrip() for row in re.split(r"[\r\n]+", re.sub(r"\x1b\[[AK]", "", shown))]
    *rows, command, _ = rows
    assert command == "  charrnn sample novel.safetensors --temperature 0.8"  # whole, for pasting
    assert max(map(len, rows)) < columns
    _, *bars = (row for row in rows if "%|" in row)  # the first is empty
    assert all(re.search(r"\| [\d:?]+ left, loss ", bar) for bar in bars)


def test_curves_are_drawn_from_the_second_evaluation_on(cli, novel):
    first, *others = cli("train", novel, *SHORT).err.split("\nstep ")[1:]
    assert "    training " not in first
    assert len(others) == 2
    assert all(re.search("\n    training [▁-█]+  validation [▁-█]+\n", text) for text in others)


@posix
def test_a_run_survives_the_reader_of_its_progress(start, novel, tmp_path):
    run = start("train", novel, *LONG, "--max-steps", "300")
    wait_for_line(run.stderr)
    run.stderr.close()
    assert run.wait(PATIENCE) == 0
    assert load(tmp_path / "novel.safetensors").training.steps == 300


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_standard_streams_may_be_closed(cli, novel, monkeypatch, stream):
    monkeypatch.setattr(sys, stream, None)  # as Python has it after >&-
    assert cli("train", novel, *SHORT).code == 0
    assert load("novel.safetensors").training.steps == 12


def test_notices_escape_file_names(cli, novel, monkeypatch):
    calls = iter(range(100))

    def sync(_):
        if next(calls) == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("charrnn.checkpoints.atomic.sync_folder", sync)
    result = cli("train", novel, *SHORT, "-o", "a\x1b[2J.safetensors")
    assert result.code == 0
    assert r"a\x1b[2J" in next(line for line in result.err.splitlines() if "input/output" in line)
    assert "\x1b" not in result.err
