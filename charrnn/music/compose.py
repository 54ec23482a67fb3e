"""Tunes from a model of tunes: sampled under the grammar, so that each parses and its bars add up.

It is asked for tunes as it has read them (`checkpoint.reading`): on the tonic C, as a rule, or in
the key that is wanted. What it writes on C is put into that key.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.errors import CharRNNError, ConfigError, require
from charrnn.inference.constraint import Constraint
from charrnn.inference.sampling import generate, stream
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import Sample, melody
from charrnn.music.repetition import Refrain
from charrnn.music.transpose import to_tonic
from charrnn.music.tune import Key, Meter, Tune

MAX_CHARACTERS = 4000  # of a tune
CANDIDATES = 4  # for each tune under the grammar; of one header, else common metres would win
HEADER = 120  # characters; no title is longer
_AFTER_HEADER = re.compile(r"^(?![A-Z]:)", re.MULTILINE)
TRIES = 20  # batches, before a limit on copies is given up


def compose(
    checkpoint: Checkpoint,
    count: int = 1,
    meter: Meter | None = None,
    key: Key | None = None,
    bars: int | None = None,
    form: str = "",
    temperature: float = 0.9,
    seed: int = 0,
    prompt: str = "",
    constrained: bool = True,
    against: Sample | None = None,
    max_copy: int | None = None,
    **filters: float,
) -> list[Tune]:
    """Return `count` new tunes.

    `meter`, `key`, `bars` and `form` are those of the grammar (`charrnn.music.grammar.tunes`);
    what is left out, the model decides. `prompt` is ABC that each tune begins with, its header
    included. Under the grammar, bars that were there before are liked (`charrnn.music.repetition`),
    and each tune is the best of CANDIDATES with one header: that in which the model had to forgo
    least of what it would have written. With `max_copy`, no tune has more notes in a row that stand
    so in one `against`, however transposed. Without the grammar (`constrained=False`), what cannot
    be read as a tune is left out, so that there may be fewer.

    Raises ConfigError for what cannot be, for a model of something else than tunes, and for a
    prompt that the grammar refuses; CharRNNError if `max_copy` cannot be kept.
    """
    reading = reading_of_tunes(checkpoint)
    require(count >= 1, f"the number of tunes is {count}: it must be at least 1")
    require(
        constrained or not (meter or key or bars or form),
        "metre, key, bars and form are what the grammar sees to: leave them out, or keep it",
    )
    require(
        max_copy is None or (max_copy >= 2 and against is not None),
        f"max_copy is {max_copy}: it must be at least 2, and there must be tunes to compare with",
    )
    start, tonic = "", key
    if prompt:
        begun = _begun(prompt)
        tonic = key or begun.key
        start = _opening(begun, prompt, reading)
    constraint: Constraint | None = None
    if constrained:
        read_in = reading.placed(Tune((), key)).key if key else None
        alphabet, titles = checkpoint.tokenizer.alphabet, reading.keep_titles
        constraint = Refrain(tune_grammar(alphabet, meter, read_in, bars, form, titles=titles))
    copies = against.copies if against and max_copy is not None else None
    tunes: list[Tune] = []
    candidates = CANDIDATES if constrained else 1
    for attempt in range(TRIES):
        options = filters | {"temperature": temperature, "seed": seed + attempt}
        starts = [start] * count
        if constraint and not start:
            starts = _headers(checkpoint, count, constraint, options)
        starts = [start for start in starts for _ in range(candidates)]
        forgone = np.zeros(len(starts))
        texts = generate(
            checkpoint,
            starts,
            MAX_CHARACTERS,
            len(starts),
            constraint=constraint,
            forgone=forgone,
            **options,
        )
        texts = [start + text for start, text in zip(starts, texts, strict=True)]
        for best_first in forgone.reshape(count, candidates).argsort(axis=1, kind="stable"):
            own, texts = texts[:candidates], texts[candidates:]
            for index in best_first.tolist():
                tune = _tune(own[index], tonic)
                match = copies.longest(melody(tune)) if copies and tune else None
                if tune and (match is None or max_copy is None or match.notes <= max_copy):
                    tunes.append(tune)
                    break
        if len(tunes) >= count or copies is None:
            return tunes[:count]
    raise CharRNNError(
        f"of {TRIES * count} tunes only {len(tunes)} have no more than {max_copy} notes in a row "
        "from the tunes given: allow more with --max-copy"
    )


def _headers(
    checkpoint: Checkpoint, count: int, constraint: Constraint, options: dict[str, Any]
) -> list[str]:
    """Draw the headers of so many tunes.

    All are drawn until the last one is complete: a batch that shrinks may round differently.
    """
    texts, incomplete = [""] * count, set(range(count))
    for index, text in stream(checkpoint, "", HEADER, count, constraint=constraint, **options):
        texts[index] += text
        after = _AFTER_HEADER.search(texts[index])
        if after and len(texts[index]) >= after.start() + 2:  # enough to tell notes from a field
            incomplete.discard(index)
            if not incomplete:
                break
    return [_AFTER_HEADER.split(text, maxsplit=1)[0] for text in texts]


def reading_of_tunes(checkpoint: Checkpoint) -> TuneReading:
    """Return how the model reads tunes; raises ConfigError for a model of something else."""
    if checkpoint.training.config.documents != "tunes":
        raise ConfigError("this model was not trained on tunes: train one on .abc or .mid files")
    reading = checkpoint.reading
    return reading if isinstance(reading, TuneReading) else TuneReading()


def _tune(text: str, tonic: Key | None) -> Tune | None:
    """Return the tune that a model wrote, in the key that is wanted; None if it is none."""
    try:
        tune = read_abc(text).tunes[0]
    except CharRNNError:
        return None
    if tonic is None:
        return tune
    return replace(to_tonic(tune, tonic.pitch_class), key=Key(tonic.tonic, tune.key.mode))


def _begun(prompt: str) -> Tune:
    if "K:" not in prompt:
        raise ConfigError("the prompt has no key: begin it with lines such as M:6/8 and K:D")
    header = "" if prompt.startswith("X:") else "X:1\n"
    return read_abc(header + prompt + ("\n" if prompt.endswith(":") else "")).tunes[0]


def _opening(begun: Tune, prompt: str, reading: TuneReading) -> str:
    """Return the beginning of the tune, as it is read, up to where the prompt ends."""
    text = reading.text(begun).rstrip("\n")
    if prompt.rstrip().endswith(("|", ":|", "]")):
        return text if text.endswith(":|") else text.removesuffix("|]") + "|"
    return text.removesuffix("|]").removesuffix(":|")
