"""Look-up of columns by id, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array


def look_up(table: Array, ids: NDArray[np.integer[Any]], out: Array) -> None:
    """Write the columns of `table` (F, V) that `ids` (T, B) name to `out` (T, F, B)."""
    for t, row in enumerate(ids):
        np.take(table, row, axis=1, out=out[t], mode="clip")  # "raise" would copy through a buffer


def sum_by_id(columns: Array, ids: NDArray[np.integer[Any]], out: Array) -> None:
    """Add up the `columns` (F, N) of equal id: out[:, v] = the sum of columns[:, n], ids[n] = v.

    This is the gradient of `look_up` with respect to its table, `out` (F, V).
    """
    order = np.argsort(ids, kind="stable")
    present, starts = np.unique(ids[order], return_index=True)
    out.fill(0)
    out[:, present] = np.add.reduceat(np.take(columns, order, axis=1), starts, axis=1)
