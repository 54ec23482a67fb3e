"""Tunes as a text to learn from: one after another in canonical ABC, none of them twice.

What comes twice, be it in another key, would be in training and in validation; and a tune whose
bars don't add up would teach that they needn't. The order is drawn, since files are sorted by kind
more often than not, and the end of the text is held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from charrnn.music.abc import canonical
from charrnn.music.tune import Tune
from charrnn.randomness import TUNES, generator

SEMITONES = range(-6, 6)  # the shortest ways to the twelve keys


@dataclass(frozen=True)
class Collection:
    """Tunes that are worth learning, in a drawn order, and what a person should be told."""

    tunes: tuple[Tune, ...]
    notices: tuple[str, ...]


def collect(tunes: Sequence[Tune], keep_irregular: bool = False) -> Collection:
    """Leave out tunes that repeat another one, in whichever key, and, unless `keep_irregular`,
    those whose bars don't add up; draw the order of the rest.
    """
    kept: dict[object, Tune] = {}
    irregular = 0
    for tune in tunes:
        if not keep_irregular and tune.irregular_bars():
            irregular += 1
        else:
            kept.setdefault(tune.fingerprint(), tune)
    notices = []
    if twice := len(tunes) - irregular - len(kept):
        notices.append(f"{twice:,} tunes that were there already, in this key or another, left out")
    if irregular:
        notices.append(f"{irregular:,} tunes whose bars don't add up left out")
    some = list(kept.values())
    order = generator(0, TUNES).permutation(len(some))
    return Collection(tuple(some[index] for index in order), tuple(notices))


def to_tonic(tune: Tune, pitch_class: int = 0) -> Tune:
    """Return the tune in the key of that pitch class, the mode kept, by the shortest way.

    >>> from charrnn.music.tune import Key
    >>> str(to_tonic(Tune((), Key("E", "dor"))).key)
    'Cdor'
    """
    up = (pitch_class - tune.key.pitch_class) % 12
    return tune.transposed(up if up in SEMITONES else up - 12)


def text_of(tunes: Iterable[Tune]) -> str:
    """Return the tunes as one canonical text."""
    return "".join(canonical(tune) for tune in tunes)
