"""A leaning towards bars that a tune has had before.

People's tunes come back to what they said: three bars of ten repeat an earlier one, most of them
the one four or eight bars before, where the last phrase stood. A network that reads characters
hardly does that by itself. `Refrain` wraps the grammar and bids for it: as long as a bar begins
like one that stands some phrases before, its next character gets a bonus. What the network finds
quite wrong it still refuses, and the network need not know what a bar is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.music.grammar.constraint import Grammar, State
from charrnn.music.grammar.tunes import TunePlace

PHRASE = 4  # bars
BONUS = 3.5  # nats for each character; found on Irish tunes (benchmarks/README.md)


class Heard(NamedTuple):
    """What has been written: for the grammar, and bar by bar."""

    state: State[TunePlace]
    bars: tuple[str, ...] = ()  # without pick-ups, and first endings once there is a second
    bar: str = ""  # the one that is being written
    alike: tuple[str, ...] = ()  # bars some phrases before that begin as it does


class Refrain:
    """The constraint of a grammar, leaning towards repeated bars.

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
        """Return what has been heard after a character."""
        state = self._grammar.advance(heard.state, character)
        _, bars, bar, alike = heard
        if character == "\n":
            return Heard(state)
        if not bar and character in "|:]12":  # of a bar line
            if character == "2":  # the second ending's bars stand for those of the first
                bars = bars[: -state.place.song.bars_of_first_ending]
            return Heard(state, bars, "", _alike(bars))
        if character == "|" or (bar.endswith(":") and character == ":"):
            song = state.place.song
            if not song.in_header and not song.is_pickup(state.bar.ticks):
                bars = (*bars, bar.rstrip(":"))
            return Heard(state, bars, "", _alike(bars))
        at = len(bar)
        alike = tuple([other for other in alike if other[at : at + 1] == character])
        return Heard(state, bars, bar + character, alike)


def _alike(bars: tuple[str, ...]) -> tuple[str, ...]:
    """Return the bars that stand some phrases before the one that begins now."""
    return bars[len(bars) % PHRASE : 1 - PHRASE : PHRASE]
