"""What our own processes are and hold, whatever else runs on the machine (by Linux's /proc)."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
PATIENCE = 300  # seconds until something counts as hanging; nothing that is well takes so long


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a run; Python's own resource tracker is not one of them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def in_shared_memory(pid: int) -> set[Path]:
    """Return the files in shared memory that a process has open or mapped, and that would be left
    there if it were killed: those that still have a name.
    """
    found = set()
    with suppress(OSError):  # it may have ended
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found.update(line.split(maxsplit=5)[5:])
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it may have been closed
                found.add(str(link.readlink()))
    return {
        Path(name)
        for name in found
        if Path(name).parent == SHARED_MEMORY and not name.endswith(" (deleted)")
    }


def stop(pid: int) -> None:
    """Stop a process and wait until it has stopped, of which only its parent has an event."""
    os.kill(pid, signal.SIGSTOP)
    while ") T " not in Path(f"/proc/{pid}/stat").read_text():
        os.sched_yield()


def gone(pid: int) -> bool:
    """Wait until the process has ended; return whether it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended = select.select([descriptor], [], [], PATIENCE)[0]
    os.close(descriptor)
    return bool(ended)
