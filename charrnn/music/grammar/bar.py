"""One bar, character by character: rhythm and tone together."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.errors import ConfigError
from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.rhythm import Ends, Rhythm, RhythmState
from charrnn.music.grammar.tone import RANGE, Tone, ToneState
from charrnn.music.grammar.words import LINE, Alphabet, Pitch, Words
from charrnn.music.tune import Key


@dataclass(eq=False, slots=True)
class BarState:
    """What has been written of a bar."""

    rhythm: RhythmState
    tone: ToneState
    choices: tuple[Words, ...]  # the next word is one of these
    word: str  # the beginning of it that has been written
    after: BarState | None  # the state at the next word, if this one is complete and no bar line
    following: int  # the set of characters that may come next in this bar
    ended: bool  # whether the word is a complete bar line, so that another bar may begin

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
    >>> bars.alphabet.mask(state.following).tolist()  # 4 is too long, | too early
    [True, True, False, True, False]
    >>> bars.advance(state, "2").ended, bars.advance(bars.advance(state, "2"), "|").ended
    (False, True)
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
        return self._next_word(self.rhythm.begin(ends), self.tone.begin(key, held, first))

    @cached_method
    def advance(self, state: BarState, character: str) -> BarState | None:
        """Return the state after a character, None if the line was complete before it.

        Raises ConfigError if the character is not allowed.
        """
        longer = state.word + character
        for words in state.choices:
            if longer in words.following:
                return self._state(state.rhythm, state.tone, state.choices, longer)
        if state.after is not None:
            return self.advance(state.after, character)
        if state.ended:
            return None
        raise ConfigError(f"{character!r} cannot come after {state.word!r}")

    @cached_method
    def _next_word(self, rhythm: RhythmState, tone: ToneState) -> BarState:
        own, takes_pitches = self.rhythm.words(rhythm, tone.held is not None)
        choices = (own, self.tone.words(tone)) if takes_pitches else (own,)
        return self._state(rhythm, tone, choices, "")

    def _state(
        self, rhythm: RhythmState, tone: ToneState, choices: tuple[Words, ...], word: str
    ) -> BarState:
        after, following, ended = None, 0, False
        for words in choices:
            following |= words.following.get(word, 0)
            meaning = words.meanings.get(word)
            if meaning == LINE:
                ended = True
            elif meaning is not None:
                after = self._next_word(
                    self.rhythm.advance(rhythm, meaning), self.tone.advance(tone, meaning)
                )
                following |= after.following
        return BarState(rhythm, tone, choices, word, after, following, ended)
