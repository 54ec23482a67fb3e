"""One run at a time on one model file, by a lock that ends with the process that holds it.

The lock is a small hidden file beside the model, `.novel.safetensors.lock` for
`novel.safetensors`, which says who holds it. What counts is the operating system's lock on that
file, not that it is there: a killed run leaves the file and no lock, and the next run takes it up.
It is a file of its own since those of the run are replaced at each save, and a lock would stay with
the old one. The lock is advisory, and where a file system knows none (some network shares) there is
none.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.errors import CheckpointError

SUFFIX = ".safetensors"  # of model files
_BYTE = 1 << 30  # Windows keeps others from reading a locked byte: one far behind the text


def lock_path(path: str | Path) -> Path:
    """Return where the lock of the run that writes `path` lies.

    >>> lock_path("/runs/novel.safetensors").name == lock_path("/runs/novel").name
    True
    """
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name.removesuffix(SUFFIX)}{SUFFIX}.lock")


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Be the one run that writes the model at `path`.

    Raises CheckpointError if there is another run, naming it, or if the folder takes no file.
    """
    file = lock_path(path)
    try:
        handle = _take(file)
    except OSError as error:
        raise CheckpointError(
            f"{file.parent} cannot be written to: {error.strerror}; give another place with `out`"
        ) from None
    if handle is None:
        raise CheckpointError(
            f"another run writes {path} ({_holder(file)}): wait for it, stop it, or give another "
            "place with `out`"
        )
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(handle, 0)
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            os.write(handle, f"process {os.getpid()}, since {now}\n".encode())
        yield
    finally:
        if os.name != "posix":  # where an open file cannot be removed; it is free from here on
            os.close(handle)
        with suppress(OSError):  # whoever has it open already sees that it is gone
            file.unlink()
        if os.name == "posix":
            os.close(handle)


def _take(file: Path) -> int | None:
    """Return the open and locked file, or None if another process has locked it."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not _lock(handle):
                os.close(handle)
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), file.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder has just removed it: take a new one


def _lock(handle: int) -> bool:
    """Lock an open file, where the file system can do that; return whether no other has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True


def _holder(file: Path) -> str:
    try:
        with file.open("rb") as text:
            return text.read(100).decode("ascii", "replace").strip() or "just started"
    except OSError:
        return "just ended"
