"""What a page says about one tune: facts in a player's words, and the figures of metrics.py."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.errors import counted
from charrnn.music.layout import key_name
from charrnn.music.metrics import FIGURES, Sample, TuneAssessment, measure
from charrnn.music.ranges import name_of
from charrnn.music.structure import closes
from charrnn.music.tune import Tune

LONGEST = 30  # characters of a title in a listing


def facts_of(tune: Tune, against: Sample | None = None) -> dict[str, str]:
    """Return what a player wants to know about a tune, and its longest copy from `against`.

    >>> from charrnn.music.abc_parser import read_abc
    >>> facts_of(read_abc("M:2/4\\nK:Dmaj\\nDEFG|A3|D4|]\\n\\n").tunes[0])["bars add up"]
    'no: bar 2'
    """
    facts = {"key": key_name(tune.key)}
    if tune.meter:
        facts["meter"] = "{}/{}".format(*tune.meter)
    sample = Sample([tune], against)
    pitches = [tone.pitch for tone in sample.melodies[0]]
    if pitches:
        facts["range"] = f"{name_of(min(pitches))} to {name_of(max(pitches))}"
    numbers = tune.numbers()
    irregular = dict.fromkeys(str(numbers[index]) for index in tune.irregular_bars())
    bars = "bars" if len(irregular) > 1 else "bar"
    facts["bars add up"] = f"no: {bars} {', '.join(irregular)}" if irregular else "yes"
    if ends := [close.degree == 0 for close in closes(tune)]:
        facts["ends on the tonic"] = "yes" if ends[-1] else "no"
        if len(ends) > 1:
            facts["sections that do"] = f"{sum(ends)} of {len(ends)}"
    if against:
        match = against.copies.longest(sample.melodies[0])
        title = f' from "{match.title}"' if match and match.title else ""
        facts["longest passage from the corpus"] = (
            f"{counted(match.notes, 'note')}{title}" if match else "none"
        )
    return facts


def listing(tunes: Sequence[TuneAssessment]) -> list[str]:
    """Return a line of facts for each tune, below a line with their names."""
    names = list(dict.fromkeys(name for tune in tunes for name in tune.facts))
    rows = [["", "title", *names]]
    for number, tune in enumerate(tunes, 1):
        title = tune.title if len(tune.title) <= LONGEST else tune.title[: LONGEST - 1] + "…"
        rows.append([str(number), title, *(tune.facts.get(name, "-") for name in names)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def figures_of(sample: Sample) -> dict[str, str]:
    """Return the labels and values of a sample's figures."""
    return {
        FIGURES[name].label: FIGURES[name].shown(value)
        for name, value in measure(sample).items()
        if name != "tunes" and value is not None
    }
