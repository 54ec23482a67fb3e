"""Marks in the training text: how many bars of a section are left, and whether it is the last.

A network that reads characters loses count of bars, and cannot know where a request ends a section.
Each bar therefore begins with a letter that counts down to the end of the section, in capitals in
the last section of a tune:

    h  the last bar, short by more than an eighth note (a pick-up completes it)
    i  the last bar, short by at most an eighth note
    j  the last bar, full
    k  two bars are left, l three, ... v thirteen, w fourteen or more

ABC leaves these letters to its users, so that marked text is still ABC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from charrnn.music.structure import pickups_of
from charrnn.music.tune import Tune

MARKS = "hijklmnopqrstuvw"
LAST_MARKS = MARKS.upper()
ALL_MARKS = MARKS + LAST_MARKS
FULL = 2  # the index of the mark of a full last bar
_FIELD_OR_MARK = re.compile(rf"(\[[A-Za-z]:[^]]*\]|^[A-Za-z]:.*)|[{ALL_MARKS}]", re.MULTILINE)


def countdown(
    tune: Tune,
    more: int = 0,
    last: bool = True,
    known: Sequence[Sequence[str]] = (MARKS, LAST_MARKS),
) -> list[str]:
    """Return the mark of each bar, for a tune with `more` bars to come in its final section, and
    with other sections to come unless that is the `last`. Of both kinds, the first marks are
    `known`.

    A pick-up does not count, so it has the mark of the bar that follows. Bars before a second
    ending count those of the first.

    >>> from charrnn.music.abc_parser import read_abc
    >>> tune = read_abc("M:2/4\\nK:C\\nc4|c4|:c|c4|d4|1e4|f3:|2e4|c3|]\\n\\n").tunes[0]
    >>> "".join(countdown(tune))
    'kjMMLKIKI'
    """
    marks = [""] * len(tune.bars)
    pickups, meters = set(pickups_of(tune)), tune.meters()
    sections = tune.sections()
    for section in sections:
        final = section is sections[-1]
        letters = known[final and last]
        left, end = more if final else 0, FULL
        for index in reversed(section):
            bar, meter = tune.bars[index], meters[index]
            if index not in pickups:
                left += 1
            if left == 1 and index not in pickups:
                end = shortness(Fraction(*meter) - bar.duration if meter else Fraction(0))
            if letters:
                marks[index] = letters[min(index_of(left, end), len(letters) - 1)]
            if bar.ending == 2:
                left = 0
    return marks


def unmarked(text: str) -> str:
    r"""Return canonical text, or its beginning, without marks.

    >>> unmarked("K:Cmin\nkc4|j[K:Dmin]d4|Ie4|]")
    'K:Cmin\nc4|[K:Dmin]d4|e4|]'
    """
    return _FIELD_OR_MARK.sub(lambda found: found[1] or "", text)


def shortness(missing: Fraction) -> int:
    """Return the index of the mark of a last bar that lacks so much of its meter."""
    return FULL if missing <= 0 else 1 if missing <= Fraction(1, 8) else 0


def index_of(left: int, end: int = FULL) -> int:
    """Return the index of the mark of a bar; `end` is that of the section's last bar."""
    return end if left <= 1 else min(left + FULL - 1, len(MARKS) - 1)
