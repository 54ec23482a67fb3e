"""Atomic file replacement: the file on disk is always the complete old or new version."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from charrnn.errors import CheckpointError, reason


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path` with `data`, or leave it unchanged and raise CheckpointError.

    The data reaches the disk before it takes the file's name, and the name reaches the disk before
    this function returns.
    """
    path = Path(os.path.realpath(path))  # keep a symbolic link
    temporary = temporary_path(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        temporary.unlink(missing_ok=True)
        # Created with the final mode, so a private file is never readable by others.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(temporary, flags, 0o666 if mode is None else mode)
        try:
            with os.fdopen(handle, "wb") as file:
                if mode is not None:
                    temporary.chmod(mode)  # the umask may have removed bits
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {reason(error)}") from None


def require_writable(path: Path) -> None:
    """Raise CheckpointError unless `write_atomically` can write the file at `path`.

    Also sweeps what an interrupted write left there.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_symlink():
            raise CheckpointError(f"{path} is a loop of symbolic links")
        if target.exists() and not target.is_file():
            raise CheckpointError(f"{path} is {'a folder' if target.is_dir() else 'not a file'}")
        if not target.parent.is_dir():
            raise CheckpointError(f"{target.parent} does not exist; create the folder first")
        temporary = temporary_path(target)
        temporary.unlink(missing_ok=True)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from None


def require_new(path: str | Path, overwrite: bool) -> None:
    """Raise CheckpointError if there is something at `path`, unless `overwrite`."""
    if os.path.exists(path) and not overwrite:  # noqa: PTH110 (Path's raises for some names)
        raise CheckpointError(f"{path} already exists; pass `overwrite=True` to replace it")


def temporary_path(path: Path) -> Path:
    """Return the path to which new content is written before it replaces `path`."""
    return path.with_name(f".{path.name}.tmp")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, on systems that support it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
