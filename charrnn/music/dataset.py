"""Tunes as a training text: one after another in canonical ABC, without duplicates.

A duplicate, even in another key, could be both in training and in validation. Tunes whose bars do
not add up are repaired or skipped, since a model would learn to write such bars. The order is
random: many collections are sorted by kind, and the end of the text is held out. TuneReading has
the options.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.errors import ConfigError, CorpusError, counted
from charrnn.music.abc_writer import canonical
from charrnn.music.countdown import countdown, unmarked
from charrnn.music.formats import Found, listed, read_tunes, together, without_repeated
from charrnn.music.ranges import range_of
from charrnn.music.repair import repaired
from charrnn.music.structure import closes
from charrnn.music.transpose import SEMITONES, in_all_keys, to_tonic
from charrnn.music.tune import Key, Tune
from charrnn.progress import watched
from charrnn.rng import TUNES, generator
from charrnn.settings import check_fields, setting
from charrnn.text.documents import Contents, File, Reading

# The key in which a tune is read. "all" respells it, so that each of the twelve keys has one name.
TRANSPOSE: dict[str, Callable[[Tune], Tune]] = {
    "tonic": to_tonic,
    "all": lambda tune: tune.transposed(0),
    "none": lambda tune: tune,
}
KEYS_READ = {  # for the notice that counts the tunes
    "tonic": "transposed to C",
    "all": "each in all twelve keys",
    "none": "in the keys as written",
}

ON_TONIC = 0.76  # share of Irish tunes that end on the tonic


@dataclass(frozen=True)
class TuneReading(Reading):
    """How tunes become a text. A model file stores it, because everything that the model reads or
    writes is in the same form. Raises ConfigError for unknown values.

    >>> TuneReading("none").placed(to_tonic(Tune(()), 2)).key
    Key(tonic='D', mode='maj')
    """

    documents = "tunes"

    transpose: str = setting(
        "tonic",
        "Transpose all tunes to C, keeping their modes (tonic); train on each tune in all twelve "
        "keys (all); or keep the keys as written (none).",
        TRANSPOSE,
    )
    keep_titles: bool = setting(False, "Train on the titles of tunes too.")
    keep_irregular: bool = setting(False, "Keep tunes whose bars do not add up.")
    bar_marks: str = setting(
        "countdown",
        "Mark each bar in the training text with the number of bars left in its section "
        "(countdown), so that the model learns where sections end, or add no marks (none).",
        ("countdown", "none"),
        before="none",
    )
    as_written: bool = setting(False, "Do not repair tunes whose bars do not add up.", before=True)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def copies(self) -> int:
        """The number of keys in which training reads each tune."""
        return len(SEMITONES) if self.transpose == "all" else 1

    @property
    def relative_loss(self) -> float:
        """The expected loss of a network, which learns the marks of bars; trigrams don't."""
        return 0.93 if self.bar_marks == "none" else 0.76

    def placed(self, tune: Tune) -> Tune:
        """Return the tune in the key in which the model reads it."""
        return TRANSPOSE[self.transpose](tune)

    @property
    def countdown(self) -> bool:
        """Whether bars are marked with the number of bars left in their section."""
        return self.bar_marks == "countdown"

    def text(self, tune: Tune) -> str:
        """Return the tune as canonical text, with titles and marks as trained on."""
        marks = countdown(tune) if self.countdown else ()
        return canonical(self.placed(tune), self.keep_titles, marks)

    def read(
        self,
        files: Sequence[File],
        encoding: str,  # noqa: ARG002 (each file's bytes show its encoding)
        add: Callable[[Iterable[str]], int],
    ) -> Contents:
        """Add the tunes of all files as one text."""
        wanted, repeated = without_repeated(files)
        parts = [Found(unread=repeated)]
        for path, _ in watched(wanted, "reading tunes"):
            try:
                parts.append(read_tunes(path))
            except CorpusError as error:
                parts.append(Found(unread=(str(error),)))
        found = together(parts)
        collection = collect(
            found.tunes, keep_irregular=self.keep_irregular, as_written=self.as_written
        )
        notices = found.notices()
        if not collection.tunes:
            raise CorpusError(
                "the corpus has no usable tunes: " + "; ".join([*notices, *collection.notices])
            )
        notices.append(f"{counted(len(collection.tunes), 'tune')}, {KEYS_READ[self.transpose]}")
        add(map(self.text, watched(collection.tunes, "transposing tunes")))
        facts = TuneFacts.of(collection.tunes).document()
        return Contents(found.names, [*notices, *collection.notices], facts)

    def augmented(self, documents: Iterable[str]) -> Iterable[str]:
        """Return the documents, in all twelve keys with `transpose="all"`; raises CorpusError for
        a document that is not a tune.
        """
        return in_all_keys(documents) if self.transpose == "all" else documents

    def preview(self, text: str) -> str:
        """Return the beginning of a tune in ABC, without marks, up to a bar line if it has one."""
        whole_bars = re.match(r"(?s).*\|[]:|]?", text)
        return unmarked(whole_bars[0] if whole_bars else text)


