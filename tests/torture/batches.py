"""Many attempts in one process, which has little memory and may crash or hang without harm."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from .row import Outcome


def in_a_batch(
    attempts: Iterable[Callable[[], None]], folder: Path, memory: int, seconds: int = 120
) -> Outcome:
    """Make the attempts in a child process with `memory` bytes more than this one has.

    Whatever an attempt raises is bad, and so is a crash or an attempt that works for more than
    `seconds` of processor time, which end the batch.
    """
    outcome = Outcome()
    report = folder / "bad"
    count = mmap.mmap(-1, 8)
    pid = os.fork()
    if pid == 0:
        with report.open("w") as file:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            limit = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE + memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, -1))
            number = -1
            for number, action in enumerate(attempts):
                count[:] = number.to_bytes(8, "little")
                signal.setitimer(signal.ITIMER_PROF, seconds)
                try:
                    action()
                except BaseException:
                    text = repr(f"{number}: {traceback.format_exc()[-1500:]}")
                    print(text, file=file, flush=True)
            count[:] = (number + 1).to_bytes(8, "little")
            signal.setitimer(signal.ITIMER_PROF, 0)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    outcome.count = int.from_bytes(count[:], "little")
    outcome.expect(code == 0, f"attempt {outcome.count}: the process ended with {code}")
    outcome.bad += report.read_text().splitlines()
    return outcome
