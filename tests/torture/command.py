"""A charrnn command in a process of its own, forked from one that has imported everything."""

from __future__ import annotations

import multiprocessing.util
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np  # noqa: F401 (imported once, for all that is forked)

import charrnn.cli
import charrnn.inference.evaluate
import charrnn.inference.sampling
import charrnn.music.dataset
import charrnn.training.train
from tests.tiny import TEXT

OUT = "novel.safetensors"

running: set[int] = set()  # commands that have not been waited for


@dataclass
class Ended:
    """How a command ended: an exit code, or minus a signal; and what it told."""

    code: int
    err: str

    @property
    def last(self) -> str:
        """The last line that it told."""
        return (self.err.splitlines() or [""])[-1]

    def one_line_error(self) -> bool:
        """Return whether it ended as a user's mistake should."""
        return (
            self.code in (1, 2)
            and self.last.startswith(("charrnn: error: ", "Error: "))
            and "Traceback" not in self.err
        )


class Command:
    """A command that runs in `folder`, leader of its own session; `before` prepares its process.
    The folder is that for temporary files too, so that whatever it leaves is found there.

    Whoever has its standard error still open, such as a worker, is waited for when it is read to
    its end.
    """

    def __init__(
        self,
        *arguments: object,
        folder: Path,
        before: Callable[[], None] = lambda: None,
        call: Callable[[list[str]], object] = charrnn.cli.main,
    ) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _run([str(argument) for argument in arguments], folder, writing, before, call)
        os.close(writing)
        running.add(self.pid)
        self.told = self.line = b""  # all that was read, and the last line of it
        self._err = os.fdopen(reading, "rb")
        self._code: int | None = None
        self.memory = 0  # bytes that it had at most, once it has ended

    def until(self, start: bytes, times: int = 1) -> bool:
        """Read until so many lines have begun with `start`; return whether they have."""
        for line in iter(self._err.readline, b""):
            self.told += line
            self.line = line
            times -= line.startswith(start)
            if not times:
                return True
        return False

    def send(self, number: int) -> None:
        """Send a signal to the process, not to those that it started."""
        if self._code is None:
            os.kill(self.pid, number)

    def has_ended(self) -> bool:
        """Return whether the process has ended, without waiting for it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self) -> Ended:
        """Wait until it and all that it started have ended."""
        self.told += self._err.read()
        self._err.close()
        if self._code is None:
            _, status, used = os.wait4(self.pid, 0)
            running.discard(self.pid)
            self._code, self.memory = os.waitstatus_to_exitcode(status), 1024 * used.ru_maxrss
        return Ended(self._code, self.told.decode(errors="replace"))


def _run(
    arguments: list[str],
    folder: Path,
    errors: int,
    before: Callable[[], None],
    call: Callable[[list[str]], object],
) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(nowhere, number)
        os.dup2(errors, 2)
        os.close(errors)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()
        call(arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            multiprocessing.util._exit_function()  # the only one of ours that is due at exit
            sys.stderr.flush()
        finally:
            os._exit(code)


def kill_all() -> None:
    """Kill what a case that went wrong has left running, with all that it started."""
    while running:
        pid = running.pop()
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def fresh(**environment: object) -> Callable[[list[str]], object]:
    """Return what runs a command in a Python of its own, with this added to its environment."""
    added = {name: str(value) for name, value in environment.items()}
    program = [sys.executable, "-W", "error", "-m", "charrnn"]
    return lambda arguments: os.execve(sys.executable, [*program, *arguments], os.environ | added)


def train(*options: object, folder: Path, before: Callable[[], None] = lambda: None) -> Command:
    """Start to train the tiny model on `TEXT` in `folder`."""
    novel = folder / "novel.txt"
    if not novel.exists():
        novel.write_text(TEXT)
    return Command("train", "novel.txt", *options, folder=folder, before=before)


def left_over(folder: Path, *others: str) -> list[str]:
    """Return the names in `folder` that a run should not have left."""
    expected = {"novel.txt", OUT, "novel.resume.safetensors", *others}
    return sorted({path.name for path in folder.iterdir()} - expected)
