"""A preference for bars that the tune already has.

In people's tunes three bars of ten repeat an earlier one, usually the one four or eight bars back,
at the same place in an earlier phrase. A character-level network rarely does that on its own.
`Refrain` wraps the grammar and encourages it: while the current bar begins like a bar one or more
phrases back, the character that continues the likeness gets a bonus. The network can still reject
a repeat that it finds very unlikely, and need not know what a bar is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.music.countdown import ALL_MARKS
from charrnn.music.grammar.constraint import Grammar, State
from charrnn.music.grammar.tunes import TunePlace

PHRASE = 4  # bars
BONUS = 3.5  # nats for each character; found on Irish tunes (benchmarks/README.md)


class Heard(NamedTuple):
    """What has been written: the grammar's state, and the bars so far."""

    state: State[TunePlace]
    bars: tuple[str, ...] = ()  # without pick-ups; a second ending replaces the first
    lasts: tuple[str, ...] = ()  # the last bars of sections, in a countdown
    bar: str = ""  # the current one
    alike: tuple[str, ...] = ()  # bars one or more phrases back that begin like it


class Refrain:
    """The constraint of a grammar, with a preference for repeated bars.

    It is a `charrnn.inference.constraint.Biased`.
    """

    def __init__(self, grammar: Grammar[TunePlace], bonus: float = BONUS) -> None:
        self.alphabet = grammar.alphabet
        self.start = Heard(grammar.start)
        self._grammar = grammar
        self._bonus = bonus
        self._biases: dict[frozenset[str], NDArray[np.float64]] = {}

    def allowed(self, heard: Heard) -> NDArray[np.bool_]:
        """Return what the grammar allows."""
        return self._grammar.allowed(heard.state)

    def bias(self, heard: Heard) -> NDArray[np.float64]:
        """Return the bonus of each character, (V,)."""
        at = len(heard.bar)
        following = frozenset([bar[at] for bar in heard.alike if len(bar) > at])
        bias = self._biases.get(following)
        if bias is None:
            bonuses = [self._bonus * (character in following) for character in self.alphabet]
            bias = self._biases[following] = np.array(bonuses)
        return bias

    def advance(self, heard: Heard, character: str) -> Heard:
        """Return the state after a character."""
        state = self._grammar.advance(heard.state, character)
        _, bars, lasts, bar, alike = heard
        song = state.place.song
        if character == "\n":
            return Heard(state)
        if not bar and character in ALL_MARKS:
            return Heard(state, bars, lasts, "", lasts if song.left == 1 else _alike(bars))
        if not bar and character in "|:]12":  # part of a bar line
            if character == "2":  # the second ending's bars replace those of the first
                bars = bars[: -song.bars_of_first_ending]
            return Heard(state, bars, lasts, "", _alike(bars))
        if character == "|" or (bar.endswith(":") and character == ":"):
            if not song.in_header and not song.is_pickup(state.bar.ticks):
                bar = bar.rstrip(":")
                bars = (*bars, bar)
                lasts = (*lasts, bar) if song.left == 1 else lasts
            return Heard(state, bars, lasts, "", _alike(bars))
        at = len(bar)
        alike = tuple([other for other in alike if other[at : at + 1] == character])
        return Heard(state, bars, lasts, bar + character, alike)


def _alike(bars: tuple[str, ...]) -> tuple[str, ...]:
    """Return the bars a whole number of phrases back from the one that begins now."""
    return bars[len(bars) % PHRASE : 1 - PHRASE : PHRASE]
