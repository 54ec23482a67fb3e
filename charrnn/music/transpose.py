"""Transposition: of a tune to a tonic, and of the text of tunes to all twelve keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from charrnn.errors import CorpusError
from charrnn.music.abc_fields import SIGNS
from charrnn.music.abc_writer import pitch_text
from charrnn.music.tune import LETTERS, Key, Tune

SEMITONES = range(-6, 6)  # the shortest transpositions to the twelve keys
_TUNE = re.compile(r"((?:T:.*\n)?M:.*\n)K:(.+)\n(.+\n\n)")  # canonical text
_NOTE = re.compile(r"([\^=_]*)([A-Ga-g])([,']*)")


def to_tonic(tune: Tune, pitch_class: int = 0) -> Tune:
    """Return the tune on the tonic of this pitch class, with its mode, moved as little as possible.

    >>> str(to_tonic(Tune((), Key("E", "dor"))).key)
    'Cdor'
    """
    return tune.transposed(semitones_to(tune.key, pitch_class))


def semitones_to(key: Key, pitch_class: int) -> int:
    """Return the shortest way from a key's tonic to one of this pitch class."""
    up = (pitch_class - key.pitch_class) % 12
    return up if up in SEMITONES else up - 12


def in_all_keys(texts: Iterable[str]) -> Iterator[str]:
    """Yield tunes, given as canonical texts, in each of the twelve keys: all of them unchanged,
    then all of them in another key, and so on. Raises CorpusError for a text that is not a tune.
    """
    texts = list(texts)
    for semitones in sorted(SEMITONES, key=abs):
        yield from (transposed_text(text, semitones) for text in texts)


def transposed_text(text: str, semitones: int) -> str:
    """Return the canonical text of the transposed tune, given the canonical text of the tune.

    Replacing only keys and pitches is several times as fast as parsing and writing the tune.
    Raises CorpusError for a text that is not a tune.

    >>> transposed_text("M:2/4\\nK:Cmaj\\nCDE^F|G4|]\\n\\n", 2)
    'M:2/4\\nK:Dmaj\\nDEF^G|A4|]\\n\\n'
    """
    found = _TUNE.fullmatch(text)
    if found is None:
        raise CorpusError(
            f"`transpose=all` needs whole tunes, got {text[:40]!r}; omit `documents` or `transpose`"
        )
    head, key, body = found.groups()
    changes = re.split(r"\[K:(.*?)\]", body)
    old_keys = [Key.parse(name) for name in (key, *changes[1::2])]
    keys = [old.transposed(semitones) for old in old_keys]
    parts = [head]
    for index, (old, new, music) in enumerate(zip(old_keys, keys, changes[::2], strict=True)):
        if index == 0:
            parts.append(f"K:{new}\n")
        elif new != keys[index - 1]:
            parts.append(f"[K:{new}]")
        parts += [_respelled(bar, old, new, semitones) for bar in re.split(r"(\||::)", music)]
    return "".join(parts)


def _respelled(bar: str, key: Key, new: Key, semitones: int) -> str:
    """Return a bar's canonical text, transposed from one key to another."""
    signature, new_signature = key.signature(), new.signature()
    altered: dict[str, int] = {}  # the accidentals read so far, by letter and octave
    heard: dict[str, int] = {}  # the accidentals written so far

    def note(found: re.Match[str]) -> str:
        sign, letter, marks = found.groups()
        height = letter.islower() + marks.count("'") - marks.count(",")
        place = f"{letter.upper()}{height}"
        if sign:
            altered[place] = SIGNS[sign]
        alteration = altered.get(place, signature[letter.upper()])
        pitch = 60 + 12 * height + LETTERS[letter.upper()] + alteration + semitones
        return pitch_text(pitch, new, new_signature, heard, False)

    return _NOTE.sub(note, bar)
