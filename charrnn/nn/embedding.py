"""Look-up of columns by id, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.nn.parameters import Array

SMALL = 256  # columns; up to here a product with one-hot columns beats gathering them


def look_up(table: Array, ids: NDArray[np.integer[Any]], out: Array) -> None:
    """Write the columns of `table` (F, V) that `ids` (N,) name to `out` (F, N)."""
    size = table.shape[1]
    if size <= SMALL and len(ids) > 1:
        np.matmul(table, one_hot(ids, size, table.dtype), out=out)
    else:
        np.take(table, ids, axis=1, out=out, mode="clip")  # "raise" would copy once more


def sum_by_id(columns: Array, ids: NDArray[np.integer[Any]], out: Array) -> None:
    """Add up the `columns` (F, N) of equal id: out[:, v] = the sum of columns[:, n], ids[n] = v.

    This is the gradient of `look_up` with respect to its table, `out` (F, V).
    """
    size = out.shape[1]
    if size <= SMALL:
        np.matmul(columns, one_hot(ids, size, columns.dtype).T, out=out)
        return
    order = np.argsort(ids, kind="stable")
    present, starts = np.unique(ids[order], return_index=True)
    out.fill(0)
    out[:, present] = np.add.reduceat(np.take(columns, order, axis=1), starts, axis=1)


def one_hot(ids: NDArray[np.integer[Any]], size: int, dtype: DTypeLike) -> Array:
    """Return the columns (size, N) that are 1 where `ids` (N,) say, and 0 elsewhere."""
    columns = np.zeros((size, len(ids)), dtype)
    columns[ids, np.arange(len(ids))] = 1
    return columns
