"""Generating text: logits, temperature, filters, and a random choice per character.

Filters rule out unlikely characters (filters.py); a constraint rules out invalid texts
(constraint.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import CharRNNError, counted, require, require_type, unexpected_keyword
from charrnn.inference.constraint import Biased, Constraint, read
from charrnn.inference.filters import FILTERS, check_filter
from charrnn.nn.blas import threads_for
from charrnn.nn.model import QUIET, Reader, Stepper
from charrnn.nn.parameters import Array
from charrnn.rng import MAX_SEED, SAMPLE, Rng, generator
from charrnn.text.corpus import Corpus
from charrnn.text.documents import DOCUMENTS
from charrnn.text.spool import joined
from charrnn.text.tokenizer import Ids

Mask = NDArray[np.bool_]  # (B, V), the allowed characters
Prompt = str | Corpus | Sequence[str | Corpus]

PROMPT_CHUNK = 1024
NOISE_BLOCK = 1 << 14  # numbers
MIN_TEMPERATURE = 1e-30  # as greedy as 0, and no logit overflows when divided by it
MAX_SAMPLES = 100_000


@dataclass(frozen=True)
class SamplingOptions:
    """How characters are sampled, for `generate`, `compose` and `rewrite`.

    `temperature` divides the logits; 0 always takes the most likely character. `filters` has values
    for some of FILTERS. Raises ConfigError for values out of range, and TypeError for values that
    aren't numbers.
    """

    temperature: float = 1.0
    seed: int = 0
    filters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_type(self.temperature, (int, float), "temperature", "a number")
        require_type(self.seed, int, "seed", "an integer")
        require(
            0 <= self.temperature < np.inf,
            f"`temperature` must be at least 0 and finite, got {self.temperature}",
        )
        require(
            0 <= self.seed <= MAX_SEED,
            f"`seed` must be between 0 and {MAX_SEED:,}, got {self.seed}",
        )
        for name, value in self.filters.items():
            check_filter(name, value)

    @classmethod
    def of(
        cls, function: str, temperature: float, seed: int, filters: Mapping[str, float]
    ) -> SamplingOptions:
        """Return the options of a call of `function`; raises TypeError for an unknown filter."""
        for name in filters.keys() - FILTERS.keys():
            raise unexpected_keyword(function, name, [*FILTERS, "temperature", "seed"])
        return cls(temperature, seed, filters)


def generate(
    checkpoint: Checkpoint,
    prompt: Prompt = "",
    *,
    length: int = 500,
    num_samples: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
    stop: str = "",
    unknown: str = "error",
    constraint: Constraint | None = None,
    **filters: float,
) -> list[str]:
    """Return `num_samples` texts that continue `prompt`, without the prompt itself.

    Takes the arguments of `stream`.
    """
    options = SamplingOptions.of("generate", temperature, seed, filters)
    prompts = _prompts(checkpoint, prompt, num_samples)
    rng = generator(seed, SAMPLE)
    return collected(
        len(prompts),
        draw(checkpoint, prompts, length, options, rng, stop, unknown, constraint),
    )


def stream(
    checkpoint: Checkpoint,
    prompt: Prompt = "",
    *,
    length: int = 500,
    num_samples: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
    stop: str = "",
    unknown: str = "error",
    constraint: Constraint | None = None,
    **filters: float,
) -> Iterator[tuple[int, str]]:
    """Yield (sample, characters) as they are generated, all samples in one batch.

    A sample ends after `length` characters, before the text `stop`, and at the end of a document if
    the model was trained on lines, paragraphs or tunes. `prompt` is one text for all samples, or
    one for each; without it, a sample starts as a document does. `temperature` divides the logits;
    0 always takes the most likely character. `filters` are those of FILTERS: `top_k`, `top_p`,
    `min_p`. With a `constraint`, only characters that it allows are sampled, and filters apply to
    these alone.

    Raises ConfigError for values out of range and for a prompt that the constraint rejects,
    UnknownCharacterError for a prompt with characters outside the model's alphabet (unless
    `unknown` is "skip", or "fold", which replaces them with similar ones), and TypeError for
    arguments of the wrong type.
    """
    options = SamplingOptions.of("stream", temperature, seed, filters)
    prompts = _prompts(checkpoint, prompt, num_samples)
    rng = generator(seed, SAMPLE)
    return draw(checkpoint, prompts, length, options, rng, stop, unknown, constraint)


def collected(count: int, pieces: Iterable[tuple[int, str]]) -> list[str]:
    """Return the texts of `count` samples from the `pieces` of a stream."""
    texts = [""] * count
    for index, text in pieces:
        texts[index] += text
    return texts


def require_samples(checkpoint: Checkpoint, num_samples: int) -> None:
    """Raise TypeError or ConfigError unless samples of a model can be requested."""
    require_checkpoint(checkpoint)
    require_type(num_samples, int, "num_samples", "an integer")
    require(
        1 <= num_samples <= MAX_SAMPLES,
        f"`num_samples` must be between 1 and {MAX_SAMPLES:,}, got {num_samples}",
    )


def require_length(name: str, value: int) -> None:
    """Raise TypeError or ConfigError unless the setting `name` is a number of characters."""
    require_type(value, int, name, "an integer")
    require(value >= 0, f"`{name}` must be at least 0, got {value}")


def _prompts(checkpoint: Checkpoint, prompt: Prompt, num_samples: int) -> list[str | Corpus]:
    """Return one prompt per sample."""
    require_samples(checkpoint, num_samples)
    wanted = "a string, a Corpus, or a list of these"
    require_type(prompt, (Sequence, Corpus), "prompt", wanted)
    prompts = [prompt] * num_samples if isinstance(prompt, (str, Corpus)) else list(prompt)
    for text in prompts:
        require_type(text, (str, Corpus), "prompt", wanted)
    require(
        len(prompts) == num_samples,
        f"`prompt` has {counted(len(prompts), 'text')} for {counted(num_samples, 'sample')}; give "
        "one text, or one per sample",
    )
    return prompts


def draw(
    checkpoint: Checkpoint,
    prompts: Sequence[str | Corpus],
    length: int,
    options: SamplingOptions,
    rng: Rng,
    stop: str = "",
    unknown: str = "error",
    constraint: Constraint | Sequence[Constraint] | None = None,
    costs: NDArray[np.float64] | None = None,
) -> Iterator[tuple[int, str]]:
    """Yield the continuations of the prompts, as `stream` does, with the random numbers of `rng`.

    There is one constraint for all samples, or one for each: all `Biased`, or none. A `Biased`
    constraint makes some allowed characters more likely. `costs` (samples,) accumulates what the
    constraint costs each sample, in nats: -ln of the model's probability of the allowed characters,
    summed over the text.
    """
    constraints: Sequence[Constraint] = ()
    if isinstance(constraint, Sequence):
        constraints = constraint
    elif constraint is not None:
        constraints = [constraint] * len(prompts)
    require_length("length", length)
    alphabet = checkpoint.tokenizer.alphabet
    require(
        all(each.alphabet == alphabet for each in constraints),
        "the constraint and the model have different alphabets",
    )
    after = {prompt: _read_prompt(checkpoint, prompt, unknown) for prompt in set(prompts)}
    logits, states = zip(*(after[prompt] for prompt in prompts), strict=True)
    pairs = list(zip(constraints, prompts, strict=False))
    position = {
        pair: read(pair[0], document_start(checkpoint, pair[1], unknown)) for pair in set(pairs)
    }
    positions = [position[pair] for pair in pairs]
    end = terminator(checkpoint)
    return _continue(
        checkpoint,
        np.stack(logits),
        np.concatenate(states, axis=2),
        length,
        options.temperature,
        rng,
        [text for text in (stop, end) if text],
        dict(options.filters),
        constraints,
        positions,
        costs,
    )


def _read_prompt(checkpoint: Checkpoint, prompt: str | Corpus, unknown: str) -> tuple[Any, Any]:
    """Return the logits (V,) after a prompt, and the network's state."""
    ids, _ = _prompt_ids(checkpoint, prompt, unknown)
    return _read(checkpoint, ids if len(ids) else _beginning(checkpoint))


