"""Rewrites bars of a tune and keeps the rest of its text byte for byte.

For the model, the tune is canonical text in the key in which it reads tunes, in three parts:

    before | bars | after

The model reads `before` and writes candidates for the bars under the grammar; each bar keeps its
duration. Candidates are drawn from p(bars | before), regardless of what follows. Of these, the ones
that make the rest likeliest, p(after | before, bars), are chosen: with this weight, draws that know
one side become draws that know both (importance resampling), and short candidates have no
advantage. In the text of the tune, the new notes replace the old; bar lines, repeat signs and line
ends stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.errors import CharRNNError, ConfigError, require, require_type
from charrnn.inference.sampling import MAX_SAMPLES, SamplingOptions, collected, draw, terminator
from charrnn.music.abc_parser import Span, read_abc
from charrnn.music.abc_writer import write_bars
from charrnn.music.compose import MAX_CHARACTERS, reading_of_tunes
from charrnn.music.formats import selected
from charrnn.music.grammar.gaps import Gap, gap_grammar
from charrnn.music.tune import Bar, Tune
from charrnn.rng import BARS, generator

CANDIDATES = 16  # for each version
_KEPT = re.compile(r"%.*|\[[A-Za-z]:[^\]]*\]?|^[A-Za-z+]:(?![|:]).*", re.MULTILINE)


def rewrite(
    checkpoint: Checkpoint,
    text: str,
    *,
    bars: str | tuple[int, int],
    tune: int | None = None,
    count: int = 1,
    temperature: float = 0.9,
    seed: int = 0,
    **filters: float,
) -> list[str]:
    """Return versions of a tune in ABC with new notes in some `bars`, the best version first.

    `bars` are such as "5-8" or (5, 8), numbered as by `Tune.numbers`. Of a text of several tunes,
    `tune` selects one, counted from 1, and the versions have only that one (`tune_text`).
    Everything else stays byte for byte. The versions are distinct; there are fewer than `count` if
    the model finds no more.

    Raises ConfigError for a tune or bars that do not exist, for bars that cannot be replaced alone,
    for several tunes if none is selected, and for a model that was not trained on tunes;
    CorpusError for a text without a tune; CharRNNError if the model writes only the existing bars.
    """
    options = SamplingOptions.of("rewrite", temperature, seed, filters)
    reading = reading_of_tunes(checkpoint)
    require_type(text, str, "text", "a tune in ABC")
    require_type(count, int, "count", "an integer")
    most = MAX_SAMPLES // CANDIDATES
    require(1 <= count <= most, f"`count` must be between 1 and {most:,}, got {count:,}")
    first, last = parse_bars(bars) if isinstance(bars, str) else bars
    text = tune_text(text, tune)
    old, spans = _only_tune(text)
    chosen = _chosen(old, first, last)
    for index in chosen:
        _require_whole(text, spans, index, old.numbers()[index])
    home = reading.placed(old)
    up = home.events()[0].pitch - old.events()[0].pitch
    frame = reading.text(replace(old, title=""))
    places = [
        replace(span, start=span.start + reading.countdown) for span in read_abc(frame).spans[0]
    ]
    before, after = frame[: places[chosen[0]].start], frame[places[chosen[-1]].end :]
    between = [frame[places[index].end : places[index + 1].start] for index in chosen[:-1]]
    drawn = _candidates(checkpoint, home, chosen, before, between, count * CANDIDATES, options)
    if drawn == {frame[len(before) : len(frame) - len(after)]}:
        raise CharRNNError("the model writes only the existing bars; raise `temperature`")
    versions: dict[str, str] = {}
    for passage in sorted(drawn):
        written = _read(before + passage + after)
        if written is None:
            continue
        fresh = _with_notes(old, written.transposed(-up), chosen)
        version = _spliced(text, spans, fresh, chosen)
        if fresh != old and _read(version) == fresh:
            versions[version] = passage
    require(
        bool(versions),
        f"bars {first}-{last} cannot be replaced alone: a tie, tuplet or broken rhythm crosses "
        "their bar lines; rewrite the neighboring bars as well",
    )
    beginnings = [before + passage for passage in versions.values()]
    scores = log_likelihoods(checkpoint, beginnings, after)
    best = np.argsort(-scores, kind="stable")[:count]
    return [list(versions)[index] for index in best]


def parse_bars(text: str) -> tuple[int, int]:
    """Return the first and the last bar of a range; raises ConfigError for anything else.

    >>> parse_bars("5"), parse_bars("5-8")
    ((5, 5), (5, 8))
    """
    found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text)
    if not found or int(found[2] or found[1]) < int(found[1]):
        raise ConfigError(f"`rewrite` must be a bar such as 5 or bars such as 5-8, got {text!r}")
    return int(found[1]), int(found[2] or found[1])


def tune_text(text: str, tune: int | None = None) -> str:
    """Return the text of one tune of a text in ABC, with the comments before it and the fields of
    the file header. A text of one tune is returned as it is.

    Raises ConfigError for a tune that does not exist, and for several tunes if none is selected;
    CorpusError for a text without a tune.
    """
    parsed = read_abc(text)
    number = len(parsed.tunes) + len(parsed.skipped)
    require(number == 1 or tune is not None, f"the text has {number} tunes; select one with `tune`")
    own = selected(parsed.texts, tune, "the text")[0]
    return text if number == 1 else own


def lost(text: str, version: str) -> Counter[str]:
    """Count by kind the notation of a tune's text that a version of it lacks."""
    return read_abc(text).ignored - read_abc(version).ignored


