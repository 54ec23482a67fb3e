"""What all rows share: their random numbers, their form, and the outcome of a case."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SEED = int(os.environ.get("TORTURE_SEED", "20261121"))
FULL = os.environ.get("TORTURE_FORM", "short") == "full"


class Skip(Exception):  # noqa: N818 (no error: an honest word)
    """This machine cannot do that; the message says why."""


@dataclass
class Outcome:
    """What came of a case: how many things were tried, and what was not as promised."""

    count: int = 0
    bad: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)  # the largest of each is shown

    def expect(self, holds: bool, complaint: str) -> bool:
        """Note a complaint unless `holds`, and return that."""
        if not holds:
            self.bad.append(complaint[:2000])
        return holds


@dataclass(frozen=True)
class Row:
    """A row of the table. Of `short` or `full` things to try, a case tries `size`."""

    what: str
    case: Callable[[int, Path], Outcome]
    short: int
    full: int
    size: int = 1
    seconds: int = 600  # a case that takes longer hangs

    def cases(self, full: bool) -> int:
        """Return the number of cases of this form."""
        return -(-(self.full if full else self.short) // self.size)


def randomness(row: str, index: int) -> random.Random:
    """Return the random numbers of a case."""
    return random.Random(f"{SEED} {row} {index}")
