"""Communication between the processes of a run: broadcast, barrier, and the sum of flat vectors.

`Exchange` is a run of one process. `SharedMemory` is a run of several processes on one machine. Its
arrays are in unnamed shared memory, and its processes wait on pipes, which close when either end
dies. So no process and no shared memory remains, however a run ends.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from charrnn.errors import WorkerError, reason
from charrnn.nn.parameters import Array
from charrnn.text.spool import mapping_of, shared

WAKE_AFTER = 1.0  # seconds to wait for a worker before waking it

Layout = Mapping[str, tuple[tuple[int, ...], str]]  # shape and dtype of each shared array
# Set to ask all processes to stop.
STOP: Layout = {"stop": ((1,), "u1")}
Memory = Mapping[str, tuple[Any, int]]  # the buffer of each array, and its offset


class Exchange:
    """A run of one process."""

    rank, size = 0, 1

    def __init__(self, layout: Layout, given: Mapping[str, NDArray[Any]]) -> None:
        """Create the arrays of `layout`, filled with zeros, in addition to those `given`."""
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros(shape, dtype) for name, (shape, dtype) in {**layout, **STOP}.items()
        } | dict(given)

    def start(self, work: Callable[..., None], *args: Any) -> None:
        """Start the other processes, each of which calls `work(exchange, *args)`."""

    def close(self) -> None:
        """End the other processes."""

    def request_stop(self) -> None:
        """Ask all processes to stop what they are doing; safe to call from a signal handler."""
        self.arrays["stop"][0] = True

    def withdraw_stop(self) -> None:
        """Withdraw the request to stop."""
        self.arrays["stop"][0] = False

    def stop_requested(self) -> bool:
        """Return whether a stop has been requested."""
        return bool(self.arrays["stop"][0])

    def broadcast(self, command: object) -> None:
        """Send a command from process 0 to all others."""

    def barrier(self) -> None:
        """Wait until all processes have reached this point."""

    def all_reduce(self, parts: Array, mine: slice) -> Array:
        """Sum `parts` (n, P) in order; each process sums its own slice. Return this process's sum,
        a view; the sums of the others are complete after the next barrier.
        """
        self.barrier()
        total: Array = parts[0, mine]
        for part in parts[1:]:
            np.add(total, part[mine], out=total)
        return total


class SharedMemory(Exchange):
    """A run of several processes on one machine; process 0 creates this object."""

    def __init__(self, layout: Layout, given: Mapping[str, NDArray[Any]], size: int) -> None:
        self.size = size
        self._layout = {
            **layout,
            **STOP,
            **{name: (values.shape, values.dtype.str) for name, values in given.items()},
        }
        self._context = multiprocessing.get_context("spawn")
        # All processes map what is mapped from a file; the rest is copied to shared memory.
        mapped = {name: found for name, values in given.items() if (found := mapping_of(values))}
        try:
            self._memory: Memory = {
                name: mapped.get(name) or (self._allocate(shape, dtype), 0)
                for name, (shape, dtype) in self._layout.items()
            }
        except OSError as error:
            raise self._cannot_start(error) from None
        self.arrays = _views(self._layout, self._memory)
        for name in given.keys() - mapped.keys():
            self.arrays[name][...] = given[name]
        self._workers: list[Any] = []
        self._pipes: list[Connection] = []
        # If this is still open when Python exits, the workers must be dismissed before Python
        # waits for them.
        Finalize(self, _dismiss, (self._workers, self._pipes), exitpriority=10)

    def _allocate(self, shape: tuple[int, ...], dtype: str) -> Any:
        size = max(1, math.prod(shape) * np.dtype(dtype).itemsize)
        # multiprocessing's arrays are files in /dev/shm or, where that is small (in containers), in
        # a folder on disk, which a killed run would leave behind.
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
            raise self._cannot_start(error) from None

    def _cannot_start(self, error: OSError) -> WorkerError:
        """Return the error for resources that the system refuses, such as file descriptors."""
        return WorkerError(
            f"cannot start {self.size:,} workers: {reason(error)}; use fewer `workers`"
        )

    def close(self) -> None:
        """End the other processes."""
        _dismiss(self._workers, self._pipes)
        for worker in self._workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
                worker.join()
        self._workers.clear()
        self._pipes.clear()

    def broadcast(self, command: object) -> None:
        """Send a command from process 0 to all others."""
        # Not `pipe.send`: with a broken pipe, its error keeps a view of a buffer alive, which can
        # crash Python.
        data = bytes(ForkingPickler.dumps(command))
        for index in range(len(self._pipes)):
            with self._alive(index) as pipe:
                pipe.send_bytes(data)

    def barrier(self) -> None:
        """Wait until all processes have reached this point; raises WorkerError if one has died."""
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
        """Yield the pipe to a worker; raises WorkerError if the worker has died."""
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
            if code == 1:  # Python has printed the reason above
                raise WorkerError(
                    "a worker process died (exit code 1) importing the script; put the training "
                    'code under if __name__ == "__main__":'
                ) from None
            raise WorkerError(
                f"a worker process died ({cause}); continue from the last save with `resume`, or "
                "use fewer `workers`"
            ) from None

    def _wait(self, index: int) -> None:
        """Wait for a message from a worker. Wake a stopped worker (SIGSTOP, or a Ctrl-Z that only
        this process was resumed from).
        """
        if sys.platform == "win32":  # processes cannot be stopped there
            return
        poll = select.poll()
        poll.register(self._pipes[index], select.POLLIN)
        while not poll.poll(1000 * WAKE_AFTER):
            os.kill(self._workers[index].pid, signal.SIGCONT)


class Member(Exchange):
    """A worker process of a SharedMemory run; it ends when process 0 ends."""

    def __init__(
        self, rank: int, size: int, arrays: dict[str, NDArray[Any]], pipe: Connection
    ) -> None:
        self.rank, self.size, self.arrays, self._pipe = rank, size, arrays, pipe

    def receive(self) -> Any:
        """Return the next command of process 0."""
        return ForkingPickler.loads(self._pipe.recv_bytes())

    def barrier(self) -> None:
        """Wait until all processes have reached this point."""
        self._pipe.send_bytes(b"")
        self._pipe.recv_bytes()


def share_of(length: int, piece: int, rank: int, size: int) -> slice:
    """Return the slice of `length` numbers, in whole pieces, that process `rank` handles."""
    pieces = -(-length // piece)
    first, last = pieces * rank // size, pieces * (rank + 1) // size
    return slice(first * piece, min(last * piece, length))


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # process 0 handles Ctrl-C
    if sys.platform != "win32":
        # A separate group: the system wakes its stopped processes when process 0 dies.
        os.setpgid(0, 0)
    threadpool_limits(1)
    try:
        work(Member(rank, size, _views(layout, memory), pipe), *args)
    except (EOFError, ConnectionError):
        pass  # process 0 has finished or died
    except Exception as error:
        with suppress(OSError):
            pipe.send_bytes((str(error) or type(error).__name__).encode())


def _dismiss(workers: list[Any], pipes: list[Connection]) -> None:
    """Let the workers end: close their pipes, and wake those that are stopped."""
    for pipe in pipes:
        pipe.close()
    for worker in workers:
        if sys.platform != "win32" and worker.is_alive():
            os.kill(worker.pid, signal.SIGCONT)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Block signals in this thread, and permanently in the processes started meanwhile: process 0
    handles the signals that end a run, and the workers end with it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # now, because starting it unblocks signals
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
