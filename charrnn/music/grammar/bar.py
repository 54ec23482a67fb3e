"""One bar, character by character: rhythm and tone together."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.errors import ConfigError
from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.rhythm import Ends, Rhythm, RhythmState
from charrnn.music.grammar.tone import RANGE, Tone, ToneState
from charrnn.music.grammar.words import LINE, Alphabet, Meaning, Pitch, Words
from charrnn.music.tune import Key


@dataclass(eq=False, slots=True)
class BarState:
    """What has been written of a bar."""

    rhythm: RhythmState
    tone: ToneState
    choices: tuple[Words, ...]  # the next word is one of these
    word: str = ""  # the beginning of it that has been written

    @property
    def ticks(self) -> int:
        """How much of the bar is filled."""
        return self.rhythm.done


class BarGrammar:
    """Which characters may come next in a bar.

    A character that continues the current word does so; any other completes that word and begins
    the next one. The word that is a bar line ends the bar.

    >>> bars = BarGrammar(Alphabet("c24z|"))
    >>> state = bars.begin((("|", 1 << 16),), Key("C"))
    >>> for character in "c2c":
    ...     state = bars.advance(state, character)
    >>> bits, ended = bars.following(state)
    >>> bars.alphabet.mask(bits).tolist(), ended  # c2cc and c2cz would leave a gap of one unit
    ([True, True, False, True, False], False)
    """

    def __init__(self, alphabet: Alphabet, pitches: range = RANGE) -> None:
        self.alphabet = alphabet
        self.rhythm = Rhythm(alphabet)
        self.tone = Tone(alphabet, pitches)

    def begin(
        self, ends: Ends, key: Key, held: Pitch | None = None, first: bool = False
    ) -> BarState:
        """Return the state before a bar that may end as `ends` says.

        `held` is a note tied to the first of this bar; `first` says that a tune begins here.
        """
        return self._state(self.rhythm.begin(ends), self.tone.begin(key, held, first))

    @cached_method
    def following(self, state: BarState) -> tuple[int, bool]:
        """Return the set of characters that may come next in this bar, and whether its line is
        complete, so that another bar may begin.
        """
        bits = 0
        for words in state.choices:
            bits |= words.following.get(state.word, 0)
        meaning = _meaning(state)
        if meaning is None or meaning == LINE:
            return bits, meaning is not None
        after, _ = self.following(self._next_word(state, meaning))
        return bits | after, False

    @cached_method
    def advance(self, state: BarState, character: str) -> BarState | None:
        """Return the state after a character, None if the line was complete before it.

        Raises ConfigError if the character is not allowed.
        """
        longer = state.word + character
        for words in state.choices:
            if longer in words.following:
                return BarState(state.rhythm, state.tone, state.choices, longer)
        meaning = _meaning(state)
        if meaning is None:
            raise ConfigError(f"{character!r} cannot come after {state.word!r}")
        return None if meaning == LINE else self.advance(self._next_word(state, meaning), character)

    def _next_word(self, state: BarState, meaning: Meaning) -> BarState:
        return self._state(
            self.rhythm.advance(state.rhythm, meaning), self.tone.advance(state.tone, meaning)
        )

    @cached_method
    def _state(self, rhythm: RhythmState, tone: ToneState) -> BarState:
        own, takes_pitches = self.rhythm.words(rhythm, tone.held is not None)
        return BarState(rhythm, tone, (own, self.tone.words(tone)) if takes_pitches else (own,))


def _meaning(state: BarState) -> Meaning | None:
    """Return the meaning of the current word, None if it is incomplete."""
    for words in state.choices:
        if state.word in words.meanings:
            return words.meanings[state.word]
    return None
