"""Every step that a process takes towards the disk, one by one: to count, to log, to let fail.

The functions of `os` are wrapped, in the process of the run alone; the package knows nothing of it.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from charrnn.training.trainer import Trainer

# Called before each step with its name, what it is about, and what really does it.
Hook = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]


def install(hook: Hook) -> None:
    """Let every step go through `hook`."""
    for name in ("open", "fsync", "replace", "chmod", "unlink"):
        setattr(os, name, _wrapped(name, getattr(os, name), hook))
    os.fdopen = lambda handle, mode="r": io.BufferedWriter(_File(handle, mode, hook))


def _wrapped(name: str, function: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
    def step(*arguments: Any, **options: Any) -> Any:
        return hook(name, arguments, lambda: function(*arguments, **options))

    return step


class _File(io.FileIO):
    """A file whose writes are steps too."""

    def __init__(self, handle: int, mode: str, hook: Hook) -> None:
        super().__init__(handle, mode)
        self._hook = hook

    def write(self, data: Any) -> int:
        data = bytes(data)
        write = super().write
        return self._hook("write", (self.fileno(), data), lambda: write(data))


def failing(kind: str, at: int) -> Callable[[], None]:
    """Return what lets step number `at` of a process fail, as `kind` says.

    A kind is the name of an errno, SIGKILL, or "short", a write that takes only a part; with
    "... for good" all steps from there on fail. A write that fails has written half its data.
    """
    word, _, for_good = kind.partition(" ")
    taken = 0

    def hook(name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        nonlocal taken
        taken += 1
        if taken < at or (taken > at and not for_good):
            return do()
        if name == "write" and word != "EINTR":  # which a write that took something never gives
            handle, data = arguments
            written = os.write(handle, data[: len(data) // 2])
            if word == "short":
                return written
        elif word == "short":
            return do()
        if word == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(__import__("errno"), word)
        raise OSError(number, os.strerror(number), str(arguments[0]))

    return lambda: install(hook)


def logging(to: str) -> Callable[[], None]:
    """Return what appends each step, and its result or a replacement's content, to a file; and each
    save that is done, as a step "saved".
    """
    log = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        content = Path(arguments[0]).read_bytes() if name == "replace" else None
        result = do()
        plain = [str(value) if isinstance(value, Path) else value for value in arguments]
        os.write(log, repr((name, plain, content or result)).encode() + b"\n")
        return result

    save = Trainer.save

    def logged_save(trainer: Trainer) -> None:
        save(trainer)
        os.write(log, repr(("saved", [trainer.counters.step], None)).encode() + b"\n")

    def prepare() -> None:
        install(hook)
        Trainer.save = logged_save

    return prepare
