"""What the processes of a run exchange: a broadcast, a barrier, and the sum of one flat vector.

`Exchange` is a run of one process, which has nobody to exchange with. `SharedMemory` is one of
several processes on one machine. Its arrays lie in memory without a name, and its processes wait on
pipes, which close by themselves when either end dies: whatever way a run ends, no process and no
shared memory is left behind.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from charrnn.checkpoints.records import MAX_SHARDS
from charrnn.errors import WorkerError, require
from charrnn.nn.parameters import Array
from charrnn.text.spool import mapping_of, shared

WAKE_AFTER = 1.0  # seconds of waiting for a worker
MIN_WIDTH = 16  # streams that a worker must be left with to be worth its while

Layout = Mapping[str, tuple[tuple[int, ...], str]]  # shape and dtype of each array that all see
# Whether somebody has asked all processes to end what they are doing.
STOP: Layout = {"stop": ((1,), "u1")}
Memory = Mapping[str, tuple[Any, int]]  # the buffer in which each of them lies, and where


class Exchange:
    """A run of one process."""

    rank, size = 0, 1

    def __init__(self, layout: Layout, given: Mapping[str, NDArray[Any]]) -> None:
        """Make the arrays of `layout`, zeros, beside those `given`."""
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros(shape, dtype) for name, (shape, dtype) in {**layout, **STOP}.items()
        } | dict(given)

    def start(self, work: Callable[..., None], *args: Any) -> None:
        """Start the other processes, each of which calls `work(exchange, *args)`."""

    def close(self) -> None:
        """End the other processes."""

    def request_stop(self) -> None:
        """Ask all processes to end what they are doing; a signal handler may call it."""
        self.arrays["stop"][0] = True

    def withdraw_stop(self) -> None:
        """Take that back."""
        self.arrays["stop"][0] = False

    def stop_requested(self) -> bool:
        """Return whether a stop has been requested."""
        return bool(self.arrays["stop"][0])

    def broadcast(self, command: object) -> None:
        """Send a command from process 0 to all others."""

    def barrier(self) -> None:
        """Wait until all processes have come here."""

    def all_reduce(self, parts: Array, mine: slice) -> Array:
        """Add up `parts` (n, P) in order, each process its own slice; return this one's sum, a
        view. That of the others is complete after the next barrier.
        """
        self.barrier()
        total: Array = parts[0, mine]
        for part in parts[1:]:
            np.add(total, part[mine], out=total)
        return total


class SharedMemory(Exchange):
    """A run of several processes on one machine; process 0 is the one that makes this."""

    def __init__(self, layout: Layout, given: Mapping[str, NDArray[Any]], size: int) -> None:
        self.size = size
        self._layout = {
            **layout,
            **STOP,
            **{name: (values.shape, values.dtype.str) for name, values in given.items()},
        }
        self._context = multiprocessing.get_context("spawn")
        # What is mapped from a file is mapped by all; the rest goes to memory that all share.
        mapped = {name: found for name, values in given.items() if (found := mapping_of(values))}
        self._memory: Memory = {
            name: mapped.get(name) or (self._allocate(shape, dtype), 0)
            for name, (shape, dtype) in self._layout.items()
        }
        self.arrays = _views(self._layout, self._memory)
        for name in given.keys() - mapped.keys():
            self.arrays[name][...] = given[name]
        self._workers: list[Any] = []
        self._pipes: list[Connection] = []
        # If this is still open when Python exits, the workers must hear of it before they are
        # waited for.
        Finalize(self, _close_all, (self._pipes,), exitpriority=10)

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> Any:
        size = max(1, math.prod(shape) * np.dtype(dtype).itemsize)
        # multiprocessing's arrays lie in /dev/shm or, where that is small, as in a container, in a
        # folder on the disk, which a killed run would leave.
        return shared(size) or self._context.RawArray("b", size)

    def start(self, work: Callable[..., None], *args: Any) -> None:
        """Start the other processes, each of which calls `work(exchange, *args)`."""
        try:
            with _signals_held():
                for rank in range(1, self.size):
                    ours, theirs = self._context.Pipe()
                    self._pipes.append(ours)
                    worker = self._context.Process(
                        target=_work,
                        args=(rank, self.size, self._layout, self._memory, theirs, work, args),
                        daemon=True,
                    )
                    worker.start()
                    theirs.close()
                    self._workers.append(worker)
        except OSError as error:
            self.close()
            raise WorkerError(
                f"a worker process could not be started: {error}; use fewer `workers`"
            ) from None

    def close(self) -> None:
        """End the other processes."""
        _close_all(self._pipes)
        for worker in self._workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
                worker.join()
        self._workers.clear()
        self._pipes.clear()

    def broadcast(self, command: object) -> None:
        """Send a command from process 0 to all others."""
        # Not `pipe.send`: where the pipe is broken, its error keeps a view of a buffer alive, which
        # ends some versions of Python with a segmentation fault.
        data = bytes(ForkingPickler.dumps(command))
        for index in range(len(self._pipes)):
            with self._alive(index) as pipe:
                pipe.send_bytes(data)

    def barrier(self) -> None:
        """Wait until all processes have come here; raises WorkerError if one cannot any more."""
        for index in range(len(self._pipes)):
            with self._alive(index) as pipe:
                self._wait(index)
                failure = pipe.recv_bytes()
            if failure:
                self.close()
                raise WorkerError(f"a worker process failed: {failure.decode()}")
        for index in range(len(self._pipes)):
            with self._alive(index) as pipe:
                pipe.send_bytes(b"")

    @contextmanager
    def _alive(self, index: int) -> Iterator[Connection]:
        """Give the pipe to a worker; raises WorkerError if the worker turns out to be dead."""
        try:
            yield self._pipes[index]
        except (EOFError, OSError):
            worker = self._workers[index]
            worker.join(5)
            code = worker.exitcode
            self.close()
            cause = f"exit code {code}"
            if code is not None and code < 0:
                cause = signal.Signals(-code).name + (", out of memory?" if code == -9 else "")
            if code == 1:  # what it could not do is said above, by Python
                raise WorkerError(
                    "a worker process died (exit code 1) when it imported the script: workers "
                    'import it, so put what trains under if __name__ == "__main__":'
                ) from None
            raise WorkerError(
                f"a worker process died ({cause}): what was last saved is intact; go on with "
                "`resume`, perhaps with fewer `workers`"
            ) from None

    def _wait(self, index: int) -> None:
        """Wait for a word from a worker. One that somebody stopped (SIGSTOP, or a Ctrl-Z that only
        this process was woken from) is woken: where this process goes on, so do the others.
        """
        if sys.platform == "win32":  # where none can be stopped
            return
        poll = select.poll()
        poll.register(self._pipes[index], select.POLLIN)
        while not poll.poll(1000 * WAKE_AFTER):
            os.kill(self._workers[index].pid, signal.SIGCONT)


class Member(Exchange):
    """One of the other processes of a SharedMemory run. It ends when process 0 does."""

    def __init__(
        self, rank: int, size: int, arrays: dict[str, NDArray[Any]], pipe: Connection
    ) -> None:
        self.rank, self.size, self.arrays, self._pipe = rank, size, arrays, pipe

    def receive(self) -> Any:
        """Return the next command of process 0."""
        return ForkingPickler.loads(self._pipe.recv_bytes())

    def barrier(self) -> None:
        """Wait until all processes have come here."""
        self._pipe.send_bytes(b"")
        self._pipe.recv_bytes()


def share_out(workers: int | str, shards: int, batch_size: int) -> tuple[int, int]:
    """Return how many workers, and how many shards of the batch, a run is to have.

    "auto" takes as many as there are usable cores, if each is left with MIN_WIDTH streams at least:
    narrower products waste more than a second core gives. `shards` of 0 are as many as workers; a
    number that is given limits the workers to those that divide it, however narrow. "alone" is one
    worker with the shards of "auto". Raises ConfigError for numbers that do not divide the batch.
    """
    if workers == "alone":
        return 1, share_out("auto", shards, batch_size)[1]
    if workers == "auto":
        limit = shards or batch_size // MIN_WIDTH
        workers = max(
            n
            for n in range(1, max(1, min(usable_cores(), limit)) + 1)
            if (shards or batch_size) % n == 0
        )
    require(
        isinstance(workers, int) and 1 <= workers <= MAX_SHARDS,
        f"`workers` is {workers!r}: it must be auto or 1 to {MAX_SHARDS}",
    )
    assert isinstance(workers, int)
    shards = shards or workers
    require(
        batch_size % shards == 0,
        f"{shards} workers or shards cannot share a batch_size of {batch_size} evenly: "
        "change one of them",
    )
    require(
        shards % workers == 0,
        f"{workers} workers cannot share the run's {shards} shards evenly: change `workers`",
    )
    return workers, shards


def share_of(length: int, piece: int, rank: int, size: int) -> slice:
    """Return the slice of `length` numbers, in whole pieces, that process `rank` sees to."""
    pieces = -(-length // piece)
    first, last = pieces * rank // size, pieces * (rank + 1) // size
    return slice(first * piece, min(last * piece, length))


def usable_cores() -> int:
    """Return how many cores this process may use, a container's (cgroup 2) quota respected."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


def _views(layout: Layout, memory: Memory) -> dict[str, NDArray[Any]]:
    views = {}
    for name, (shape, dtype) in layout.items():
        buffer, offset = memory[name]
        views[name] = np.frombuffer(buffer, dtype, math.prod(shape), offset).reshape(shape)
    return views


def _work(
    rank: int,
    size: int,
    layout: Layout,
    memory: Memory,
    pipe: Connection,
    work: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for process 0 to see
    if sys.platform != "win32":
        # A group of our own: the system wakes what is stopped in it when process 0 dies.
        os.setpgid(0, 0)
    threadpool_limits(1)
    try:
        work(Member(rank, size, _views(layout, memory), pipe), *args)
    except (EOFError, ConnectionError):
        pass  # process 0 is done, or gone
    except Exception as error:
        with suppress(OSError):
            pipe.send_bytes((str(error) or type(error).__name__).encode())


def _close_all(pipes: list[Connection]) -> None:
    for pipe in pipes:
        pipe.close()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back in this thread, and for good in the processes that it starts meanwhile:
    what ends a run is for process 0 to see, and the others end with it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # now: when it starts it lets signals through again
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
