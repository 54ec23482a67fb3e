"""Bars in a row as a constraint for sampling."""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.inference.constraint import read
from charrnn.music.grammar.bar import BarGrammar, BarState

P = TypeVar("P")  # the state of a plan


class State(NamedTuple, Generic[P]):
    """What has been written, as far as it affects what may come next."""

    place: P  # where the bar stands
    bar: BarState
    text: str = ""  # written since the plan last cleared it
    due: str = ""  # what must come next


class Plan(Protocol[P]):
    """Decides which bar follows which, and how each may end."""

    @property
    def start(self) -> State[P]:
        """The state before the first character."""

    def next_bar(self, state: State[P]) -> State[P]:
        """Return the state at the beginning of the next bar; the line of this one is complete."""


class Grammar(Generic[P]):
    """The constraint that bars follow a plan and that each adds up.

    It is a `charrnn.inference.constraint.Constraint`. Make one with `tunes.tune_grammar` or
    `gaps.gap_grammar`.
    """

    def __init__(self, bars: BarGrammar, plan: Plan[P]) -> None:
        self.alphabet = bars.alphabet.characters
        self.start = plan.start
        self._bars = bars
        self._plan = plan

    def allowed(self, state: State[P]) -> NDArray[np.bool_]:
        """Return which characters of the alphabet may come next, (V,)."""
        _, bar, _, due = state
        if due or bar.ended:
            return self._bars.alphabet.mask(self._following(state))
        return self._bars.alphabet.mask(bar.following)

    def advance(self, state: State[P], character: str) -> State[P]:
        """Return the state after one more character; raises ConfigError if it isn't allowed."""
        place, bar, text, due = state
        after = self._bars.advance(bar, character)
        if after is None:
            return self.advance(self._plan.next_bar(state), character)
        if not due:
            return State(place, after, text + character)
        if due[0] != character:
            raise ConfigError(f"expected {due[0]!r}, got {character!r}")
        return State(place, after, text + character, due[1:])

    def check(self, text: str) -> None:
        """Raise ConfigError, with the position, unless `text` is a tune that the grammar allows."""
        read(self, text.rstrip("\n") + "\n\n")

    def _following(self, state: State[P]) -> int:
        following = state.bar.following
        if state.due:
            bit = self._bars.alphabet.bits[state.due[0]]
            continues = not state.bar.ended or following & bit
            return bit if continues else self._following(self._plan.next_bar(state))
        if state.bar.ended:
            following |= self._following(self._plan.next_bar(state))
        return following
