"""The plan of bars inside a tune whose other bars are kept."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from charrnn.errors import require
from charrnn.music.grammar.bar import BarGrammar, BarState
from charrnn.music.grammar.constraint import Grammar, State
from charrnn.music.grammar.rhythm import MAX_TICKS, WHOLE
from charrnn.music.grammar.tone import spelled
from charrnn.music.grammar.words import Alphabet, Pitch
from charrnn.music.tune import Key


class Gap(NamedTuple):
    """A bar of a tune that is to be filled."""

    duration: Fraction  # of a whole note
    key: Key  # in force
    line: str  # what stands between it and the next gap
    held: int | None = None  # the MIDI number of a note before it that is tied to its first


class GapPlan:
    """Plans gaps one after another; a bar's place is its index, and -1 is the text before them.

    The text before the gaps counts as a bar without notes that ends with this text. It may come
    again after the last gap.
    """

    def __init__(self, bars: BarGrammar, before: str, gaps: Iterable[Gap]) -> None:
        self._bars = bars
        self._gaps = tuple(gaps)
        for gap in self._gaps:
            ticks = gap.duration * WHOLE
            require(
                ticks.denominator == 1 and bars.rhythm.fills >> int(ticks) & 1 > 0,
                f"cannot fill a bar of {gap.duration} whole notes; bars must be multiples of "
                f"1/{WHOLE} and at most {MAX_TICKS // WHOLE}",
            )
        for gap in self._gaps:
            require(
                bool(bars.tone.words(self._begin(gap).tone).meanings),
                f"cannot fill a bar in {gap.key}: the alphabet lacks the tied note with which it "
                "begins",
            )
        self.start = State(-1, bars.begin(((before, 1),), Key()))

    def next_bar(self, state: State[int]) -> State[int]:
        """Return the state at the beginning of the next gap, or at the start after the last."""
        index = state.place + 1
        if index == len(self._gaps):
            return self.start
        return State(index, self._begin(self._gaps[index], state.bar.tone.held))

    def _begin(self, gap: Gap, tied: Pitch | None = None) -> BarState:
        held = tied if gap.held is None else spelled(gap.key, gap.held)
        return self._bars.begin(((gap.line, 1 << int(gap.duration * WHOLE)),), gap.key, held)


def gap_grammar(alphabet: str, before: str, gaps: Iterable[Gap]) -> Grammar[int]:
    """Return the constraint that a text is `before`, then a bar for each of the `gaps`.

    `before` is canonical text. Each bar lasts as long as its gap and ends with the gap's line. A
    note may be tied over a plain bar line, but not out of the last gap. Raises ConfigError for a
    gap that cannot be filled with `alphabet`.
    """
    bars = BarGrammar(Alphabet(alphabet))
    return Grammar(bars, GapPlan(bars, before, gaps))
