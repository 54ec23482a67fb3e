"""Arrays as large as a disk: they grow block by block, and are in memory only while they are small.

A longer array continues in an unnamed temporary file, which disappears with its process however
that ends, and is mapped from there: the system reads pages on access and drops them when memory is
short. A mapped array can be passed to another process without a copy.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, TypeVar
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import CharRNNError

BLOCK = 1 << 14  # characters, or bytes of a file, processed at a time: small enough for the cache
IN_MEMORY = 64 << 20  # bytes above which an array moves to a file
CHECK_EVERY = 16 << 20  # bytes written between two checks of free disk space
KEEP_FREE = 0.05  # share of the disk, for other programs: a text may be endless
MAX_KEEP_FREE = 1 << 30  # bytes

Values = TypeVar("Values", str, NDArray[Any])


def blocks(values: Values) -> Iterator[Values]:
    """Yield a text or an array (N,) in pieces of BLOCK, for work with large temporaries."""
    return (values[i : i + BLOCK] for i in range(0, len(values), BLOCK))


class Spool:
    """An array that grows at its end. Raises CharRNNError if its file cannot be written."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._length = 0
        self._memory = bytearray()  # what isn't in the file yet
        self._file: IO[bytes] | None = None
        self._may_write = 0  # bytes until the next check of the disk

    def __len__(self) -> int:
        return self._length

    def append(self, values: NDArray[Any]) -> None:
        """Add `values` (N,)."""
        for block in blocks(values):
            self._memory += np.ascontiguousarray(block, self.dtype).view(np.uint8).data
            if len(self._memory) > (IN_MEMORY if self._file is None else BLOCK):
                self._flush()
        self._length += len(values)

    def truncate(self, length: int) -> None:
        """Remove all but the first `length` values."""
        self._length = length
        if self._file is None:
            del self._memory[length * self.dtype.itemsize :]
        else:
            self._flush()
            self._file.truncate(length * self.dtype.itemsize)
            self._file.seek(0, os.SEEK_END)

    def astype(self, dtype: DTypeLike) -> Spool:
        """Return a spool of another type with the same values; this one must not be used again."""
        other = Spool(dtype)
        other.append(self.array())
        return other

    def array(self) -> NDArray[Any]:
        """Return the values (N,); nothing can be added afterwards."""
        if not self._length:
            return np.empty(0, self.dtype)
        if self._file is None:
            return np.frombuffer(self._memory, self.dtype)
        self._flush()
        return np.frombuffer(Mapping(os.dup(self._file.fileno())), self.dtype)

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed with self)
                finalize(self, self._file.close)
            if self._may_write < len(self._memory):
                self._check_disk()
            self._may_write -= len(self._memory)
            rest = memoryview(self._memory)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise CharRNNError(
                f"cannot write a temporary file for a long text in {tempfile.tempdir}: "
                f"{error.strerror}; set TMPDIR to a folder with more free space"
            ) from None
        self._memory = bytearray()

    def _check_disk(self) -> None:
        """Raise CharRNNError before the disk is full."""
        folder = tempfile.gettempdir()
        self._may_write = max(CHECK_EVERY, len(self._memory))
        disk = shutil.disk_usage(folder)
        reserve = min(KEEP_FREE * disk.total, MAX_KEEP_FREE)
        if disk.total and disk.free - self._may_write < reserve:  # 0 on some network shares
            raise CharRNNError(
                f"{folder} has only {disk.free / 1e6:,.0f} MB free for the temporary file of a "
                "long text; unless the text is endless, set TMPDIR to a folder with more free space"
            )


def joined(dtype: DTypeLike, arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return one-dimensional arrays concatenated."""
    spool = Spool(dtype)
    for array in arrays:
        spool.append(array)
    return spool.array()


class Mapping(mmap.mmap):
    """The file of `descriptor` mapped into memory; passed to a process at its start, it is mapped
    there too (on POSIX systems).
    """

    descriptor: int
    access: int

    def __new__(cls, descriptor: int, access: int = mmap.ACCESS_READ) -> Mapping:
        """Map a file; its descriptor is closed with the mapping."""
        self = super().__new__(cls, descriptor, 0, access=access)
        self.descriptor, self.access = descriptor, access
        finalize(self, os.close, descriptor)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing.reduction import DupFd

        return _receive, (DupFd(self.descriptor), self.access)


def _receive(sent: Any, access: int) -> Mapping:
    return Mapping(sent.detach(), access)


def shared(size: int) -> Mapping | None:
    """Return `size` zero bytes of an unnamed file, in memory where the system supports that; None
    if the system cannot pass files to other processes.
    """
    if os.name != "posix":
        return None
    if sys.platform == "linux":
        descriptor = os.memfd_create("charrnn")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return Mapping(descriptor, mmap.ACCESS_WRITE)


def mapping_of(values: NDArray[Any]) -> tuple[Mapping, int] | None:
    """Return the mapping that contains the contiguous `values`, and their offset in bytes; None if
    they are elsewhere, or the system cannot pass files to other processes.
    """
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    mapping = getattr(base, "obj", None)
    if not isinstance(mapping, Mapping) or os.name != "posix":
        return None
    return mapping, values.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
