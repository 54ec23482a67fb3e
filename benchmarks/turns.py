"""Two sides in turns: each in a process of its own, one at work while the other waits.

The sides are charrnn and PyTorch, or two versions of charrnn, each with an interpreter of its own.
A script calls `compare` for each of its jobs. The processes are the script itself, started with
`--side`; there `serve` does what it is asked for, a line of JSON on its standard input at a time.

Both interpreters run the same script, so that it may import only names that every version of
charrnn exports.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import charrnn

V, E = 65, 64  # alphabet and embedding
ALPHABET = "\n" + "".join(map(chr, range(32, 96)))
CELLS = ("lstm", "gru", "rnn")
SIDES = ("charrnn", "torch")
VERSIONS = ("this", "other")
BURST_SECONDS = 0.4
ROW_SECONDS = 11.0  # a row of slow steps has fewer bursts, MIN_BURSTS at least
MIN_BURSTS = 3
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """Something to do at either side.

    `batch_size` is the number of streams, in sampling and evaluation too. `seq_len` is 0 where
    charrnn chooses the length of chunks.
    """

    task: str
    cell: str
    num_layers: int
    hidden_size: int
    batch_size: int
    seq_len: int
    cores: int


@dataclass(frozen=True)
class Outcome:
    """Characters a second of both sides, medians, and the median of the ratios of turns."""

    ours: float
    theirs: float
    ratio: float
    ratios: list[float]


Work = Generator[int, None, None]  # each `next` does a piece and returns how many characters it was


# ---- in a process of its own ---------------------------------------------------------------------


def serve(make: Callable[[Job], Work]) -> None:
    """Do what standard input asks for until it is closed: start a job, work on it, measure."""
    work: Work | None = None
    for line in sys.stdin:
        action, argument = json.loads(line)
        answer: Any = None
        if action in ("start", "stop") and work is not None:
            work.close()
            work = None
        if action == "start":
            work = make(Job(**argument))
            next(work)  # buffers, processes, the libraries' own preparations
            burst(work, BURST_SECONDS / 2, 1)
        elif action == "burst":
            assert work is not None
            answer = burst(work, argument)
        elif action == "memory":
            answer = peak_memory()
        elif action == "product":
            answer = product_speed()
        elif action == "machine":
            answer = machine()
        elif action == "package":
            answer = str(Path(charrnn.__file__).parent)
        print(json.dumps(answer), flush=True)


def burst(work: Work, seconds: float, steps: int = 2) -> float:
    """Work for so long, and for two steps unless they take a second; return characters a second."""
    began = time.perf_counter()
    elapsed, done, characters = 0.0, 0, 0
    while elapsed < seconds or (done < steps and elapsed < 1):
        characters += next(work)
        done += 1
        elapsed = time.perf_counter() - began
    return characters / elapsed


def peak_memory() -> float:
    """Return the sum of the peak resident bytes of this process and its descendants (Linux), or 0.

    Pages that several of them share are counted for each.
    """
    parents, peaks = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:  # it has just ended
            continue
        fields = dict(re.findall(r"^(PPid|VmHWM):\s+(\d+)", text, re.MULTILINE))
        parents[int(status.parent.name)] = int(fields["PPid"])
        peaks[int(status.parent.name)] = int(fields.get("VmHWM", 0)) * 1024
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return float(sum(peaks.get(pid, 0) for pid in family))


def product_speed(size: int = 2048, times: int = 4) -> float:
    """Return the flops a second of a large float32 matrix product at its best."""
    a = np.random.default_rng(0).standard_normal((size, size), np.float32)
    b, out = a.T.copy(), np.empty_like(a)
    best = np.inf
    for _ in range(times):
        began = time.perf_counter()
        np.matmul(a, b, out=out)
        best = min(best, time.perf_counter() - began)
    return float(2 * size**3 / best)


def torch_layers(job: Job) -> Any:
    """Return PyTorch's embedding, recurrent layers and head, in a ModuleList."""
    import torch
    from torch import nn

    torch.set_num_threads(job.cores)
    torch.manual_seed(0)
    recurrent = getattr(nn, job.cell.upper())
    return nn.ModuleList(
        [
            nn.Embedding(V, E),
            recurrent(E, job.hidden_size, job.num_layers),
            nn.Linear(job.hidden_size, V),
        ]
    )


