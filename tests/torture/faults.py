"""Each step of each save fails in turn, in every way: the files are the old or the new ones.

As in SQLite's tests: the Nth step fails, for every N up to the number of steps of a run.
"""

from __future__ import annotations

import ast
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.container import Reader
from tests.tiny import OPTIONS as TINY

from . import hooks
from .command import OUT, Ended, left_over, train
from .row import Outcome

KINDS = ["ENOSPC", "EIO", "EACCES", "EINTR", "short", "SIGKILL", "ENOSPC for good", "EIO for good"]
OPTIONS = [*TINY, "--workers=1", "--max-steps=4", "--save-every=2", "--valid-fraction=0"]
RESUME = "novel.resume.safetensors"


@dataclass
class Undisturbed:
    """The files of an undisturbed run."""

    models: dict[bytes, int]  # each saved model, and its step
    whole: bytes
    steps: int  # number of disk operations


@functools.cache
def undisturbed() -> Undisturbed:
    """Run without disturbance."""
    place = Path(tempfile.mkdtemp())
    log = place / "steps"
    assert train(*OPTIONS, folder=place, before=hooks.logging(str(log))).end().code == 0
    steps = [ast.literal_eval(line) for line in log.read_text().splitlines()]
    models: dict[bytes, int] = {}
    for name, arguments, content in steps:
        if name == "replace" and arguments[1].endswith(OUT):
            models[content] = 2 * (len(models) + 1)
    count = sum(name != "saved" for name, *_ in steps)
    result = Undisturbed(models, (place / OUT).read_bytes(), count)
    shutil.rmtree(place)
    return result


def case(index: int, folder: Path) -> Outcome:
    """Let each step fail in one way."""
    outcome = Outcome()
    for at in range(1, undisturbed().steps + 1):
        place = folder / str(at)
        place.mkdir()
        before = len(outcome.bad)
        ended = train(*OPTIONS, folder=place, before=hooks.failing(KINDS[index], at)).end()
        check_end(outcome, ended, place, killed=KINDS[index] == "SIGKILL")
        check_files(outcome, place)
        outcome.bad[before:] = [f"{KINDS[index]} at {at}: {line}" for line in outcome.bad[before:]]
        outcome.count += 1
        shutil.rmtree(place)
    return outcome


def check_end(outcome: Outcome, ended: Ended, folder: Path, killed: bool) -> None:
    """Expect that the run reported how it ended."""
    if ended.code == 0:
        done = (folder / OUT).read_bytes() == undisturbed().whole
        outcome.expect(done, "it ended normally with another model")
    elif killed:
        outcome.expect(ended.code == -9, f"it ended with {ended.code}: {ended.err}")
    else:
        outcome.expect(ended.one_line_error(), f"it ended with {ended.code}: {ended.err}")


def check_files(outcome: Outcome, folder: Path, *others: str) -> None:
    """Expect files of known steps, that the run resumes from them to the same result, and that it
    leaves no files but those and `others`.
    """
    out, resume = folder / OUT, folder / RESUME
    if out.exists():
        load(out)
        outcome.expect(out.read_bytes() in undisturbed().models, "a model that was never saved")
    steps = [undisturbed().models.get(out.read_bytes()) if out.exists() else None, None]
    if resume.exists():
        with Reader(resume, "resume") as reader:
            steps[1] = reader.document["counters"]["saved_at"]
    if steps[1] is None:
        if steps[0] is not None:
            refused = train("--resume", folder=folder).end()
            missing = refused.one_line_error() and "does not exist" in refused.last
            outcome.expect(missing, f"a missing resume file: {refused.err}")
        ended = train(*OPTIONS, "--overwrite", folder=folder).end()
    else:
        outcome.expect(steps[0] is not None, "a resume file without a model")
        ended = train("--resume", folder=folder).end()
        noticed = "does not match its resume file" in ended.err
        outcome.expect(noticed == (steps[0] != steps[1]), f"{steps}, mismatch reported: {noticed}")
    outcome.expect(ended.code == 0, f"resuming from {steps} ended with {ended.code}: {ended.err}")
    whole = out.read_bytes() == undisturbed().whole
    outcome.expect(whole or "is complete at step" in ended.err, f"other bits, from {steps}")
    left = left_over(folder, *others)
    outcome.expect(not left, f"left behind: {left}")
