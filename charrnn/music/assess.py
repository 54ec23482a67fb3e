"""`charrnn assess` as a Python call: measure tunes and compare them with a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from charrnn.music import metrics
from charrnn.music.dataset import training_and_held_out
from charrnn.music.facts import facts_of
from charrnn.music.formats import read_all
from charrnn.music.metrics import Sample, TuneAssessment, measure
from charrnn.music.tune import Tune

Tunes = str | Path | Sequence[str | Path] | Sequence[Tune]


def assess(tunes: Tunes, *, against: Tunes = (), each: bool = False) -> metrics.Assessment:
    """Measure `tunes`, given as files or as Tune objects, and compare them with `against`.

    The last tenth of `against`, which training holds out, is measured in the same way. With `each`,
    the result also has facts and figures of each tune. Raises CorpusError if there are no tunes or
    a file cannot be read.
    """
    training, held_out = training_and_held_out(tunes_of(against))
    measured = tunes_of(tunes)
    corpus = Sample(training) if training else None
    assessment = metrics.assess(measured, corpus, held_out or None)
    if not each:
        return assessment
    return replace(
        assessment,
        each=[
            TuneAssessment(tune.title, facts_of(tune, corpus), measure(Sample([tune], corpus)))
            for tune in measured
        ],
    )


def tunes_of(tunes: Tunes) -> list[Tune]:
    """Return the tunes, reading files in order."""
    if isinstance(tunes, (str, Path)):
        tunes = [tunes]
    if all(isinstance(tune, Tune) for tune in tunes):
        return list(tunes)  # type: ignore[arg-type]
    return list(read_all(tunes).tunes)  # type: ignore[arg-type]
