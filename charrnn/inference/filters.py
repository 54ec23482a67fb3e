"""Filters: rule out unlikely characters before sampling.

To add one, write a function that sets probabilities to zero, and list it in FILTERS; the option of
the command line follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require, require_type

Probabilities = NDArray[np.float64]  # (B, V), rows summing to anything above 0


def top_k(p: Probabilities, k: float) -> None:
    """Keep the k most likely characters (Fan et al. 2018)."""
    rest = np.argsort(-p, axis=1, kind="stable")[:, int(k) :]
    np.put_along_axis(p, rest, 0, axis=1)


def top_p(p: Probabilities, share: float) -> None:
    """Keep the smallest set of most likely characters with at least this share of the probability
    (Holtzman et al. 2020).
    """
    order = np.argsort(-p, axis=1, kind="stable")
    descending = np.take_along_axis(p, order, axis=1)
    before = np.cumsum(descending, axis=1) - descending
    kept = before < share * p.sum(axis=1, keepdims=True)
    kept[:, 0] = True
    np.put_along_axis(p, order, np.where(kept, descending, 0), axis=1)


def min_p(p: Probabilities, share: float) -> None:
    """Keep characters with at least this share of the highest probability (Nguyen et al. 2024)."""
    p[p < share * p.max(axis=1, keepdims=True)] = 0


@dataclass(frozen=True)
class Filter:
    """A filter, the range of its value, and the help text of its option."""

    apply: Callable[[Probabilities, float], None]
    kind: type[int] | type[float]
    low: float
    high: float
    help: str


# In the order in which they are applied. A filter without a value is off.
FILTERS: dict[str, Filter] = {
    "top_k": Filter(top_k, int, 1, 0x110000, "Keep only the N most likely characters."),
    "top_p": Filter(
        top_p, float, 0, 1, "Keep the most likely characters that together have this probability."
    ),
    "min_p": Filter(
        min_p,
        float,
        0,
        1,
        "Keep characters with at least this fraction of the highest probability.",
    ),
}


def check_filter(name: str, value: float) -> None:
    """Raise ConfigError for a value outside the range of a filter, TypeError for a non-number."""
    filter = FILTERS[name]
    require_type(value, (int, float), name, "a number")
    require(
        filter.low <= value <= filter.high,
        f"`{name}` must be between {filter.low} and {filter.high:,}, got {value}",
    )
