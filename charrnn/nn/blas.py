"""NumPy's linear algebra library: how many threads it uses, and which kernels.

OpenBLAS's threads wait for one another in every product. That gains little for narrow products, and
costs a factor of ten or more as soon as the machine has other work.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


@cache
def _controller() -> Any:
    return ThreadpoolController()  # examining all loaded libraries takes half a millisecond


@cache
def kernels() -> str:
    """Return the processor that OpenBLAS's kernels are for, such as "Haswell" or "SkylakeX"; ""
    for another library, whose kernels are unknown.
    """
    names = {
        library["architecture"]
        for library in _controller().info()
        if library["internal_api"] == "openblas"
    }
    return names.pop() if len(names) == 1 else ""


def available_threads() -> int:
    """Return the number of threads that products may use now."""
    libraries = [library for library in _controller().info() if library["user_api"] == "blas"]
    return max((library["num_threads"] for library in libraries), default=1)


def limited(threads: int | None) -> AbstractContextManager[object]:
    """Return a context that limits products to `threads`; None leaves the number unchanged."""
    context: AbstractContextManager[object] = _controller().limit(limits=threads, user_api="blas")
    return context


def threads_for(columns: int) -> AbstractContextManager[object]:
    """Return a context with one thread if products have a single column, a matrix by a vector."""
    return limited(1 if columns == 1 else None)


def training_threads(shards: int) -> int | None:
    """Return the number of threads for each process of a training run: one, unless the environment
    sets it for a run of a single shard. With several shards it is always one, so that a run's bits
    don't depend on how many processes share them. None leaves it to the environment.
    """
    stated = any(os.environ.get(name) for name in VARIABLES)
    return None if stated and shards == 1 else 1
