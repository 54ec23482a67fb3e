"""Arrays as long as a disk is large: gathered block by block, in memory only while they are small.

What outgrows memory goes on in a temporary file without a name, of which nothing is left whatever
way its process ends, and is mapped from there: the system reads its pages when they are looked at,
and drops them when memory is short. A mapped array can be handed to another process uncopied.
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

BLOCK = 1 << 14  # characters, or bytes of a file, handled at a time: few, for the sake of the cache
IN_MEMORY = 64 << 20  # bytes above which an array goes to a file
LOOK_EVERY = 16 << 20  # bytes of a file, between two looks at how full its disk is
LEFT_FREE = 0.05  # of the disk, for whoever else needs room: a text may have no end
MOST_LEFT_FREE = 1 << 30  # bytes

Values = TypeVar("Values", str, NDArray[Any])


def blocks(values: Values) -> Iterator[Values]:
    """Yield a text or an array (N,) in pieces of BLOCK, for work whose temporaries are large."""
    return (values[i : i + BLOCK] for i in range(0, len(values), BLOCK))


class Spool:
    """An array that grows at its end. Raises CharRNNError if its file cannot be written."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._length = 0
        self._memory = bytearray()  # what is not in the file
        self._file: IO[bytes] | None = None
        self._may_write = 0  # bytes until the next look at the disk

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
        """Take back all but the first `length` values."""
        self._length = length
        if self._file is None:
            del self._memory[length * self.dtype.itemsize :]
        else:
            self._flush()
            self._file.truncate(length * self.dtype.itemsize)
            self._file.seek(0, os.SEEK_END)

    def astype(self, dtype: DTypeLike) -> Spool:
        """Return a spool of another type with the values so far; this one is done with."""
        other = Spool(dtype)
        other.append(self.array())
        return other

    def array(self) -> NDArray[Any]:
        """Return the values (N,), which are final with it."""
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
                self._look()
            self._may_write -= len(self._memory)
            rest = memoryview(self._memory)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise CharRNNError(
                f"a long text is kept in a temporary file, and none can be written in "
                f"{tempfile.tempdir}: {error.strerror}; set TMPDIR to a folder with more room"
            ) from None
        self._memory = bytearray()

    def _look(self) -> None:
        """Raise CharRNNError if the disk would be filled."""
        folder = tempfile.gettempdir()
        self._may_write = max(LOOK_EVERY, len(self._memory))
        disk = shutil.disk_usage(folder)
        left = min(LEFT_FREE * disk.total, MOST_LEFT_FREE)
        if disk.total and disk.free - self._may_write < left:  # some network shares know neither
            raise CharRNNError(
                f"a long text is kept in a temporary file, and {folder} has no more than "
                f"{disk.free / 1e6:,.0f} MB free for it: if the text has an end, set TMPDIR to a "
                "folder with more room"
            )


def joined(dtype: DTypeLike, arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return one-dimensional arrays as one, one after another."""
    spool = Spool(dtype)
    for array in arrays:
        spool.append(array)
    return spool.array()


class Mapping(mmap.mmap):
    """The file of `descriptor` in memory; sent to a process that is being started, it is mapped
    there as well (on POSIX systems).
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
    """Return `size` bytes, zeros, of a file without a name, in memory where the system can do that;
    None if the system cannot hand files on.
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
    """Return the mapping in which `values` lie, one after another, and their offset in bytes; None
    if they lie elsewhere, or the system cannot hand files on.
    """
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    mapping = getattr(base, "obj", None)
    if not isinstance(mapping, Mapping) or os.name != "posix":
        return None
    return mapping, values.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
