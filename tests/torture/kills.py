"""SIGKILL at a random moment of training, then resume: the same file as without, bit for bit."""

from __future__ import annotations

import functools
import json
import signal
import tempfile
import time
from pathlib import Path

from charrnn.checkpoints.checkpoint import load
from tests.processes import in_shared_memory
from tests.tiny import OPTIONS as TINY

from .command import OUT, left_over, train
from .row import Outcome, randomness

SAVE_EVERY = 5
OPTIONS = [*TINY, "--max-steps=60", f"--save-every={SAVE_EVERY}", "--eval-every=10", "--shards=2"]


@functools.cache
def uninterrupted(workers: int) -> tuple[bytes, float]:
    """Return the model of an undisturbed run, and its duration in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        ended = train(*OPTIONS, f"--workers={workers}", folder=Path(folder)).end()
        assert ended.code == 0, ended.err
        return Path(folder, OUT).read_bytes(), time.monotonic() - began


def case(index: int, folder: Path) -> Outcome:
    """Kill a run of one worker or, in every fourth case, of two."""
    outcome = Outcome(1)
    workers = 1 if index % 4 else 2
    whole, seconds = uninterrupted(workers)
    moment = randomness("kills", index).uniform(0, seconds)
    run = train(*OPTIONS, f"--workers={workers}", "--log=log.jsonl", folder=folder)
    time.sleep(moment)
    shared = in_shared_memory(run.pid)
    run.send(signal.SIGKILL)
    code = run.end().code
    outcome.expect(code in (-9, 0), f"it ended with {code} before it was killed")
    check_model(outcome, folder, whole, ["--log=log.jsonl", f"--workers={workers}"])
    left = left_over(folder, "log.jsonl")
    outcome.expect(not left, f"left behind: {left}")
    outcome.expect(not shared, f"left in shared memory: {shared}")
    return outcome


def check_model(outcome: Outcome, folder: Path, whole: bytes, options: list[str]) -> None:
    """Expect that the run in `folder` resumes from its last save to the `whole` model."""
    out = folder / OUT
    logged = _last_step(folder / "log.jsonl")
    if out.exists():
        load(out)
    if (folder / "novel.resume.safetensors").exists():
        resumed = train("--resume", *options, folder=folder).end()
        if "is complete at step" not in resumed.err:
            step = resumed.err.partition("resuming from step ")[2].splitlines()[0]
            lost = logged - int(step.replace(",", ""))
            # The step after a save may be logged before the save reaches the file system.
            outcome.expect(lost <= SAVE_EVERY, f"{lost} steps were lost")
    else:
        outcome.expect(logged <= SAVE_EVERY, f"nothing is saved after {logged} steps")
        resumed = train(*OPTIONS, "--overwrite", *options, folder=folder).end()
    outcome.expect(resumed.code == 0, f"resuming ended with {resumed.code}: {resumed.err}")
    outcome.expect(out.read_bytes() == whole, "resumed and uninterrupted differ")


def _last_step(log: Path) -> int:
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return max([json.loads(line)["step"] for line in lines if line.endswith("\n")], default=0)
