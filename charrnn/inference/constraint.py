"""Constraints on generated text, character by character.

A constraint is an automaton over an alphabet: a state determines which characters may come next,
and each character leads to another state. States are values, so one constraint serves any number of
texts, each with its own state.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError

CONTEXT = 24  # characters of the text shown in an error


class Constraint(Protocol):
    """Which texts are allowed; masks follow the order of `alphabet`."""

    @property
    def alphabet(self) -> str:
        """The V characters of the model."""

    @property
    def start(self) -> Any:
        """The state before the first character; all states are hashable."""

    def allowed(self, state: Any) -> NDArray[np.bool_]:
        """Return which characters may come next, (V,); the caller must not change the array.

        At least one is allowed: at the end of a text, that is a character of the terminator or the
        first of the next text.
        """

    def advance(self, state: Any, character: str) -> Any:
        """Return the state after an allowed character."""


@runtime_checkable
class Biased(Constraint, Protocol):
    """A constraint that prefers some of the characters that it allows."""

    def bias(self, state: Any) -> NDArray[np.float64]:
        """Return the values (V,) to add to the logits after their division by the temperature; the
        caller must not change the array.
        """


def read(constraint: Constraint, text: str) -> Any:
    """Return the state after `text`; raises ConfigError with the position of the first character
    that isn't allowed.
    """
    state = constraint.start
    for index, character in enumerate(text):
        mask = constraint.allowed(state)
        id = constraint.alphabet.find(character)
        if id < 0 or not mask[id]:
            allowed = "".join(np.array(list(constraint.alphabet))[mask].tolist())
            before = text[max(0, index - CONTEXT) : index]
            raise ConfigError(
                f"character {index + 1:,} of the prompt cannot be {character!r} after {before!r}; "
                f"the requirements allow {allowed!r}"
            )
        state = constraint.advance(state, character)
    return state
