"""The log of a run: lines of JSON, each with an "event".

A "run" starts or resumes; it has the version, the settings and the corpus. A "step", an
"evaluation" and a "notice" have the fields of a Report, flat, for data frames.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from charrnn import __version__
from charrnn.cli.terminal import tell
from charrnn.errors import CharRNNError, reason

if TYPE_CHECKING:
    from charrnn.training.state import Report
    from charrnn.training.trainer import Trainer

Record = Mapping[str, Any]

# How a log starts. 0.1.0 did not log the start of runs.
_START = re.compile(rb'\{"(event": "run", "charrnn": "|step": \d+, "epoch": )')
_BLOCK = 1 << 16  # bytes


def require_loggable(path: str, resume: bool, overwrite: bool) -> None:
    """Raise CharRNNError if a log at `path` would replace or extend anything but a log."""
    if path == "-":
        raise CharRNNError("a log cannot be named -; choose another --log")
    try:
        status = os.stat(path)  # noqa: PTH116 (Path's would raise another error for "")
        if stat.S_ISDIR(status.st_mode):
            raise CharRNNError(f"{path} is a folder; choose another --log")
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return
        with open(path, "rb") as file:  # noqa: PTH123 (as above)
            start = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CharRNNError(f"cannot read {path}: {reason(error)}; choose another --log") from None
    if not _START.match(start):
        raise CharRNNError(f"{path} is not a charrnn log; choose another --log")
    if not resume and not overwrite:
        raise CharRNNError(
            f"{path} already exists; pass --overwrite to replace it, or choose another --log"
        )


@contextmanager
def opened(path: str | None, resume: bool, overwrite: bool) -> Iterator[Callable[[Record], None]]:
    """Open the log at `path`, if any, and yield a function that writes a record to it.

    Raises CharRNNError if it cannot be written, is not a log, or another run is writing it.
    """
    if path is None:
        yield lambda _: None
        return
    try:
        file = _open(path, resume, overwrite)
    except OSError as error:
        raise CharRNNError(f"cannot write {path}: {reason(error)}; choose another --log") from None
    failed = False

    def write(record: Record) -> None:
        nonlocal failed
        try:
            if not failed:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            failed = True
            tell(f"cannot write the log: {reason(error)}; continuing without it")

    try:
        yield write
    finally:
        with suppress(OSError):
            file.close()


def _open(path: str, resume: bool, overwrite: bool) -> IO[str]:
    from charrnn.checkpoints.lock import try_lock

    regular = not os.path.exists(path) or os.path.isfile(path)  # noqa: PTH110, PTH113
    # A pipe without a reader is an error at once.
    flags = os.O_RDWR | os.O_CREAT if regular else os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | os.O_APPEND, 0o666)
    try:
        if regular:
            if try_lock(handle) is False:
                raise CharRNNError(f"another run is writing {path}; choose another --log")
            require_loggable(path, resume, overwrite)  # now that nobody else writes it
            os.ftruncate(handle, _end_of_last_line(handle) if resume else 0)
        elif hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        return os.fdopen(handle, "w", encoding="utf-8", buffering=1)
    except BaseException:
        os.close(handle)
        raise


def _end_of_last_line(handle: int) -> int:
    """Return where the last complete line of an open file ends: a killed run may leave a part."""
    end = os.fstat(handle).st_size
    while end:
        start = max(0, end - _BLOCK)
        os.lseek(handle, start, os.SEEK_SET)
        newline = os.read(handle, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return end


def run_record(trainer: Trainer) -> Record:
    """Return the record of the start of a run."""
    run, data = trainer.summary(), trainer.data
    settings = asdict(trainer.config) | asdict(data.config) | asdict(trainer.limits)
    return {
        "event": "run",
        "charrnn": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "step": run.step,
        "corpus": {
            "files": data.files["corpus"],
            "digest": data.digests["corpus"],
            "characters": run.characters,
        },
        "valid": {
            "files": data.files["valid"],
            "digest": data.digests["valid"],
            "characters": run.valid_characters,
        },
        "alphabet": run.alphabet,
        "parameters": run.parameters,
        "workers": run.workers,
        "settings": settings,
        "reading": asdict(data.reading),
    }


def report_record(report: Report) -> Record:
    """Return the record of a report."""
    fields = asdict(report)
    del fields["evaluation"]
    evaluation = report.evaluation
    event = "notice" if report.notice else "evaluation" if evaluation else "step"
    return {
        "event": event,
        **fields,
        "valid_nats_per_char": evaluation and evaluation.nats_per_char,
        "valid_bits_per_char": evaluation and evaluation.bits_per_char,
        "valid_accuracy": evaluation and evaluation.accuracy,
        "valid_characters": evaluation and evaluation.characters,
    }
