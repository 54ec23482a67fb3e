"""Which pitches may come next: spelled for the key, with the accidentals that they need, and tied
notes continued on the same pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.words import REST, Alphabet, Length, Meaning, Pitch, Words
from charrnn.music.tune import Key

RANGE = range(48, 97)  # MIDI numbers: from C, to c''
ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


@dataclass(eq=False, slots=True)
class ToneState:
    """What decides how the next pitch is written."""

    key: Key
    altered: frozenset[tuple[str, int]]  # (name, semitones) that differ from the key
    held: Pitch | None  # the last note, while it is tied or its length may still tie it
    first: bool  # whether a tune begins here: with a note, so that not all of it is rests


def spelled(key: Key, pitch: int) -> Pitch:
    """Return how a key writes a MIDI number.

    >>> spelled(Key("F"), 70), spelled(Key("C"), 48)
    (Pitch(semitones=-1, name='B'), Pitch(semitones=0, name='C,'))
    """
    letter, semitones, octave = key.spelling(pitch)
    high = letter.lower() + "'" * (octave - 1)
    return Pitch(semitones, high if octave > 0 else letter + "," * -octave)


@cache
def signature(key: Key) -> dict[str, int]:
    """Return what the signature does to each letter, in semitones."""
    return key.signature()


class Tone:
    """The machine of pitches and ties.

    >>> tone = Tone(Alphabet("ABc^-"), range(69, 74))
    >>> state = tone.begin(Key("C"))
    >>> list(tone.words(state).meanings)
    ['A', 'B', 'c', '^c']
    >>> after = tone.advance(tone.advance(state, Pitch(1, "c")), Length(4, tied=True))
    >>> list(tone.words(after).meanings)
    ['c']
    """

    def __init__(self, alphabet: Alphabet, pitches: range = RANGE) -> None:
        self._alphabet = alphabet
        self._range = pitches
        self._state = cache(ToneState)

    def begin(self, key: Key, held: Pitch | None = None, first: bool = False) -> ToneState:
        """Return the state at the beginning of a bar; `held` is a note tied over its bar line."""
        return self._state(key, frozenset(), held, first)

    @cached_method
    def words(self, state: ToneState) -> Words:
        """Return the words for the pitches that may come next, and for a rest."""
        in_signature, in_bar = signature(state.key), dict(state.altered)
        words: dict[str, Meaning] = {}
        for pitch in [state.held] if state.held else self._spelled(state.key):
            semitones, name = pitch
            in_force = in_bar.get(name, in_signature[name[0].upper()])
            words[name if semitones == in_force else ACCIDENTALS[semitones] + name] = pitch
        if not state.held and not state.first:
            words["z"] = REST
        return Words(words, self._alphabet)

    @cached_method
    def advance(self, state: ToneState, meaning: Meaning) -> ToneState:
        """Return the state after a word."""
        match meaning:
            case Length(_, tied=False):
                return self._state(state.key, state.altered, None, False)
            case Pitch(semitones, name):
                altered = dict(state.altered) | {name: semitones}
                if signature(state.key)[name[0].upper()] == semitones:
                    del altered[name]
                return self._state(state.key, frozenset(altered.items()), meaning, False)
        return state

    def can_begin(self, key: Key) -> bool:
        """Return whether the alphabet can write a note for a tune in this key to begin with."""
        return bool(self.words(self.begin(key, first=True)).meanings)

    @cached_method
    def _spelled(self, key: Key) -> list[Pitch]:
        return [spelled(key, pitch) for pitch in self._range]