@dataclass(frozen=True)
class TuneFacts:
    """What a model file says of the tunes that a model was trained on, as they were before they
    were transposed: how many are in each key, the range that covers them, and the share that ends
    on the tonic, which older files lack.
    """

    keys: Mapping[Key, int]
    pitches: range
    on_tonic: float = ON_TONIC

    @classmethod
    def of(cls, tunes: Sequence[Tune]) -> TuneFacts:
        """Return the facts about some tunes."""
        keys, pitches = Counter(tune.key for tune in tunes), range_of(tunes) or range(128)
        finals = [found[-1].degree for tune in tunes if (found := closes(tune))]
        return cls(keys, pitches, round(finals.count(0) / len(finals), 4) if finals else ON_TONIC)

    def document(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        keys = sorted((str(key), count) for key, count in self.keys.items())
        ends = [self.pitches.start, self.pitches.stop]
        return {"keys": dict(keys), "range": ends, "on_tonic": self.on_tonic}

    @classmethod
    def parsed(cls, document: Mapping[str, Any]) -> TuneFacts | None:
        """Return the facts in a document; None if it has none. Raises ConfigError for others."""
        if not document:
            return None
        match document:
            case {"keys": dict(keys), "range": [int(low), int(high)]} if 0 <= low < high <= 128:
                counts = [count for count in keys.values() if isinstance(count, int) and count > 0]
                share = document.get("on_tonic", ON_TONIC)
                if len(counts) == len(keys) and isinstance(share, int | float) and 0 <= share <= 1:
                    counted_keys = {Key.parse(name): keys[name] for name in keys}
                    return cls(counted_keys, range(low, high), share)
        raise ConfigError("the model's facts about its tunes are damaged")


@dataclass(frozen=True)
class Collection:
    """Tunes to learn from, in random order, and notices for the user."""

    tunes: tuple[Tune, ...]
    notices: tuple[str, ...]


def collect(
    tunes: Sequence[Tune], *, keep_irregular: bool = False, as_written: bool = False
) -> Collection:
    """Return the tunes in random order, without duplicates in any key (the first one stays) and,
    unless `keep_irregular`, without those whose bars do not add up. Unless `as_written`, tunes
    are repaired where possible.
    """
    notices = []
    if not as_written:
        repairs = [repaired(tune) for tune in watched(tunes, "repairing tunes")]
        tunes = [tune for tune, _ in repairs]
        if changed := sum(bool(kinds) for _, kinds in repairs):
            kinds = sum((kinds for _, kinds in repairs), Counter[str]())
            notices.append(f"repaired {counted(changed, 'tune')}: {listed(kinds)}")
    regular = [tune for tune in tunes if not tune.irregular_bars()]
    wanted = tunes if keep_irregular else regular
    kept: dict[object, Tune] = {}
    for tune in watched(wanted, "comparing tunes"):
        kept.setdefault(tune.fingerprint(), tune)
    if twice := len(wanted) - len(kept):
        notices.append(f"skipped {counted(twice, 'duplicate tune')} (transpositions included)")
    if irregular := len(tunes) - len(regular):
        fate = "kept" if keep_irregular else "skipped"
        notices.append(f"{fate} {counted(irregular, 'tune')} whose bars do not add up")
    some = list(kept.values())
    order = generator(0, TUNES).permutation(len(some))
    return Collection(tuple(some[index] for index in order), tuple(notices))


def training_and_held_out(tunes: Sequence[Tune]) -> tuple[tuple[Tune, ...], tuple[Tune, ...]]:
    """Return tunes as training divides them: without duplicates, in random order, the last tenth
    held out. Irregular tunes are kept.
    """
    kept = collect(tunes, keep_irregular=True, as_written=True).tunes
    last = len(kept) - len(kept) // 10
    return kept[:last], kept[last:]
