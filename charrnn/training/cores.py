"""The cores that a run may use, and how its batch is divided between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from charrnn.checkpoints.records import MAX_SHARDS
from charrnn.errors import require

SYSTEM = Path("/sys")
OWN_GROUP = Path("/proc/self/cgroup")
CHARACTERS = 2048  # per update: with these, wider batches have shorter chunks
BATCH = 32  # streams, as long as each core has WIDTH of them
WIDTH = 8
MOST_STREAMS = 128  # beyond, chunks would be so short that the loss suffers
LEAST_WIDTH = 4  # streams per worker that repay another worker


def usable_cores() -> int:
    """Return the number of cores that this process may use: the physical ones where the system
    reports them (Linux), within its CPU affinity and the quotas of its control groups.

    Two threads of one core share its arithmetic units, so a second process gains little there.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas())]))


def _siblings(cpu: int) -> str:
    """Return the threads of a CPU's core, the same text for each of them."""
    topology = SYSTEM / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology"
    try:
        return (topology / "thread_siblings_list").read_text("ascii").strip()
    except OSError:
        return str(cpu)


def _quotas() -> Iterator[float]:
    """Yield the quotas, in CPUs, of this process's control group and those that contain it."""
    groups = SYSTEM / "fs" / "cgroup"
    try:
        own = [line.split(":", 2)[2] for line in OWN_GROUP.read_text().splitlines()]
    except (OSError, IndexError):
        own = []
    for path in {Path(group.lstrip("/")) for group in [*own, "/"]}:
        for folder in (path, *path.parents):
            yield from _quota(groups / folder / "cpu.max")  # version 2
            v1 = groups / "cpu" / folder
            yield from _quota(v1 / "cpu.cfs_quota_us", v1 / "cpu.cfs_period_us")


def _quota(*files: Path) -> Iterator[float]:
    try:
        quota, period = " ".join(file.read_text("ascii") for file in files).split()
        if int(quota) > 0:  # -1 or "max" is no limit
            yield int(quota) / int(period)
    except (OSError, ValueError):
        return


def batch_for(cores: int) -> tuple[int, int]:
    """Return the batch size and chunk length for this number of cores.

    Every core gets the same number of streams, and an update CHARACTERS in all.

    >>> [batch_for(cores) for cores in (1, 2, 6, 8, 16)]
    [(32, 64), (32, 64), (48, 43), (64, 32), (128, 16)]
    """
    width = max(-(-BATCH // cores), min(WIDTH, MOST_STREAMS // cores))
    return width * cores, round(CHARACTERS / (width * cores))


def share_out(workers: int | str, shards: int, batch_size: int) -> tuple[int, int]:
    """Return the number of workers and of shards of the batch.

    "auto" uses all usable cores as long as each worker gets at least LEAST_WIDTH streams: narrower
    matrix products waste more than another core adds. With 0 `shards` there is one per worker; a
    given number of shards limits the workers to its divisors. "alone" is one worker with the shards
    of "auto". Raises ConfigError for numbers that do not divide the batch.
    """
    if workers == "alone":
        return 1, share_out("auto", shards, batch_size)[1]
    if workers == "auto":
        limit = min(usable_cores(), shards or max(1, batch_size // LEAST_WIDTH), MAX_SHARDS)
        workers = max(n for n in range(1, limit + 1) if (shards or batch_size) % n == 0)
    require(
        isinstance(workers, int) and 1 <= workers <= MAX_SHARDS,
        f"`workers` must be auto or between 1 and {MAX_SHARDS}, got {workers!r:.60}",
    )
    assert isinstance(workers, int)
    shards = shards or workers
    require(
        batch_size % shards == 0,
        f"`batch_size` {batch_size} is not a multiple of {shards}, the number of shards (by "
        "default, one per worker); change one of them",
    )
    require(
        shards % workers == 0,
        f"`workers` must divide the run's number of shards ({shards}), got {workers}",
    )
    return workers, shards
