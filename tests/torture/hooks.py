"""Hooks for each disk operation of a process, to count it, log it or let it fail.

They wrap functions of `os`, only in the process of the run; the package is not changed.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from charrnn.training.trainer import Trainer

# Called for each operation with its name, its arguments, and a function that performs it.
Hook = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]


def install(hook: Hook) -> None:
    """Route every disk operation through `hook`."""
    for name in ("open", "fsync", "replace", "chmod", "unlink"):
        setattr(os, name, _wrapped(name, getattr(os, name), hook))
    os.fdopen = lambda handle, mode="r": io.BufferedWriter(_File(handle, mode, hook))


def _wrapped(name: str, function: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
    def step(*arguments: Any, **options: Any) -> Any:
        return hook(name, arguments, lambda: function(*arguments, **options))

    return step


class _File(io.FileIO):
    """A file whose writes go through the hook, too."""

    def __init__(self, handle: int, mode: str, hook: Hook) -> None:
        super().__init__(handle, mode)
        self._hook = hook

    def write(self, data: Any) -> int:
        data = bytes(data)
        write = super().write
        return self._hook("write", (self.fileno(), data), lambda: write(data))


def failing(kind: str, at: int) -> Callable[[], None]:
    """Return a function that installs a hook which lets operation number `at` fail.

    A kind is the name of an errno, SIGKILL, or "short", a write that writes only a part; with
    "... for good", all operations from there on fail. A write that fails writes half of its data.
    """
    word, _, for_good = kind.partition(" ")
    taken = 0

    def hook(name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        nonlocal taken
        taken += 1
        if taken < at or (taken > at and not for_good):
            return do()
        if name == "write" and word != "EINTR":  # never returned by a write that wrote something
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
    """Return a function that installs a hook which logs each operation, with its result or the new
    content of a replaced file, to a file, and each completed save as "saved".
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