# ---- in the process that compares ----------------------------------------------------------------


class Side:
    """A process that serves, run by this interpreter or by another one, `python`."""

    def __init__(self, name: str, one_core: bool = False, python: str | None = None) -> None:
        self.name = name
        environment = {k: v for k, v in os.environ.items() if k not in THREADS}
        if one_core:
            environment |= dict.fromkeys(THREADS, "1")
        if python is not None:
            # It may lead to this interpreter's charrnn; the other must import its own.
            environment.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(
            [python or sys.executable, sys.argv[0], "--side", name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def ask(self, action: str, argument: Any = None) -> Any:
        """Have something done, and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended: there is no answer to come
            self._process.stdin.write(json.dumps([action, argument]) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"the process of {self.name} ended at {json.dumps([action, argument])}")
        return json.loads(answer)


@contextmanager
def both_sides(one_core: bool = False, against: str | None = None) -> Iterator[tuple[Side, Side]]:
    """Start a process for each library or, `against` another interpreter, for each version."""
    first, second = SIDES if against is None else VERSIONS
    with Side(first, one_core) as ours, Side(second, one_core, against) as theirs:
        yield ours, theirs


def compare(sides: tuple[Side, Side], job: Job, bursts: int) -> Outcome:
    """Let both sides do the same in turns, each first every other time."""
    for side in sides:
        side.ask("start", asdict(job))
    rates: tuple[list[float], list[float]] = [], []
    began = time.monotonic()
    for turn in range(bursts):
        if turn >= MIN_BURSTS and time.monotonic() - began > ROW_SECONDS:
            break
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            rates[index].append(sides[index].ask("burst", BURST_SECONDS))
    for side in sides:
        side.ask("stop")
    ratios = [a / b for a, b in zip(*rates, strict=True)]
    return Outcome(median(rates[0]), median(rates[1]), median(ratios), ratios)


def usable_cores() -> int:
    """Return how many cores this process may use, within the CPU quota of a container (cgroup 2).

    charrnn's own count is not among the names that it exports.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no such group, or no quota
        return cores


def machine() -> dict[str, Any]:
    """Describe the machine and the libraries; PyTorch where it is installed."""
    processor = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        processor = found[1].strip() if found else processor
    blas = [
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    try:
        torch = {"torch": version("torch")}
    except PackageNotFoundError:
        torch = {}
    return {
        "processor": processor,
        "cores": usable_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(blas),
        "charrnn": charrnn.__version__,
        **torch,
    }


def describe(machine: dict[str, Any]) -> str:
    """Put a machine into one line.

    >>> describe({"processor": "Z80", "cores": 1})
    'processor Z80, cores 1'
    """
    return ", ".join(f"{key} {value}" for key, value in machine.items())


def table_row(*cells: object) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def table_head(*names: str) -> str:
    """Return the first two lines of a Markdown table."""
    return table_row(*names) + "\n" + table_row(*["---"] * len(names))


def thousands(rate: float) -> str:
    """Return thousands of characters a second.

    >>> thousands(29_310)
    '29.3'
    """
    return f"{rate / 1000:.1f}"


def verdict(ratio: float, bar: tuple[float, float], most: bool = False) -> str:
    """Say whether the ratio meets the requirement or even the goal, the two numbers of `bar`; with
    `most` they are upper bounds.

    >>> verdict(1.6, (1.5, 2))
    'yes'
    >>> verdict(0.5, (0.8, 0.5), most=True)
    'goal'
    """
    required, goal = (ratio <= limit if most else ratio >= limit for limit in bar)
    return "goal" if goal else "yes" if required else "no"
