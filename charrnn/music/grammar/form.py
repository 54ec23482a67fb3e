"""The form of a tune, such as AABA: which sections are written, and how many bars each has."""

from __future__ import annotations

import re
from itertools import groupby
from typing import NamedTuple

from charrnn.errors import require


class Section(NamedTuple):
    """A section as it is written."""

    letter: str
    repeats: bool


def sections(form: str) -> tuple[Section, ...]:
    """Return the sections that are written for a form; raises ConfigError for an invalid form.

    >>> sections("AABA")
    (Section(letter='A', repeats=True), Section(letter='B', repeats=False), \
Section(letter='A', repeats=False))
    """
    require(
        re.fullmatch("[A-Z]{0,32}", form) is not None and not re.search(r"(.)\1\1", form),
        "`form` must be up to 32 capital letters such as AABB, with at most two equal letters in "
        f"a row; got {form!r}",
    )
    return tuple(Section(letter, len(list(run)) == 2) for letter, run in groupby(form))


def section_size(bars: int | None, form: tuple[Section, ...]) -> int:
    """Return the number of bars of each section, or of the tune if it has no form; 0 for any.

    Raises ConfigError if the bars cannot be divided evenly.

    >>> section_size(24, sections("AABA"))
    8
    """
    if bars is None:
        return 0
    require(1 <= bars <= 256, f"`bars` must be between 1 and 256, got {bars}")
    if not form:
        return bars
    size, rest = divmod(bars, len(form))
    near = " or ".join(str(len(form) * n) for n in (size, size + 1) if n)
    require(
        rest == 0,
        f"`form` {''.join(letter * (1 + repeats) for letter, repeats in form)} has {len(form)} "
        f"written sections, so `bars` must be a multiple of {len(form)}, such as {near}; got "
        f"{bars}",
    )
    return size
