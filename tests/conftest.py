"""Fixtures: a tiny corpus and model; the command line in-process, as a process, on a terminal."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from charrnn.checkpoints.records import TrainConfig
from charrnn.cli import main
from charrnn.nn.model import ModelConfig
from charrnn.text.loading import read
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.chromium import COMMAND, Browser
from tests.helpers import ROOT, finish
from tests.processes import PATIENCE
from tests.tiny import TEXT


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def pytest_collection_modifyitems(items):
    """Mark the tests that drive a browser."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A Chromium without a window."""
    if COMMAND is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "tiny.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def trained_briefly(corpus_file, out, hidden_size, seq_len, batch_size, **limits):
    """Train a model on a file for a moment; return its path."""
    trainer = Trainer.new(
        read(corpus_file),
        ModelConfig("gru", hidden_size, embedding_size=8, dropout=0.0),
        train=TrainConfig(seq_len=seq_len, batch_size=batch_size, learning_rate=0.02),
        limits=Limits(**limits),
        out=out,
    )
    finish(trainer)
    return out


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, corpus_file):
    """A model trained on `corpus_file` for a moment; tests must not change it."""
    out = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    return trained_briefly(corpus_file, out, 32, 16, 8, max_steps=120, eval_every=40)


@pytest.fixture(scope="session")
def model_of_tunes():
    """A function that trains a model on a file of tunes for a few steps; returns its path."""

    def train(path, hidden_size, max_steps):
        out = path.with_suffix(".safetensors")
        return trained_briefly(path, out, hidden_size, 32, 4, max_steps=max_steps)

    return train


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run the command line in this process and in the folder tmp_path."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Result(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def start(tmp_path):
    """Start the command line, or another `script`, as a process in the folder tmp_path.

    `signals` maps signals to the handlers that it inherits, by default SIG_DFL.
    """
    processes = []

    def start(*arguments, script=("-m", "charrnn"), env=None, signals=None, **options):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LC_"))}
        environment |= {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"}
        with inherited(signals or {}):
            process = subprocess.Popen(
                [sys.executable, "-W", "error", *map(str, (*script, *arguments))],
                env=environment | (env or {}),
                cwd=tmp_path,
                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def inherited(signals):
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    wanted = {getattr(signal, name): signal.SIG_DFL for name in names} | signals
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def process(start):
    """Run the command line, or another script, as a process until it ends."""

    def run(*arguments, input=b"", **options):
        child = start(*arguments, stdin=subprocess.PIPE, **options)
        out, err = child.communicate(input, timeout=PATIENCE)
        return Result(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    return run


@pytest.fixture
def on_terminal(start):
    """Run the command line with `stream` on a terminal, whose content replaces that stream."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

    def run(*arguments, stream, columns=100):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (25, columns))
        with os.fdopen(ours, "rb", buffering=0) as screen:
            child = start(*arguments, **{stream: theirs})
            os.close(theirs)
            shown = b"".join(iter(lambda: read_screen(screen), b""))
            others = child.communicate(timeout=PATIENCE)
        texts = dict(zip(("stdout", "stderr"), others, strict=True)) | {stream: shown}
        return Result(child.returncode, texts["stdout"].decode(), texts["stderr"].decode())

    return run


def read_screen(screen):
    try:
        return screen.read(1 << 16)
    except OSError:  # Linux's way to say that the other end was closed
        return b""
