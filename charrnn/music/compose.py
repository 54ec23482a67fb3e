"""New tunes from a model, sampled under the grammar: every tune parses and every bar adds up.

The model writes tunes as it read them (`checkpoint.reading`), usually on the tonic C. They are
transposed to the requested key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import CharRNNError, ConfigError, require, require_type
from charrnn.inference.constraint import Constraint
from charrnn.inference.sampling import MAX_SAMPLES, SamplingOptions, collected, draw
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import ON_TONIC, TuneFacts, TuneReading
from charrnn.music.grammar.tone import RANGE
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.grammar.words import Alphabet
from charrnn.music.metrics import Sample, melody
from charrnn.music.prompt import as_text, begun_by, opening, require_regular
from charrnn.music.ranges import name_of, parse_range
from charrnn.music.repetition import Refrain
from charrnn.music.structure import closes
from charrnn.music.transpose import SEMITONES, semitones_to, to_tonic
from charrnn.music.tune import Key, Meter, Tune, parse_meter
from charrnn.rng import BODIES, ENDS, HEADERS, KEYS, Rng, generator

MAX_CHARACTERS = 4000  # of a tune
MIN_NOTES = 5  # of the key's scale in a range
CANDIDATES = 8  # per tune, with the same header: otherwise common meters would win
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
    pitches: range | str | None = None,
    temperature: float = 0.9,
    seed: int = 0,
    prompt: str = "",
    constrained: bool = True,
    against: Sample | Sequence[Tune] | None = None,
    max_copy: int | None = None,
    **filters: float,
) -> list[Tune]:
    """Return `count` new tunes.

    `meter` and `key` may be texts such as "6/8" or "C|" and "Dmaj". `meter`, `key`, `bars` and
    `form` are those of the grammar (`charrnn.music.grammar.tunes`); the model chooses the others.
    `prompt` is the beginning of each tune in ABC, header included, in lines or in one line such as
    the previews of `charrnn train`. `pitches` is the range of the notes: MIDI numbers, an
    instrument or two pitches (`charrnn.music.ranges`), by default the range of the tunes that the
    model was trained on. Without a key, a model of tunes on one tonic writes in keys that are as
    frequent as in its training tunes.

    Under the grammar, bars of earlier phrases are favored (`charrnn.music.repetition`), and each
    tune is the best of CANDIDATES with the same header. Whether it should end on the tonic is drawn
    in advance, with the share of the training tunes that do. The best candidate ends as drawn;
    of several, it is the one with the most sections that do, and of these the one that the grammar
    constrained least. Without the grammar (`constrained=False`), texts that do not parse are
    dropped, so there may be fewer tunes.

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
    require_type(count, int, "count", "an integer")
    most = MAX_SAMPLES // CANDIDATES
    require(1 <= count <= most, f"`count` must be between 1 and {most:,}, got {count:,}")
    rules = {"meter": meter, "key": key, "bars": bars, "form": form, "pitches": pitches}
    used = ", ".join(f"`{name}`" for name, value in rules.items() if value)
    require(constrained or not used, f"`constrained=False` cannot be combined with {used}")
    require(max_copy is None or max_copy >= 2, f"`max_copy` must be at least 2, got {max_copy}")
    require(
        max_copy is None or against is not None,
        "`max_copy` needs tunes to compare with; pass them with `against`",
    )
    facts = TuneFacts.parsed(checkpoint.training.reading.facts)
    span = parse_range(pitches) if isinstance(pitches, str) else pitches
    usual = span or (facts.pitches if facts else RANGE)
    alphabet = Alphabet(checkpoint.tokenizer.alphabet)
    start = ""
    if prompt:
        text = as_text(prompt)
        begun = begun_by(text)
        if constrained:
            require_regular(begun)
        key = key or begun.key
        start = opening(begun, text, reading, bars, form, alphabet)
        lacking = sorted(set(start) - set(checkpoint.tokenizer.alphabet))
        if lacking:
            raise ConfigError(
                f"the prompt is written with {lacking[0]!r}, which the model's training tunes "
                "lack; use a prompt that is more like them"
            )
        require(
            span is None or _widened(span, begun) == span,
            f"the prompt has notes outside `pitches` {pitches}; widen the range",
        )
        usual = span or _widened(usual, begun)
    require(key is None or fits(usual, key), _unfit(usual, key))
    if against is not None and not isinstance(against, Sample):
        against = Sample(against)
    copies = against.copies if against and max_copy is not None else None

    def home(key: Key | None) -> Key | None:
        """Return the key in which the model writes tunes that will be in this one."""
        return reading.placed(Tune((), key)).key if key else None

    @cache
    def constraint(up: int, key: Key | None) -> Constraint:
        """Return the constraint for texts in a key that will be transposed by `up` semitones."""
        return Refrain(
            tune_grammar(
                checkpoint.tokenizer.alphabet,
                meter,
                key,
                bars,
                form,
                range(usual.start - up, usual.stop - up),
                reading.keep_titles,
                reading.countdown,
            )
        )

    tunes: list[Tune] = []
    candidates = CANDIDATES if constrained else 1
    for attempt in range(TRIES):
        starts = [start] * count
        keys: Sequence[Key | None] = [key] * count
        if constrained and not start:
            if facts and not key and reading.transpose == "tonic":
                known = {k: n for k, n in facts.keys.items() if alphabet.can_write(str(home(k)))}
                keys = _drawn_keys(known, usual, count, generator(seed, KEYS, attempt))
            within = [constraint(0, home(each)) for each in keys]
            starts = _headers(checkpoint, within, options, attempt)
        ways = [_way(*pair) for pair in zip(starts, keys, strict=True)]
        each = [n for n in range(count) for _ in range(candidates)]
        costs = np.zeros(len(each))
        rng = generator(seed, ENDS, attempt)
        on_tonic = (rng.random(count) < (facts.on_tonic if facts else ON_TONIC)).tolist()
        drawn = draw(
            checkpoint,
            [starts[n] for n in each],
            MAX_CHARACTERS,
            options,
            generator(seed, BODIES, attempt),
            constraint=[constraint(ways[n], home(key)) for n in each] if constrained else None,
            costs=costs,
        )
        texts = collected(len(each), drawn)
        texts = [starts[n] + text for n, text in zip(each, texts, strict=True)]
        written = [_tune(text, keys[n]) for n, text in zip(each, texts, strict=True)]
        for begin, tonic in zip(range(0, len(each), candidates), on_tonic, strict=True):
            own = range(begin, begin + candidates)
            found = [(_faults(tune, tonic, costs[n]), tune) for n in own if (tune := written[n])]
            for _, tune in sorted(found, key=itemgetter(0)):
                match = copies.longest(melody(tune)) if copies else None
                if match is None or max_copy is None or match.notes <= max_copy:
                    tunes.append(tune)
                    break
        if len(tunes) >= count or copies is None:
            return tunes[:count]
    raise CharRNNError(
        f"only {len(tunes)} of {TRIES * count:,} tunes ha{'s' if len(tunes) == 1 else 've'} at "
        f"most {max_copy} consecutive notes in common with the corpus; raise `max_copy`"
    )