def _prompt_ids(checkpoint: Checkpoint, prompt: str | Corpus, unknown: str) -> tuple[Ids, int]:
    """Return the ids that the network reads (N,), and the position of the last document's first.

    As in training, the state is reset at the last character before a document.
    """
    tokenizer = checkpoint.tokenizer
    if isinstance(prompt, Corpus):
        ids = prompt.encode(tokenizer, unknown).ids
    else:
        ids = tokenizer.encode(prompt, unknown)
    if not (end := terminator(checkpoint)):
        return ids, 0
    end_ids = tokenizer.encode(end)
    ids = joined(ids.dtype, [end_ids, ids])
    return ids[_after_last(end_ids, ids) - 1 :], 1


def document_start(checkpoint: Checkpoint, prompt: str | Corpus, unknown: str) -> str:
    """Return the start of the document that continues `prompt`, as the model reads it."""
    ids, first = _prompt_ids(checkpoint, prompt, unknown)
    return checkpoint.tokenizer.decode(ids[first:])


def _after_last(end: Ids, ids: Ids) -> int:
    """Return the position in `ids` (N,) after the last `end` (n,), of which there is one."""
    n = len(end)
    for stop in range(len(ids), 0, -PROMPT_CHUNK):
        windows = sliding_window_view(ids[max(0, stop - PROMPT_CHUNK - n + 1) : stop], n)
        if len(found := np.flatnonzero((windows == end).all(axis=1))):
            break
    return stop - len(windows) + 1 + int(found[-1])


