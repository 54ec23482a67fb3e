"""A worker is killed: one clear error, nothing left, and the run goes on. Stopped: it is woken."""

from __future__ import annotations

import functools
import os
import signal
import tempfile
import time
from pathlib import Path

from .command import OUT, SIZES, in_shared_memory, left_over, train
from .row import FULL, Outcome, Skip, randomness

OPTIONS = [*SIZES, "--eval-every=5", "--shards=2", "--schedule=constant"]
STEPS = 120


@functools.cache
def whole() -> bytes:
    """Return the model of a run that nothing disturbs."""
    with tempfile.TemporaryDirectory() as folder:
        ended = train(*OPTIONS, f"--max-steps={STEPS}", "--workers=1", folder=Path(folder)).end()
        assert ended.code == 0, ended.err
        return Path(folder, OUT).read_bytes()


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def case(index: int, folder: Path) -> Outcome:
    """Kill a worker, or stop it, anywhere in training."""
    if not Path("/proc/self/task").exists():
        raise Skip("reads /proc")
    outcome = Outcome(1)
    random = randomness("workers", index)
    run = train(*OPTIONS, f"--max-steps={STEPS}", "--workers=2", folder=folder)
    outcome.expect(run.until(b"step ", random.randint(1, 8)), "it did not train")
    time.sleep(random.uniform(0, 0.01))
    (worker,) = workers_of(run.pid)
    kind = (signal.SIGKILL, signal.SIGSTOP)[index % 2]
    began = time.monotonic()
    os.kill(worker, kind)
    if kind == signal.SIGSTOP:
        ended = run.end()
        outcome.expect(ended.code == 0, f"a stopped worker ended it: {ended.code} {ended.err}")
    else:
        ended = run.end()
        seconds = time.monotonic() - began
        outcome.figures["seconds until a killed worker is told, at most"] = seconds
        outcome.expect(not FULL or seconds <= 2, f"it took {seconds:.1f} s to notice")
        told = ended.one_line_error() and "a worker process died (SIGKILL" in ended.last
        outcome.expect(told, f"it ended with {ended.code}: {ended.err}")
        again = train("--resume", "--workers=1", folder=folder).end()
        outcome.expect(again.code == 0, f"going on: {again.err}")
    outcome.expect((folder / OUT).read_bytes() == whole(), "other bits")
    outcome.expect(not Path(f"/proc/{worker}").exists(), "the worker outlived its run")
    in_memory = in_shared_memory(run.pid)
    outcome.expect(not in_memory, f"left in shared memory: {in_memory}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
