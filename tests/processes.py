"""The processes of a run and the files they hold, from Linux's /proc."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
PATIENCE = 300  # seconds until something counts as hanging


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a run, without Python's resource tracker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def in_shared_memory(pid: int) -> set[Path]:
    """Return the named files in shared memory that a process has open or mapped: those that would
    remain if it were killed.
    """
    inodes = set()
    with suppress(OSError):  # it may have ended
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            *_, inode, path = f"{line} -".split(maxsplit=5)  # some mappings have no file
            if path.startswith(f"{SHARED_MEMORY}/"):
                inodes.add(int(inode))
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it may have been closed
                if str(link.readlink()).startswith(f"{SHARED_MEMORY}/"):
                    inodes.add(link.stat().st_ino)
    found = set()
    for path in SHARED_MEMORY.iterdir():
        with suppress(OSError):  # others' may go at any time
            if path.stat().st_ino in inodes:
                found.add(path)
    return found


def stop(pid: int) -> None:
    """Stop a process and wait until it has stopped; only its parent would get an event."""
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
