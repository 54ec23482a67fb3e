"""Run a charrnn command in a separate process, forked from one that has imported everything."""

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

import numpy as np  # noqa: F401 (imported once for all forks)

import charrnn.cli
import charrnn.inference.evaluate
import charrnn.inference.sampling
import charrnn.music.dataset
import charrnn.training.train
from tests.tiny import TEXT

OUT = "novel.safetensors"

running: set[int] = set()  # process ids of commands not yet waited for


@dataclass
class Ended:
    """The exit code of a command (or minus a signal), and its standard error."""

    code: int
    err: str

    @property
    def last(self) -> str:
        """The last line of standard error."""
        return (self.err.splitlines() or [""])[-1]

    def one_line_error(self) -> bool:
        """Return whether it failed with a one-line error message."""
        return (
            self.code in (1, 2)
            and self.last.startswith("charrnn: error: ")
            and "Traceback" not in self.err
        )


class Command:
    """A command that runs in `folder`, as the leader of its own session; `before` prepares its
    process. Temporary files go to the same folder, so that leftovers are found.

    Reading standard error to its end waits for every process that has it open, such as workers.
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
        self.told = self.line = b""  # everything read so far, and its last line
        self._err = os.fdopen(reading, "rb")
        self._code: int | None = None
        self.memory = 0  # peak in bytes, once it has ended

    def until(self, start: bytes, times: int = 1) -> bool:
        """Read until `times` lines have started with `start`; return whether they have."""
        for line in iter(self._err.readline, b""):
            self.told += line
            self.line = line
            times -= line.startswith(start)
            if not times:
                return True
        return False

    def send(self, number: int) -> None:
        """Send a signal to the process, not to its children."""
        if self._code is None:
            os.kill(self.pid, number)

    def has_ended(self) -> bool:
        """Return whether the process has ended, without waiting for it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self) -> Ended:
        """Wait until the process and its children have ended."""
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
            multiprocessing.util._exit_function()  # the only exit handler we need
            sys.stderr.flush()
        finally:
            os._exit(code)


def kill_all() -> None:
    """Kill the commands that a failed case has left running, with their children."""
    while running:
        pid = running.pop()
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def fresh(**environment: object) -> Callable[[list[str]], object]:
    """Return a function that runs a command in a new Python with this environment added."""
    added = {name: str(value) for name, value in environment.items()}
    program = [sys.executable, "-W", "error", "-m", "charrnn"]
    return lambda arguments: os.execve(sys.executable, [*program, *arguments], os.environ | added)


def train(*options: object, folder: Path, before: Callable[[], None] = lambda: None) -> Command:
    """Start training the tiny model on `TEXT` in `folder`."""
    novel = folder / "novel.txt"
    if not novel.exists():
        novel.write_text(TEXT)
    return Command("train", "novel.txt", *options, folder=folder, before=before)


def left_over(folder: Path, *others: str) -> list[str]:
    """Return the names in `folder` that a run should not have left behind."""
    expected = {"novel.txt", OUT, "novel.resume.safetensors", *others}
    return sorted({path.name for path in folder.iterdir()} - expected)
