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
# Nats for each character of a bar like one in the same section, or in an earlier one; found on
# Irish tunes (benchmarks/README.md).
SAME, EARLIER = 4.5, 3.0

Echoes = tuple[tuple[str, bool], ...]  # bars to repeat, and whether each is in this section


class Heard(NamedTuple):
    """What has been written: the grammar's state, and the bars so far."""

    state: State[TunePlace]
    bars: tuple[str, ...] = ()  # without pick-ups; a second ending replaces the first
    begins: tuple[int, ...] = ()  # how many bars stand before each section
    lasts: Echoes = ()  # the last bars of sections, in a countdown
    bar: str = ""  # the current one
    alike: Echoes = ()  # bars one or more phrases back that begin like it


class Refrain:
    """The constraint of a grammar, with a preference for repeated bars.

    It is a `charrnn.inference.constraint.Biased`.
    """

    def __init__(
        self, grammar: Grammar[TunePlace], same: float = SAME, earlier: float = EARLIER
    ) -> None:
        self.alphabet = grammar.alphabet
        self.start = Heard(grammar.start)
        self._grammar = grammar
        self._bonuses = (earlier, same)
        self._biases: dict[frozenset[tuple[str, bool]], NDArray[np.float64]] = {}

    def allowed(self, heard: Heard) -> NDArray[np.bool_]:
        """Return what the grammar allows."""
        return self._grammar.allowed(heard.state)

    def bias(self, heard: Heard) -> NDArray[np.float64]:
        """Return the bonus of each character, (V,)."""
        at = len(heard.bar)
        following = frozenset([(bar[at], same) for bar, same in heard.alike if len(bar) > at])
        bias = self._biases.get(following)
        if bias is None:
            bias = self._biases[following] = np.zeros(len(self.alphabet))
            for character, same in following:
                id = self.alphabet.index(character)
                bias[id] = max(bias[id], self._bonuses[same])
        return bias

    def advance(self, heard: Heard, character: str) -> Heard:
        """Return the state after a character."""
        state = self._grammar.advance(heard.state, character)
        _, bars, begins, lasts, bar, alike = heard
        song = state.place.song
        if character == "\n":
            return Heard(state)
        if not bar and character in ALL_MARKS:
            return heard._replace(state=state, alike=lasts if song.left == 1 else alike)
        if not bar and character in "|:]12":  # part of a bar line
            if character == "2":  # the second ending's bars replace those of the first
                bars, begins = bars[: -song.bars_of_first_ending], begins[:-1]
            elif character in "|:":
                begins = (*begins, len(bars))
            return Heard(state, bars, begins, lasts, "", _alike(bars, begins))
        if character == "|" or (bar.endswith(":") and character == ":"):
            music = bar.rstrip(":")
            if not song.in_header and not song.is_pickup(state.bar.ticks):
                bars = (*bars, music)
                lasts = (*lasts, (music, False)) if song.left == 1 else lasts
            if music != bar:
                begins = (*begins, len(bars))
            return Heard(state, bars, begins, lasts, "", _alike(bars, begins))
        at = len(bar)
        alike = tuple([echo for echo in alike if echo[0][at : at + 1] == character])
        return heard._replace(state=state, bar=bar + character, alike=alike)


def _alike(bars: tuple[str, ...], begins: tuple[int, ...]) -> Echoes:
    """Return the bars a whole number of phrases back from the one that begins now."""
    begin = begins[-1] if begins else 0
    return tuple(
        (bars[index], index >= begin)
        for index in range(len(bars) % PHRASE, len(bars) - PHRASE + 1, PHRASE)
    )
