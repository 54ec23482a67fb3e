"""Atomic file replacement: the file on disk is always the complete old or new version.

New content is written to a temporary file next to the target, `.novel.safetensors.charrnn-HEX.tmp`
for `novel.safetensors`, which then takes the target's name. Its writer holds a lock on it, which
distinguishes a file that is being written from what a killed process left behind.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from charrnn.checkpoints.lock import remove_locked, try_lock
from charrnn.errors import CheckpointError, reason

_TEMPORARY = re.compile(r"\..+\.charrnn-[0-9a-f]{12}\.tmp", re.DOTALL)


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace the file at `path` with `data`, or leave it unchanged and raise CheckpointError.

    The data may come in parts, which are written as they come. It reaches the disk before it takes
    the file's name, and the name reaches the disk before this function returns.
    """
    path = Path(os.path.realpath(path))  # keep a symbolic link
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        # Created with the final mode, so a private file is never readable by others.
        handle, temporary = _create_temporary(path, 0o666 if mode is None else mode)
        try:
            with os.fdopen(handle, "wb") as file:
                if mode is not None:
                    temporary.chmod(mode)  # the umask may have removed bits
                for part in [data] if isinstance(data, bytes) else data:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                if os.name == "posix":  # elsewhere an open file cannot be renamed
                    temporary.replace(path)
            if os.name != "posix":
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {reason(error)}") from None


def require_writable(path: str | Path) -> None:
    """Raise CheckpointError unless `write_atomically` can write the file at `path`.

    Also removes what killed processes left behind in its folder.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_symlink():
            raise CheckpointError(f"{path} is a loop of symbolic links")
        if target.exists() and not target.is_file():
            raise CheckpointError(f"{path} is {described(target)}, not a file")
        if not target.parent.is_dir():
            raise CheckpointError(f"the folder {target.parent} does not exist")
        remove_leftovers(target.parent)
        handle, temporary = _create_temporary(target, 0o666)
        os.close(handle)
        temporary.unlink()
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {reason(error)}") from None


def require_new(path: str | Path, overwrite: bool) -> None:
    """Raise CheckpointError if there is something at `path`, unless `overwrite`."""
    if os.path.exists(path) and not overwrite:  # noqa: PTH110 (Path's raises for some names)
        raise CheckpointError(f"{path} already exists; pass `overwrite=True` to replace it")


def described(path: str | Path) -> str:
    """Return what is at `path`, if it is not a regular file."""
    mode = Path(path).stat().st_mode
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes.

    A file whose writer is alive is locked. On a file system without locks nothing is removed.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for name in names:
        with suppress(OSError):  # another process has removed it, or it is not ours to remove
            handle = os.open(folder / name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            if try_lock(handle):
                remove_locked(folder / name, handle)
            else:
                os.close(handle)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, on systems that support it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _create_temporary(path: Path, mode: int) -> tuple[int, Path]:
    """Create a temporary file for new content of `path`; return it, open and locked."""
    while True:
        temporary = path.with_name(f".{path.name}.charrnn-{os.urandom(6).hex()}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        # Before it was locked, another process may have taken it for a leftover.
        if try_lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, temporary
        os.close(handle)
