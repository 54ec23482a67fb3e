"""What may be written next: a constraint on text, character by character.

A constraint is an automaton over an alphabet: a state says which characters may come next, and a
character leads from one state to another. States are values, so one constraint serves any number of
texts, each of which has a state of its own.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError

AROUND = 24  # characters of the text that an error shows


class Constraint(Protocol):
    """Which texts may be written with the characters of `alphabet`, a mask's order."""

    @property
    def alphabet(self) -> str:
        """The V characters that it was made for."""

    @property
    def start(self) -> Any:
        """The state before the first character, hashable as all states are."""

    def allowed(self, state: Any) -> NDArray[np.bool_]:
        """Return which characters may come next, (V,), as a value that nobody changes.

        There is always one: where a text may end, it is a terminator's or the next text's first.
        """

    def advance(self, state: Any, character: str) -> Any:
        """Return the state after a character that is allowed."""


@runtime_checkable
class Leaning(Constraint, Protocol):
    """A constraint that likes some of what it allows better."""

    def bias(self, state: Any) -> NDArray[np.float64]:
        """Return what is added to the logits, once they are divided by the temperature: (V,), as a
        value that nobody changes.
        """


def read(constraint: Constraint, text: str) -> Any:
    """Return the state after `text`; raises ConfigError that says where, if that is not allowed."""
    state = constraint.start
    for index, character in enumerate(text):
        mask = constraint.allowed(state)
        id = constraint.alphabet.find(character)
        if id < 0 or not mask[id]:
            allowed = "".join(np.array(list(constraint.alphabet))[mask].tolist())
            before = text[max(0, index - AROUND) : index]
            raise ConfigError(
                f"character {index + 1:,} cannot be {character!r} after {before!r}: "
                f"there may stand one of {allowed!r}"
            )
        state = constraint.advance(state, character)
    return state
