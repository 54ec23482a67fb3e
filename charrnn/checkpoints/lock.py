"""One run at a time per model file: a lock that is released when the process that holds it ends.

The lock is held on a small hidden file next to the model: `.novel.safetensors.lock` for
`novel.safetensors`. Its content names the holder. The operating system's lock on that file counts,
not its existence: a killed run leaves the file unlocked, and the next run reuses it. The lock needs
a separate file because each save replaces the model file, and a lock stays with the old one. The
lock is advisory. File systems without locks (some network shares) provide no protection.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.errors import CheckpointError, reason

SUFFIX = ".safetensors"  # of model files
_BYTE = 1 << 30  # Windows blocks reads of a locked byte: use one far beyond the text


def lock_path(path: str | Path) -> Path:
    """Return the path of the lock file for the model at `path`.

    >>> lock_path("/runs/novel.safetensors").name == lock_path("/runs/novel").name
    True
    """
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name.removesuffix(SUFFIX)}{SUFFIX}.lock")


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the lock on the model at `path`.

    Raises CheckpointError if another run holds it, naming that run, or if the folder is not
    writable.
    """
    file = lock_path(path)
    try:
        handle = _take(file)
    except OSError as error:
        raise CheckpointError(
            f"cannot write to {file.parent}: {reason(error)}; choose another `out`"
        ) from None
    if handle is None:
        raise CheckpointError(
            f"{path} is being written by another run ({_holder(file)}); stop it or choose another "
            "`out`"
        )
    try:
        with suppress(OSError):  # on a full disk the lock holds anyway
            os.ftruncate(handle, 0)
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            os.write(handle, f"process {os.getpid()}, since {now}\n".encode())
        yield
    finally:
        if os.name != "posix":  # where an open file cannot be removed; this unlocks it
            os.close(handle)
        with suppress(OSError):  # others that have it open notice that it is gone
            file.unlink()
        if os.name == "posix":
            os.close(handle)


def _take(file: Path) -> int | None:
    """Return the open, locked file, or None if another process holds the lock."""
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
        os.close(handle)  # the holder has just removed it: try again


def _lock(handle: int) -> bool:
    """Lock an open file, if the file system can; return False if another process holds the lock."""
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
