"""The log of a run: a line of JSON per step and evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from charrnn.cli.terminal import tell
from charrnn.errors import CharRNNError, reason

if TYPE_CHECKING:
    from charrnn.training.state import Report


@contextmanager
def opened(path: str | None, append: bool) -> Iterator[IO[str] | None]:
    """Open the log at `path`, or yield None without one; raises CharRNNError if that fails."""
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("a" if append else "w", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise CharRNNError(f"cannot write {path}: {reason(error)}; choose another --log") from None
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def logged(report: Report, log: IO[str]) -> IO[str] | None:
    """Write a report to the log; return None, with a message, if writing fails."""
    try:
        log.write(json.dumps(_as_json(report)) + "\n")
        return log
    except OSError as error:
        tell(f"cannot write the log: {reason(error)}; continuing without it")
        return None


def _as_json(report: Report) -> dict[str, Any]:
    evaluation = report.evaluation
    content = asdict(report)
    content["evaluation"] = None
    if evaluation is not None:
        content["evaluation"] = asdict(evaluation) | {"bits_per_char": evaluation.bits_per_char}
    return content