def _headers(
    checkpoint: Checkpoint,
    constraints: Sequence[Constraint],
    options: SamplingOptions,
    attempt: int,
) -> list[str]:
    """Draw the header of a tune for each of the constraints.

    Drawing continues until all are complete: a batch that shrinks may round differently.
    """
    starts = [""] * len(constraints)
    texts, incomplete = list(starts), set(range(len(starts)))
    rng = generator(options.seed, HEADERS, attempt)
    for index, text in draw(checkpoint, starts, HEADER, options, rng, constraint=constraints):
        texts[index] += text
        after = _AFTER_HEADER.search(texts[index])
        if after and len(texts[index]) >= after.start() + 2:  # enough to tell notes from a field
            incomplete.discard(index)
            if not incomplete:
                break
    return [_AFTER_HEADER.split(text, maxsplit=1)[0] for text in texts]


def _faults(tune: Tune, tonic: bool, cost: float) -> tuple[bool, int, float]:
    """Return the faults of a candidate that should end on the tonic or, without `tonic`, elsewhere:
    whether it ends wrongly, how many of its sections do, and what the grammar cost it.
    """
    wrong = [(close.degree == 0) != tonic for close in closes(tune)]
    return any(wrong[-1:]), sum(wrong), cost


def fits(pitches: range, key: Key) -> bool:
    """Return whether tunes in a key can be played within a range: it has the tonic, and at least
    MIN_NOTES of the scale.
    """
    classes = [pitch % 12 for pitch in pitches]
    scale = key.scale()
    return key.pitch_class in classes and sum(pc in scale for pc in classes) >= MIN_NOTES


def _unfit(pitches: range, key: Key | None) -> str:
    return (
        f"`pitches` {name_of(pitches.start)}-{name_of(pitches.stop - 1)} fits no tune in "
        f"{key or 'any key'}; it must include at least {MIN_NOTES} notes of the "
        "scale, among them the tonic"
    )


def _way(header: str, key: Key | None) -> int:
    """Return by how many semitones a text with this header will be transposed."""
    if key is None:
        return 0
    own = Key.parse(header.partition("K:")[2].partition("\n")[0])
    return semitones_to(own, key.pitch_class)


def _drawn_keys(counts: Mapping[Key, int], pitches: range, count: int, rng: Rng) -> list[Key]:
    """Draw keys that fit in a range, each as often as `counts` says; if none of them fits, draw
    from their transpositions.
    """
    keys = [key for key in counts if fits(pitches, key)]
    if not keys:
        moved = [key.transposed(up) for key in counts for up in SEMITONES]
        keys = [key for key in moved if fits(pitches, key)]
    require(bool(keys), _unfit(pitches, None))
    weights = np.array([counts.get(key, 1) for key in keys])
    return [keys[n] for n in rng.choice(len(keys), count, p=weights / weights.sum())]


def _widened(pitches: range, tune: Tune) -> range:
    """Return a range with the pitches of the tune, too."""
    ends = [*pitches[:: len(pitches) - 1], *(event.pitch for event in tune.events())]
    return range(min(ends), max(ends) + 1)


def reading_of_tunes(checkpoint: Checkpoint) -> TuneReading:
    """Return how the model reads tunes; raises ConfigError for a model of something else."""
    require_checkpoint(checkpoint)
    if checkpoint.training.config.documents != "tunes":
        raise ConfigError(
            "the model was not trained on tunes; use one that was trained on .abc or .mid files"
        )
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
