"""Signals save and end a run; the command it prints resumes it as if uninterrupted."""

from __future__ import annotations

import functools
import os
import shlex
import signal
import tempfile
import time
from pathlib import Path

from charrnn.training.trainer import Trainer
from tests.tiny import OPTIONS as TINY

from .command import OUT, Command, left_over, train
from .row import FULL, Outcome, randomness

KINDS = ["SIGINT", "SIGTERM", "SIGHUP", "a second one during the save", "an ignored SIGHUP"]
OPTIONS = [*TINY, "--eval-every=5", "--schedule=constant", "--workers=1"]
ENDLESS = "--max-steps=1000000"


@functools.cache
def model_of(steps: int) -> bytes:
    """Return the model of an undisturbed run of this many steps."""
    with tempfile.TemporaryDirectory() as folder:
        ended = train(*OPTIONS, f"--max-steps={steps}", folder=Path(folder)).end()
        assert ended.code == 0, ended.err
        return Path(folder, OUT).read_bytes()


def interrupt_the_last_save(number: int) -> None:
    """Let this process send itself a signal during its saves, once an earlier one has arrived."""
    stop, fsync = Trainer.stop, os.fsync
    stopped: list[Trainer] = []

    def noted(trainer: Trainer) -> None:
        stopped.append(trainer)
        stop(trainer)

    def interrupted(handle: int) -> None:
        if stopped:
            os.kill(os.getpid(), number)
        fsync(handle)

    Trainer.stop, os.fsync = noted, interrupted


def case(index: int, folder: Path) -> Outcome:
    """Send a signal at a random moment."""
    outcome = Outcome(1)
    random = randomness("signals", index)
    kind = KINDS[index % len(KINDS)]
    codes = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
    name = kind if kind in codes else random.choice(["SIGINT", "SIGTERM"])

    def before() -> None:
        if kind == "an ignored SIGHUP":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if kind == "a second one during the save":
            interrupt_the_last_save(random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))

    run = train(*OPTIONS, ENDLESS, folder=folder, before=before)
    outcome.expect(run.until(b"step ", random.randint(1, 4)), "it did not train")
    time.sleep(random.uniform(0, 0.01))
    if kind == "an ignored SIGHUP":
        run.send(signal.SIGHUP)
        outcome.expect(run.until(b"step ", 3), "an ignored SIGHUP ended it")
    sent = time.monotonic()
    run.send(getattr(signal, name))
    ended = run.end()
    seconds = time.monotonic() - sent
    outcome.figures["seconds to the end, at most"] = seconds
    outcome.expect(not FULL or seconds <= 2, f"it took {seconds:.1f} s to end")
    outcome.expect(ended.code == codes[name], f"{name} ended it with {ended.code}: {ended.err}")
    if not outcome.expect("and saved; to continue:" in ended.err, f"it was not saved: {ended.err}"):
        return outcome
    step = int(ended.err.partition(" at step ")[2].partition(" and saved")[0].replace(",", ""))
    program, *arguments = shlex.split(ended.last)
    steps = step - step % 5 + 10
    resumed = Command(*arguments, f"--max-steps={steps}", folder=folder).end()
    outcome.expect(program == "charrnn" and resumed.code == 0, f"resuming: {resumed.err}")
    outcome.expect(f"resuming from step {step:,}" in resumed.err, "it resumed from another step")
    outcome.expect((folder / OUT).read_bytes() == model_of(steps), "other bits")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
