"""Filters: which characters are too unlikely to be drawn.

To add one, write a function that sets probabilities to zero, and list it in FILTERS; the command
line's option follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require, require_type

Probabilities = NDArray[np.float64]  # (B, V), rows summing to anything above 0


def top_k(p: Probabilities, k: float) -> None:
    """Keep the k likeliest characters (Fan et al. 2018)."""
    rest = np.argsort(-p, axis=1, kind="stable")[:, int(k) :]
    np.put_along_axis(p, rest, 0, axis=1)


def top_p(p: Probabilities, share: float) -> None:
    """Keep the fewest characters that together have at least this share (Holtzman et al. 2020)."""
    order = np.argsort(-p, axis=1, kind="stable")
    descending = np.take_along_axis(p, order, axis=1)
    before = np.cumsum(descending, axis=1) - descending
    kept = before < share * p.sum(axis=1, keepdims=True)
    kept[:, 0] = True
    np.put_along_axis(p, order, np.where(kept, descending, 0), axis=1)


def min_p(p: Probabilities, share: float) -> None:
    """Keep characters at least this share as likely as the likeliest (Nguyen et al. 2024)."""
    p[p < share * p.max(axis=1, keepdims=True)] = 0


@dataclass(frozen=True)
class Filter:
    """A filter, the range of its value, and its option's help."""

    apply: Callable[[Probabilities, float], None]
    kind: type[int] | type[float]
    low: float
    high: float
    help: str


# In the order in which they are applied. A filter is off unless its value is given.
FILTERS: dict[str, Filter] = {
    "top_k": Filter(top_k, int, 1, 0x110000, "Keep only the N most likely characters."),
    "top_p": Filter(top_p, float, 0, 1, "Keep the most likely characters of total probability X."),
    "min_p": Filter(
        min_p, float, 0, 1, "Keep characters at least X times as likely as the top one."
    ),
}


def check_filter(name: str, value: float) -> None:
    """Raise ConfigError for a value out of the range of a filter, TypeError for no number."""
    filter = FILTERS[name]
    require_type(value, (int, float), name, "a number")
    require(
        filter.low <= value <= filter.high,
        f"`{name}` is {value}: it must be {filter.low} to {filter.high:,}",
    )
