"""Tunes from a model of tunes: sampled under the grammar, so that each parses and its bars add up.

It is asked for tunes as it has read them (`checkpoint.reading`): on the tonic C, as a rule, or in
the key that is wanted. What it writes on C is put into that key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import CharRNNError, ConfigError, require, require_type
from charrnn.inference.constraint import Constraint
from charrnn.inference.sampling import SamplingOptions, collected, draw
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import Sample, melody
from charrnn.music.repetition import Refrain
from charrnn.music.transpose import to_tonic
from charrnn.music.tune import Key, Meter, Tune, parse_meter
from charrnn.rng import BODIES, HEADERS, generator

MAX_CHARACTERS = 4000  # of a tune
CANDIDATES = 4  # for each tune under the grammar; of one header, else common metres would win
HEADER = 120  # characters; no title is longer
_AFTER_HEADER = re.compile(r"^(?![A-Z]:)", re.MULTILINE)
TRIES = 20  # batches, before a limit on copies is given up


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

    `meter`, `key`, `bars` and `form` are those of the grammar (`charrnn.music.grammar.tunes`); what
    isn't stated, the model decides. Metre and key may be texts such as "6/8" and "Dmaj". `prompt`
    is ABC that each tune begins with, its header included. Under the grammar, bars that were there
    before are preferred (`charrnn.music.repetition`), and each tune is the best of CANDIDATES with
    one header: the one that the grammar constrained least. With `max_copy`, no tune has more notes
    in a row that stand so in one `against`, however transposed. Without the grammar
    (`constrained=False`), what cannot be read as a tune is dropped, so there may be fewer.
    `temperature`, `seed` and `filters` are those of `charrnn.SamplingOptions`.

    Raises ConfigError for values out of range, for a model that wasn't trained on tunes, and for a
    prompt that the grammar refuses; CharRNNError if `max_copy` cannot be kept; TypeError for
    arguments of another type.
    """
    options = SamplingOptions.of("compose", temperature, seed, filters)
    reading = reading_of_tunes(checkpoint)
    meter = parse_meter(meter) if isinstance(meter, str) else meter
    key = Key.parse(key) if isinstance(key, str) else key
    require_type(count, int, "count", "a whole number")
    require(count >= 1, f"`count` is {count}: it must be at least 1")
    require(
        constrained or not (meter or key or bars or form),
        "metre, key, bars and form are what the grammar sees to: leave them out, or keep it",
    )
    require(
        max_copy is None or (max_copy >= 2 and against is not None),
        f"`max_copy` is {max_copy}: it must be at least 2, and there must be tunes to compare with",
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
        forgone = np.zeros(len(starts))
        rng = generator(seed, BODIES, attempt)
        drawn = draw(
            checkpoint,
            starts,
            MAX_CHARACTERS,
            options,
            rng,
            constraint=constraint,
            costs=forgone,
        )
        texts = collected(len(starts), drawn)
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
        "from the tunes given: raise `max_copy`"
    )


def _headers(
    checkpoint: Checkpoint,
    count: int,
    constraint: Constraint,
    options: SamplingOptions,
    attempt: int,
) -> list[str]:
    """Draw the headers of so many tunes.

    All are drawn until the last one is complete: a batch that shrinks may round differently.
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
