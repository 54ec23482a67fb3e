"""Recover the repeats of a tune that is written out as it is played."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from charrnn.music.tune import FREE, Bar, Key, Meter, Note, Tune

# Lengths of sections in bars, likely ones first, and of their endings.
SECTIONS = (8, 16, *range(9, 16), *range(17, 33), *range(7, 3, -1))
ENDINGS = (0, 1, 2)
PHRASE = 4  # bars, at a multiple of which a section begins after the one before


Content = tuple[tuple[Note, ...], Meter | None, Key]


class Written(NamedTuple):
    """A bar, and the meter and key in force."""

    bar: Bar
    meter: Meter | None
    key: Key


def with_repeats(tune: Tune) -> Tune:
    """Return the tune with sections that are played twice written once, with endings if the last
    bars differ by more than the pick-ups to what follows. It sounds the same.
    """
    bars = _written(tune)
    content = [(written.bar.notes, written.meter, written.key) for written in bars]
    result: list[Written] = []
    index = 0
    # A first bar that is shorter than the second one is a pick-up.
    phrase = int(len(bars) > 1 and bars[0].bar.duration < bars[1].bar.duration)
    while index < len(bars):
        candidates = (
            (size, ending)
            for size in SECTIONS
            for ending in ENDINGS
            if _is_played_twice(content, index, size, ending)
        )
        size, ending = (0, 0) if (index - phrase) % PHRASE else next(candidates, (0, 0))
        if not size:
            result.append(bars[index])
            index += 1
            continue
        section = bars[index : index + size]
        second = bars[index + 2 * size - ending : index + 2 * size]
        _flag(section, 0, opens=True)
        _flag(section, -1, repeats=True)
        if ending and not _share_pick_up(result, section, second):
            _flag(section, -ending, ending=1)
            _flag(second, 0, ending=2)
            _flag(second, -1, closes=True)
        result += section + second
        index += 2 * size
        phrase = index
    return _joined(tune, result)


def _written(tune: Tune) -> list[Written]:
    key = tune.key
    bars = []
    for bar, meter in zip(tune.bars, tune.meters(), strict=True):
        key = bar.key or key
        bars.append(Written(replace(bar, meter=None, key=None), meter, key))
    return bars


def _is_played_twice(content: list[Content], index: int, size: int, ending: int) -> bool:
    """Return whether the bars from `index` are played twice, except for an ending."""
    same, again = size - ending, index + size
    return (
        4 * ending <= size
        and again + size <= len(content)
        and content[index] == content[again]
        and content[index : index + same] == content[again : again + same]
    )


def _share_pick_up(before: list[Written], section: list[Written], second: list[Written]) -> bool:
    """Move the repeat to the pick-up before the section, if the first ending ends with that; what
    the second one has instead is a pick-up of its own. Return whether that is so.
    """
    if len(second) > 1 or not before:
        return False
    pick_up, first, last = (each.bar.notes for each in (before[-1], section[-1], second[0]))
    size = len(first) - len(pick_up)
    if size <= 0 or first[size:] != pick_up or last[:size] != first[:size]:
        return False
    _flag(before, -1, opens=True)
    _flag(section, 0, opens=False)
    _flag(section, -1, notes=first[:size])
    second[:] = [second[0]._replace(bar=Bar(last[size:]))] if last[size:] else []
    return True


def _flag(bars: list[Written], index: int, **changes: object) -> None:
    """Change fields of a bar."""
    bars[index] = bars[index]._replace(bar=replace(bars[index].bar, **changes))  # type: ignore[arg-type]


def _joined(tune: Tune, written: list[Written]) -> Tune:
    """Return a tune of these bars."""
    before = written[0]
    bars = []
    for each, after in zip(written, [*written[1:], before._replace(bar=Bar(()))], strict=True):
        bars.append(
            replace(
                each.bar,
                closes=each.bar.closes and not after.bar.opens,
                meter=None if each.meter == before.meter else each.meter or FREE,
                key=None if each.key == before.key else each.key,
            )
        )
        before = each
    bars[-1] = replace(bars[-1], closes=not bars[-1].repeats)
    return replace(tune, bars=tuple(bars), meter=written[0].meter, key=written[0].key)