def terminator(checkpoint: Checkpoint) -> str:
    """Return the terminator of the documents that the model was trained on, "" if there is none."""
    return DOCUMENTS[checkpoint.training.config.documents].terminator


def _beginning(checkpoint: Checkpoint) -> Ids:
    """Return the id to feed in before the start of a text: a newline, or the alphabet's first
    character if it has no newline.
    """
    return np.array([max(0, checkpoint.tokenizer.alphabet.find("\n"))], np.uint32)


def _read(checkpoint: Checkpoint, ids: Ids) -> tuple[Any, Any]:
    """Read `ids` (N,) from a zero state; return the last logits (V,) and the state."""
    network = checkpoint.model()
    reader, state = Reader(network, 1), network.zero_state(1)
    for start in range(0, len(ids), PROMPT_CHUNK):
        logits, state = reader.logits(ids[start : start + PROMPT_CHUNK, None], state)
    return logits[-1, 0], state


def _continue(
    checkpoint: Checkpoint,
    logits: Any,
    state: Any,
    length: int,
    temperature: float,
    rng: Rng,
    stops: list[str],
    filters: dict[str, float],
    constraints: Sequence[Constraint],
    states: list[Any],
    costs: NDArray[np.float64] | None,
) -> Iterator[tuple[int, str]]:
    alphabet = checkpoint.tokenizer.alphabet
    stepper = Stepper(checkpoint.model(), state)
    biased = [each for each in constraints if isinstance(each, Biased)]
    samples = [Tail(stops) for _ in logits]
    batch = list(range(len(samples)))  # the samples that haven't ended
    noises = gumbel(rng, logits.shape) if temperature > 0 else None
    with threads_for(len(samples)):
        for count in range(length):
            allowed = [constraints[i].allowed(states[i]) for i in batch] if constraints else []
            mask = _mask(allowed) if allowed else None
            bias = np.array([biased[i].bias(states[i]) for i in batch]) if biased else None
            if costs is not None and mask is not None:
                costs[batch] += _cost(logits, mask)
            noise = next(noises) if noises else None
            if noise is not None and len(batch) < len(samples):
                noise = noise[batch]
            ids = choose(logits, temperature, noise, filters, mask, bias)
            for index, id in zip(batch, ids.tolist(), strict=True):
                sample = samples[index]
                text = sample.add(alphabet[id])
                if constraints:
                    states[index] = constraints[index].advance(states[index], alphabet[id])
                if count == length - 1:
                    text += sample.held
                if text:
                    yield index, text
            going = [not samples[index].ended for index in batch]
            if count == length - 1 or not any(going):
                return
            if not all(going):
                batch, ids = list(compress(batch, going)), ids[going]
                stepper.keep(going)
            logits = stepper.step(ids)


