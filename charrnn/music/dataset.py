"""Tunes as a text to learn from: one after another in canonical ABC, none of them twice.

What comes twice, be it in another key, would be in training and in validation; and a tune whose
bars don't add up would teach that they needn't. The order is drawn, since files are sorted by kind
more often than not, and the end of the text is held out. What a person may choose is TuneReading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from charrnn.errors import CorpusError, counted
from charrnn.music.abc_writer import canonical
from charrnn.music.formats import Found, read_tunes, together
from charrnn.music.transpose import SEMITONES, in_all_keys, to_tonic
from charrnn.music.tune import Tune
from charrnn.rng import TUNES, generator
from charrnn.settings import check_fields, setting
from charrnn.text.documents import File, Reading

# In which key a tune is read: "all" has one name for each of the twelve, as its copies have.
TRANSPOSE: dict[str, Callable[[Tune], Tune]] = {
    "tonic": to_tonic,
    "all": lambda tune: tune.transposed(0),
    "none": lambda tune: tune,
}
KEYS_READ = {  # for the notice that counts them
    "tonic": "all of them put on the tonic C",
    "all": "those to train on in all twelve keys",
    "none": "in their own keys",
}


@dataclass(frozen=True)
class TuneReading(Reading):
    """How tunes become a text. A model's is stored with it, since whatever the model is to read, or
    has written, is of that kind. Raises ConfigError for values that there are not.

    >>> TuneReading("none").placed(to_tonic(Tune(()), 2)).key
    Key(tonic='D', mode='maj')
    """

    documents = "tunes"

    transpose: str = setting(
        "tonic",
        "Transpose tunes to the tonic C (tonic), train on each in all twelve keys (all), or keep "
        "them as written (none).",
        TRANSPOSE,
    )
    keep_titles: bool = setting(False, "Keep the titles of tunes, to learn titles too.")
    keep_irregular: bool = setting(False, "Keep tunes with bars that don't add up.")

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def copies(self) -> int:
        """How many keys a tune has in training."""
        return len(SEMITONES) if self.transpose == "all" else 1

    def placed(self, tune: Tune) -> Tune:
        """Return the tune in the key in which it is read."""
        return TRANSPOSE[self.transpose](tune)

    def text(self, tune: Tune) -> str:
        """Return the tune as canonical text."""
        return canonical(self.placed(tune), self.keep_titles)

    def read(
        self,
        files: Sequence[File],
        encoding: str,  # noqa: ARG002 (that of each file shows in its bytes)
        add: Callable[[Iterable[str]], int],
    ) -> tuple[list[str], list[str]]:
        """Add the tunes of all files as one text."""
        parts = []
        for path, _ in files:
            try:
                parts.append(read_tunes(path))
            except CorpusError as error:
                parts.append(Found(unread=(str(error),)))
        found = together(parts)
        collection, notices = collect(found.tunes, self.keep_irregular), found.notices()
        if not collection.tunes:
            raise CorpusError(
                "there is no tune to learn from: " + "; ".join([*notices, *collection.notices])
            )
        notices.append(f"{counted(len(collection.tunes), 'tune')}, {KEYS_READ[self.transpose]}")
        add(map(self.text, collection.tunes))
        return list(found.names), [*notices, *collection.notices]

    def augmented(self, documents: Iterable[str]) -> Iterable[str]:
        """Return tunes in all twelve keys, if that is how they are read; raises CorpusError for a
        document that is no tune.
        """
        return in_all_keys(documents) if self.transpose == "all" else documents


@dataclass(frozen=True)
class Collection:
    """Tunes that are worth learning, in a drawn order, and what a person should be told."""

    tunes: tuple[Tune, ...]
    notices: tuple[str, ...]


def collect(tunes: Sequence[Tune], keep_irregular: bool = False) -> Collection:
    """Leave out tunes that repeat another one, in whichever key, and, unless `keep_irregular`,
    those whose bars don't add up; draw the order of the rest. The first of those alike stays.
    """
    regular = [tune for tune in tunes if not tune.irregular_bars()]
    wanted = tunes if keep_irregular else regular
    kept: dict[object, Tune] = {}
    for tune in wanted:
        kept.setdefault(tune.fingerprint(), tune)
    notices = []
    if twice := len(wanted) - len(kept):
        notices.append(f"{counted(twice, 'tune')} left out: there already, in this key or another")
    if irregular := len(tunes) - len(regular):
        fate = "kept" if keep_irregular else "left out"
        notices.append(f"{counted(irregular, 'tune')} {fate}: bars that don't add up")
    some = list(kept.values())
    order = generator(0, TUNES).permutation(len(some))
    return Collection(tuple(some[index] for index in order), tuple(notices))


def training_and_held_out(tunes: Sequence[Tune]) -> tuple[tuple[Tune, ...], tuple[Tune, ...]]:
    """Return tunes as training divides them: no duplicates, the drawn order, the last tenth held
    out. Irregular tunes are kept.
    """
    kept = collect(tunes, keep_irregular=True).tunes
    last = len(kept) - len(kept) // 10
    return kept[:last], kept[last:]