def _only_tune(text: str) -> tuple[Tune, tuple[Span, ...]]:
    """Return the tune of a text and its bars' spans; raises ConfigError for a tune with bars that
    are ignored.
    """
    parsed = read_abc(text)
    require(
        not parsed.ignored["third or later ending"],
        "the tune has more than two endings, so its bars cannot be numbered; remove the others",
    )
    require(
        not any(span.shift for span in parsed.spans[0]),
        "the tune has octave= or transpose=, so its bars cannot be rewritten; remove them",
    )
    return parsed.tunes[0], parsed.spans[0]


def _chosen(tune: Tune, first: int, last: int) -> range:
    """Return the indices of the bars with these numbers; raises ConfigError for missing bars."""
    numbers = tune.numbers()
    require(
        numbers[0] <= first <= last <= numbers[-1],
        f"`rewrite` must be within bars {numbers[0]} to {numbers[-1]}, got {first}-{last}",
    )
    chosen = [index for index, number in enumerate(numbers) if first <= number <= last]
    return range(chosen[0], chosen[-1] + 1)


def _require_whole(text: str, spans: Sequence[Span], index: int, number: int) -> None:
    """Raise ConfigError for a bar that contains something to keep, such as a field, and for a bar
    that shares its text with others.
    """
    span = spans[index]
    kept = _KEPT.search(text[span.start : span.end])
    require(kept is None, f"bar {number} contains {kept and kept[0]!r}; move it to a bar line")
    overlap = any(a.end > b.start for a, b in pairwise(spans[max(0, index - 1) : index + 2]))
    require(not overlap, f"bar {number} is part of a multi-bar rest; write a rest for each bar")


def _candidates(
    checkpoint: Checkpoint,
    tune: Tune,
    bars: range,
    before: str,
    between: Sequence[str],
    count: int,
    options: SamplingOptions,
) -> set[str]:
    """Draw `count` passages for the bars of the tune and return the distinct ones: the new notes
    with the text `between` the bars.
    """
    alphabet = checkpoint.tokenizer.alphabet
    known = str.maketrans(dict.fromkeys(set(before).union(*between) - set(alphabet)))
    begun = before.translate(known)  # without characters that the model does not know
    lines = [line.translate(known) for line in between] + ["|"]
    drawn = draw(
        checkpoint,
        [begun] * count,
        MAX_CHARACTERS * len(bars),  # more than enough
        options,
        generator(options.seed, BARS),
        constraint=gap_grammar(alphabet, begun, _gaps(tune, bars, lines)),
    )
    passages = set()
    for rest in collected(count, drawn):
        passage = ""
        for line, there in zip(lines, [*between, ""], strict=True):
            notes, _, rest = rest.partition(line)
            passage += notes + there
        passages.add(passage)
    return passages


def _gaps(tune: Tune, bars: range, lines: Sequence[str]) -> list[Gap]:
    """Return the gaps to fill, with these `lines` after them."""
    keys = tune.keys()
    held: dict[int, int] = {}
    for index, after in pairwise(tune.played()):
        last, next_one = tune.bars[index].notes[-1], tune.bars[after].notes[0]
        if index not in bars and last.tied and last.pitch == next_one.pitch is not None:
            held[after] = next_one.pitch
    ends = [*lines[:-1], lines[-1] + "\n\n"]  # no note may be tied over the last one
    return [
        Gap(tune.bars[index].duration, keys[index], line, held.get(index))
        for index, line in zip(bars, ends, strict=True)
    ]


def _with_notes(tune: Tune, other: Tune, bars: range) -> Tune:
    """Return the tune with the notes of `other` in the given bars."""

    def bar(index: int) -> Bar:
        return replace(tune.bars[index], notes=(other if index in bars else tune).bars[index].notes)

    return replace(tune, bars=tuple(map(bar, range(len(tune.bars)))))


def _spliced(text: str, spans: Sequence[Span], tune: Tune, bars: range) -> str:
    """Return the text with the notes of the tune in the spans of the given bars."""
    for index in reversed(bars):
        start, end, unit = spans[index].start, spans[index].end, spans[index].unit
        bar = _slurred(write_bars(tune, index, index, unit), text[start:end])
        text = text[:start] + bar + text[end:]
    return text


def _slurred(bar: str, old: str) -> str:
    """Return the bar with the slurs of the old one that begin or end in another bar."""
    music = re.sub(r'"[^"]*"|\(\d', "", old)
    opened = music.count("(") - music.count(")")
    return "(" * opened + bar + ")" * -opened


def _read(text: str) -> Tune | None:
    try:
        return read_abc(text).tunes[0]
    except CharRNNError:
        return None


def log_likelihoods(
    checkpoint: Checkpoint, beginnings: Sequence[str], after: str
) -> NDArray[np.float64]:
    """Return the log-likelihood in nats of `after` following each of the beginnings."""
    tokenizer, start = checkpoint.tokenizer, terminator(checkpoint)[-1:]
    rest = tokenizer.encode(after, "skip")
    texts = [
        np.concatenate([tokenizer.encode(start + begun, "skip"), rest]) for begun in beginnings
    ]
    longest = max(map(len, texts))
    ids = np.stack([np.pad(text, (longest - len(text), 0)) for text in texts], axis=1)
    # All end together. The state is reset where each begins, after its padding.
    resets = np.arange(longest)[:, None] == [longest - len(text) for text in texts]
    network = checkpoint.model()
    state = network.zero_state(len(texts))
    losses, _, _ = network.losses(ids[:-1], ids[1:], state, resets[:-1])
    scores: NDArray[np.float64] = -losses[longest - 1 - len(rest) :].sum(axis=0, dtype=np.float64)
    return scores