def _mask(allowed: list[NDArray[np.bool_]]) -> Mask:
    mask = np.concatenate(allowed).reshape(len(allowed), -1)
    if not mask.any(axis=1).all():
        raise CharRNNError("the constraint is incomplete: it allows no character in one state")
    return mask


@QUIET
def _cost(logits: Array, mask: Mask) -> NDArray[np.float64]:
    p = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    share = (p * mask).sum(axis=1) / p.sum(axis=1)
    cost: NDArray[np.float64] = -np.log(np.maximum(share, np.finfo(np.float64).tiny))
    return cost


@QUIET
def choose(
    logits: Array,
    temperature: float,
    noise: NDArray[np.float64] | None,
    filters: dict[str, float],
    mask: Mask | None = None,
    bias: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Sample an allowed id for each row of `logits` (B, V) with Gumbel `noise` (B, V); without
    noise, take the most likely. `bias` (B, V) is added to the logits after their division by the
    temperature.

    If each g is Gumbel-distributed, the index of the largest l + g is distributed as softmax(l)
    (Maddison et al. 2014): a sample without exponentials, sums or divisions.
    """
    ids: NDArray[np.intp]
    if mask is not None:
        logits = np.where(mask, logits, -np.inf)
    if noise is None:
        ids = logits.argmax(axis=1)
        return ids
    scores = np.divide(logits, max(temperature, MIN_TEMPERATURE), dtype=np.float64)
    if bias is not None:
        scores += bias
    if filters:
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        for name, filter in FILTERS.items():
            if name in filters:
                filter.apply(p, filters[name])
        scores[p == 0] = -np.inf
    ids = np.add(scores, noise, out=scores).argmax(axis=1)
    return ids


def gumbel(rng: Rng, shape: tuple[int, ...]) -> Iterator[NDArray[np.float64]]:
    """Yield Gumbel noise of this shape forever, generated several steps at a time."""
    steps = max(1, NOISE_BLOCK // int(np.prod(shape)))
    while True:
        yield from -np.log(rng.standard_exponential((steps, *shape)))


@dataclass
class Tail:
    """The end of one sample, held back as long as it may be the start of one of `stops`."""

    stops: list[str]
    held: str = field(default="", init=False)
    ended: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._firsts = {stop[0] for stop in self.stops}

    def add(self, character: str) -> str:
        """Add a character and return the text that is certain not to belong to a stop.

        >>> tail = Tail(["END"])
        >>> [tail.add(character) for character in "EEND"]
        ['', 'E', '', '']
        >>> tail.ended
        True
        """
        if not self.held and character not in self._firsts:
            return character  # as almost always
        text = self.held + character
        for stop in self.stops:
            if text.endswith(stop):
                self.ended = True
                self.held = ""
                return text.removesuffix(stop)
        keep = max((_overlap(text, stop) for stop in self.stops), default=0)
        shown = text[: len(text) - keep]
        self.held = text[len(shown) :]
        return shown


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of `text` that is a prefix of `stop`."""
    return next(n for n in range(min(len(text), len(stop)), -1, -1) if text.endswith(stop[:n]))
