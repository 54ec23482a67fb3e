"""One run at a time per model file: a lock that is released when the process that holds it ends.

The lock is held on a small hidden file next to the model: `.novel.safetensors.lock` for
`novel.safetensors`. Its content names the holder. The operating system's lock on that file counts,
not its existence: a killed run leaves the file unlocked, and the next run reuses it. The lock needs
a separate file because each save replaces the model file, and a lock stays with the old one. The
lock is advisory. File systems without locks (some network shares) provide no protection.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.errors import CheckpointError, reason

SUFFIX = ".safetensors"  # of model files
_BYTE = 1 << 30  # Windows blocks reads of a locked byte: use one far beyond the text
# The content of a lock file; 0.1.0 wrote no name.
_OURS = re.compile(rb"(charrnn )?process \d+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n")


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

    Raises CheckpointError if another run holds it, naming that run, or if the lock file cannot be
    opened. A file of this name that charrnn did not write is locked, but never changed or removed.
    """
    file = lock_path(path)
    try:
        taken = _take(file)
    except OSError as error:
        raise CheckpointError(
            f"cannot open the lock file {file}: {reason(error)}; choose another `out`"
        ) from None
    if taken is None:
        raise CheckpointError(
            f"{path} is being written by another run ({_holder(file)}); stop it or choose another "
            "`out`"
        )
    handle, ours = taken
    try:
        if ours:
            with suppress(OSError):  # on a full disk the lock holds anyway
                os.ftruncate(handle, 0)
                os.lseek(handle, 0, os.SEEK_SET)
                now = time.strftime("%Y-%m-%d %H:%M:%S")
                os.write(handle, f"charrnn process {os.getpid()}, since {now}\n".encode())
        yield
    finally:
        if ours:  # others that have it open notice that it is gone
            remove_locked(file, handle)
        else:
            os.close(handle)


def try_lock(handle: int) -> bool | None:
    """Lock an open file until it is closed. Return False if another process holds a lock on it, and
    None if the file system has no locks.
    """
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
        return None
    return True


def remove_locked(file: Path, handle: int) -> None:
    """Remove a file that this process has locked, and close it."""
    if os.name != "posix":  # where an open file cannot be removed; closing unlocks it
        os.close(handle)
    with suppress(OSError):
        file.unlink()
    if os.name == "posix":
        os.close(handle)


def _take(file: Path) -> tuple[int, bool] | None:
    """Return the open, locked file and whether it is a lock file of charrnn, or None if another
    process holds the lock.
    """
    while True:
        handle, created = _open(file)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if try_lock(handle) is False:
                os.close(handle)
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), file.stat()):
                    return handle, created or bool(_OURS.fullmatch(os.read(handle, 100)))
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the holder has just removed it: try again


def _open(file: Path) -> tuple[int, bool]:
    """Return the open file, and whether this created it."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        with suppress(FileExistsError):
            return os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        with suppress(FileNotFoundError):  # just removed
            return os.open(file, flags), False


def _holder(file: Path) -> str:
    try:
        with file.open("rb") as text:
            content = text.read(100)
    except OSError:
        return "just ended"
    return content.decode().strip() if _OURS.fullmatch(content) else "just started"
