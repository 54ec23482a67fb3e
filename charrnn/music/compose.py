"""New tunes from a model, sampled under the grammar: every tune parses and every bar adds up.

The model writes tunes as it read them (`checkpoint.reading`), usually on the tonic C. They are
transposed to the requested key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import CharRNNError, ConfigError, require, require_type
from charrnn.inference.constraint import Constraint
from charrnn.inference.sampling import MAX_SAMPLES, SamplingOptions, collected, draw
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import Sample, melody
from charrnn.music.repetition import Refrain
from charrnn.music.transpose import to_tonic
from charrnn.music.tune import Key, Meter, Tune, parse_meter
from charrnn.rng import BODIES, HEADERS, generator

MAX_CHARACTERS = 4000  # of a tune
CANDIDATES = 4  # per tune, with the same header: otherwise common meters would win
HEADER = 120  # characters; no title is longer
_AFTER_HEADER = re.compile(r"^(?![A-Z]:)", re.MULTILINE)
TRIES = 20  # batches before giving up on `max_copy`


def compose(
    checkpoint: Checkpoint,
    count: int = 1,
    *,
    meter: Meter | str | None = None,
    key: Key | str | None = None,
    bars: int | None = None,
    form: str = "",
    temperature: float = 0.9,
    seed: int = 0,
    prompt: str = "",
    constrained: bool = True,
    against: Sample | Sequence[Tune] | None = None,
    max_copy: int | None = None,
    **filters: float,
) -> list[Tune]:
    """Return `count` new tunes.

    `meter` and `key` may be texts such as "6/8" and "Dmaj". `meter`, `key`, `bars` and `form` are
    those of the grammar (`charrnn.music.grammar.tunes`); the model chooses what is not given.
    `prompt` is the beginning of each tune in ABC, header included.

    Under the grammar, bars of earlier phrases are favored (`charrnn.music.repetition`), and each
    tune is the best of CANDIDATES with the same header: the one that the grammar constrained
    least. Without the grammar (`constrained=False`), texts that do not parse are dropped, so there
    may be fewer tunes.

    With `max_copy`, no tune shares more consecutive notes with one of `against`, in any
    transposition. `temperature`, `seed` and `filters` are those of `charrnn.SamplingOptions`.

    Raises ConfigError for values out of range, for a model that was not trained on tunes, and for
    a prompt that the grammar rejects; CharRNNError if `max_copy` cannot be met; TypeError for
    arguments of another type.
    """
    options = SamplingOptions.of("compose", temperature, seed, filters)
    reading = reading_of_tunes(checkpoint)
    meter = parse_meter(meter) if isinstance(meter, str) else meter
    key = Key.parse(key) if isinstance(key, str) else key
    require_type(count, int, "count", "a whole number")
    most = MAX_SAMPLES // CANDIDATES
    require(1 <= count <= most, f"`count` must be 1 to {most:,}, got {count:,}")
    require(
        constrained or not (meter or key or bars or form),
        "`meter`, `key`, `bars` and `form` need the grammar; turn it on or omit them",
    )
    require(max_copy is None or max_copy >= 2, f"`max_copy` must be at least 2, got {max_copy}")
    require(
        max_copy is None or against is not None,
        "`max_copy` needs tunes to compare with; pass them as `against`",
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
        grammar = tune_grammar(
            alphabet, meter, read_in, bars, form, titles=titles, countdown=reading.countdown
        )
        constraint = Refrain(grammar)
    if against is not None and not isinstance(against, Sample):
        against = Sample(against)
    copies = against.copies if against and max_copy is not None else None
    tunes: list[Tune] = []
    candidates = CANDIDATES if constrained else 1
    for attempt in range(TRIES):
        starts = [start] * count
        if constraint and not start:
            starts = _headers(checkpoint, count, constraint, options, attempt)
        starts = [start for start in starts for _ in range(candidates)]
        costs = np.zeros(len(starts))
        rng = generator(seed, BODIES, attempt)
        drawn = draw(
            checkpoint,
            starts,
            MAX_CHARACTERS,
            options,
            rng,
            constraint=constraint,
            costs=costs,
        )
        texts = collected(len(starts), drawn)
        texts = [start + text for start, text in zip(starts, texts, strict=True)]
        for best_first in costs.reshape(count, candidates).argsort(axis=1, kind="stable"):
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
        f"only {len(tunes)} of {TRIES * count:,} tunes have at most {max_copy} consecutive notes "
        "in common with the corpus; raise `max_copy`"
    )


def _headers(
    checkpoint: Checkpoint,
    count: int,
    constraint: Constraint,
    options: SamplingOptions,
    attempt: int,
) -> list[str]:
    """Draw the headers of `count` tunes.

    Drawing continues until all are complete: a batch that shrinks may round differently.
    """
    texts, incomplete = [""] * count, set(range(count))
    rng = generator(options.seed, HEADERS, attempt)
    for index, text in draw(checkpoint, [""] * count, HEADER, options, rng, constraint=constraint):
        texts[index] += text
        after = _AFTER_HEADER.search(texts[index])
        if after and len(texts[index]) >= after.start() + 2:  # enough to tell notes from a field
            incomplete.discard(index)
            if not incomplete:
                break
    return [_AFTER_HEADER.split(text, maxsplit=1)[0] for text in texts]


def reading_of_tunes(checkpoint: Checkpoint) -> TuneReading:
    """Return how the model reads tunes; raises ConfigError for a model of something else."""
    require_checkpoint(checkpoint)
    if checkpoint.training.config.documents != "tunes":
        raise ConfigError("the model was not trained on tunes; train one on .abc or .mid files")
    reading = checkpoint.reading
    return reading if isinstance(reading, TuneReading) else TuneReading()


def _tune(text: str, tonic: Key | None) -> Tune | None:
    """Return the tune of a text, on the requested tonic; None if the text does not parse."""
    try:
        tune = read_abc(text).tunes[0]
    except CharRNNError:
        return None
    if tonic is None:
        return tune
    return replace(to_tonic(tune, tonic.pitch_class), key=Key(tonic.tonic, tune.key.mode))


def _begun(prompt: str) -> Tune:
    if "K:" not in prompt:
        raise ConfigError("the prompt has no key; begin it with lines such as M:6/8 and K:D")
    header = "" if prompt.startswith("X:") else "X:1\n"
    return read_abc(header + prompt + ("\n" if prompt.endswith(":") else "")).tunes[0]


def _opening(begun: Tune, prompt: str, reading: TuneReading) -> str:
    """Return the canonical text of the tune in the key in which the model reads it, without the
    final bar line that the prompt does not have.
    """
    text = reading.text(begun).rstrip("\n")
    if prompt.rstrip().endswith(("|", ":|", "]")):
        return text if text.endswith(":|") else text.removesuffix("|]") + "|"
    return text.removesuffix("|]").removesuffix(":|")
