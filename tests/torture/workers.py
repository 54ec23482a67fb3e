"""A killed worker: one error, nothing left behind, and the run resumes. A stopped one wakes."""

from __future__ import annotations

import functools
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from charrnn.training.trainer import Trainer
from tests.processes import in_shared_memory, workers_of
from tests.tiny import OPTIONS as TINY

from .command import OUT, left_over, train
from .row import FULL, Outcome, Skip, randomness

OPTIONS = [*TINY, "--eval-every=5", "--shards=2", "--schedule=constant"]
STEPS = 120


@functools.cache
def whole() -> bytes:
    """Return the model of an undisturbed run."""
    with tempfile.TemporaryDirectory() as folder:
        ended = train(*OPTIONS, f"--max-steps={STEPS}", "--workers=1", folder=Path(folder)).end()
        assert ended.code == 0, ended.err
        return Path(folder, OUT).read_bytes()


def waiting_at_the_end(gate: int) -> Callable[[], None]:
    """Return a function that lets a run wait before its last step until something is written to
    `gate`, so that the run cannot end first on a slow machine.
    """

    def prepare() -> None:
        step = Trainer._step

        def waiting_step(trainer: Trainer) -> str | None:
            if trainer.counters.step == STEPS - 1:
                os.read(gate, 1)
            return step(trainer)

        Trainer._step = waiting_step

    return prepare


def case(index: int, folder: Path) -> Outcome:
    """Kill or stop a worker at any moment of training."""
    if not Path("/proc/self/task").exists():
        raise Skip("reads /proc")
    outcome = Outcome(1)
    random = randomness("workers", index)
    gate, opened = os.pipe()
    options = [*OPTIONS, f"--max-steps={STEPS}", "--workers=2"]
    run = train(*options, folder=folder, before=waiting_at_the_end(gate))
    outcome.expect(run.until(b"step ", random.randint(1, 8)), "it did not train")
    time.sleep(random.uniform(0, 0.01))
    (worker,) = workers_of(run.pid)
    shared = in_shared_memory(run.pid) | in_shared_memory(worker)
    kind = (signal.SIGKILL, signal.SIGSTOP)[index % 2]
    began = time.monotonic()
    os.kill(worker, kind)
    os.write(opened, b"x")
    os.close(gate)
    os.close(opened)
    ended = run.end()
    seconds = time.monotonic() - began
    if kind == signal.SIGSTOP:
        outcome.expect(ended.code == 0, f"a stopped worker ended it: {ended.code} {ended.err}")
    else:
        outcome.figures["seconds until a killed worker is reported, at most"] = seconds
        outcome.expect(not FULL or seconds <= 2, f"it took {seconds:.1f} s to notice")
        told = ended.one_line_error() and "a worker process died (SIGKILL" in ended.last
        outcome.expect(told, f"it ended with {ended.code}: {ended.err}")
        again = train("--resume", "--workers=1", folder=folder).end()
        outcome.expect(again.code == 0, f"resuming: {again.err}")
    outcome.expect((folder / OUT).read_bytes() == whole(), "other bits")
    outcome.expect(not Path(f"/proc/{worker}").exists(), "the worker outlived its run")
    outcome.expect(not shared, f"left in shared memory: {shared}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
