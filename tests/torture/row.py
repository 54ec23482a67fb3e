"""What all rows share: random numbers, the form, and the outcome of a case."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SEED = int(os.environ.get("TORTURE_SEED", "20261121"))
FULL = os.environ.get("TORTURE_FORM", "short") == "full"


class Skip(Exception):  # noqa: N818 (not an error)
    """This machine cannot run the case; the message says why."""


@dataclass
class Outcome:
    """The result of a case: the number of attempts, and every violation."""

    count: int = 0
    bad: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)  # the largest of each is reported

    def __add__(self, other: Outcome) -> Outcome:
        """Return both outcomes as one."""
        figures = {**self.figures, **other.figures}
        return Outcome(self.count + other.count, self.bad + other.bad, figures)

    def expect(self, holds: bool, complaint: str) -> bool:
        """Record `complaint` unless `holds`; return `holds`."""
        if not holds:
            self.bad.append(complaint[:2000])
        return holds


@dataclass(frozen=True)
class Row:
    """A row of the table: `short` or `full` attempts, of which each case makes `size`."""

    what: str
    case: Callable[[int, Path], Outcome]
    short: int
    full: int
    size: int = 1
    seconds: int = 600  # a longer case counts as hanging

    def cases(self, full: bool) -> int:
        """Return the number of cases of this form."""
        return -(-(self.full if full else self.short) // self.size)


def randomness(row: str, index: int) -> random.Random:
    """Return the random numbers of a case."""
    return random.Random(f"{SEED} {row} {index}")
