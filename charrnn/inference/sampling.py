"""Text from a model: temperature, filters, and characters as they come.

Which characters are too unlikely to be drawn is for filters to say (filters.py), and what a text
must be like from beginning to end for a constraint (constraint.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import CharRNNError, require, require_type, unexpected_keyword
from charrnn.inference.constraint import Constraint, Leaning, read
from charrnn.inference.filters import FILTERS, check_filter
from charrnn.nn.blas import threads_for
from charrnn.nn.model import QUIET, Reader, Stepper
from charrnn.nn.parameters import Array
from charrnn.rng import MAX_SEED, SAMPLE, Rng, generator
from charrnn.text.documents import DOCUMENTS

Mask = NDArray[np.bool_]  # (B, V), the characters that may be drawn

PROMPT_CHUNK = 1024
NOISE_BLOCK = 1 << 14  # numbers
MIN_TEMPERATURE = 1e-30  # as good as 0, and no logit divided by it overflows
MAX_SAMPLES = 100_000


@dataclass(frozen=True)
class SamplingOptions:
    """How characters are drawn, for sampling, composing and rewriting alike.

    `temperature` divides the logits; 0 takes the likeliest character. `filters` are values for some
    of FILTERS. Raises ConfigError for values out of range, and TypeError for what is no number.
    """

    temperature: float = 1.0
    seed: int = 0
    filters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_type(self.temperature, (int, float), "temperature", "a number")
        require_type(self.seed, int, "seed", "a whole number")
        require(
            0 <= self.temperature < np.inf,
            f"`temperature` is {self.temperature}: it must be 0 (greedy) or a number above",
        )
        require(0 <= self.seed <= MAX_SEED, f"`seed` is {self.seed}: it must be 0 to {MAX_SEED}")
        for name, value in self.filters.items():
            check_filter(name, value)

    @classmethod
    def of(
        cls, function: str, temperature: float, seed: int, filters: Mapping[str, float]
    ) -> SamplingOptions:
        """Return the options that a `function` was called with; raises TypeError for a keyword that
        is no filter.
        """
        for name in filters.keys() - FILTERS.keys():
            raise unexpected_keyword(function, name, [*FILTERS, "temperature", "seed"])
        return cls(temperature, seed, filters)


def generate(
    checkpoint: Checkpoint,
    prompt: str | Sequence[str] = "",
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
    """Return `num_samples` texts that continue `prompt`, which isn't repeated in them.

    All arguments are those of `stream`.
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
    prompt: str | Sequence[str] = "",
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
    """Yield (sample, characters) as they come, all samples being one batch.

    A sample ends after `length` characters, before the text `stop`, and where a document does, if
    the model was trained on several. Without a `prompt` it begins as a document does; there may be
    one for all samples, or one for each. `temperature` divides the logits; 0 takes the likeliest
    character. `filters` are those of FILTERS: `top_k`, `top_p`, `min_p`. With a `constraint`, only
    what it allows is drawn, and the filters look at that alone.

    Raises ConfigError for values out of range and for a prompt that the constraint forbids,
    UnknownCharacterError for one with characters that the model lacks (unless `unknown="skip"`),
    and TypeError for arguments of another type.
    """
    options = SamplingOptions.of("stream", temperature, seed, filters)
    prompts = _prompts(checkpoint, prompt, num_samples)
    rng = generator(seed, SAMPLE)
    return draw(checkpoint, prompts, length, options, rng, stop, unknown, constraint)


def collected(count: int, pieces: Iterable[tuple[int, str]]) -> list[str]:
    """Return the texts of so many samples, whose characters come in `pieces`."""
    texts = [""] * count
    for index, text in pieces:
        texts[index] += text
    return texts


def _prompts(checkpoint: Checkpoint, prompt: str | Sequence[str], num_samples: int) -> list[str]:
    """Return a prompt for each sample."""
    require_checkpoint(checkpoint)
    require_type(num_samples, int, "num_samples", "a whole number")
    require(
        1 <= num_samples <= MAX_SAMPLES,
        f"`num_samples` is {num_samples}: it must be 1 to {MAX_SAMPLES:,}",
    )
    require_type(prompt, Sequence, "prompt", "a text, or a list of texts")
    prompts = [prompt] * num_samples if isinstance(prompt, str) else list(prompt)
    for text in prompts:
        require_type(text, str, "prompt", "a text, or a list of texts")
    require(
        len(prompts) == num_samples,
        f"there are {len(prompts)} prompts for {num_samples} samples: give one, or one for each",
    )
    return prompts


def draw(
    checkpoint: Checkpoint,
    prompts: Sequence[str],
    length: int,
    options: SamplingOptions,
    rng: Rng,
    stop: str = "",
    unknown: str = "error",
    constraint: Constraint | None = None,
    forgone: NDArray[np.float64] | None = None,
) -> Iterator[tuple[int, str]]:
    """Yield what continues each of the prompts, as `stream` does, with the random numbers of `rng`.

    A constraint that is `Leaning` makes some of what it allows likelier. To `forgone`, (samples,),
    is added as they come what the constraint costs each sample: nats, -ln of the share of the
    model's probability that was allowed.
    """
    require_type(length, int, "length", "a whole number")
    require(length >= 0, f"`length` is {length}: it must be at least 0")
    alphabet = checkpoint.tokenizer.alphabet
    require(
        constraint is None or constraint.alphabet == alphabet,
        "the constraint was made for another alphabet than the model's",
    )
    read_once = {
        prompt: _read_prompt(checkpoint, prompt, unknown, constraint) for prompt in set(prompts)
    }
    logits, states, said = zip(*(read_once[prompt] for prompt in prompts), strict=True)
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
        constraint,
        list(said),
        forgone,
    )


def _read_prompt(
    checkpoint: Checkpoint, prompt: str, unknown: str, constraint: Constraint | None
) -> tuple[Any, Any, Any]:
    """Return the logits (V,) after a prompt, and the network's and the constraint's state."""
    end = terminator(checkpoint)
    if end:  # as in training, the state starts fresh at the last character before the document
        prompt = end + prompt
        prompt = prompt[prompt.rfind(end) + len(end) - 1 :]
    ids = checkpoint.tokenizer.encode(prompt, unknown)
    written = checkpoint.tokenizer.decode(ids).removeprefix(end[-1:])
    said = read(constraint, written) if constraint else None
    return *_read(checkpoint, ids if len(ids) else _beginning(checkpoint)), said


def terminator(checkpoint: Checkpoint) -> str:
    """Return what ends a document of the kind that the model was trained on, "" if nothing does."""
    return DOCUMENTS[checkpoint.training.config.documents].terminator


def _beginning(checkpoint: Checkpoint) -> NDArray[np.integer[Any]]:
    """Return the one id that a text begins after: a newline's, or, if the model knows none, the
    first of its alphabet.
    """
    return np.array([max(0, checkpoint.tokenizer.alphabet.find("\n"))])


def _read(checkpoint: Checkpoint, ids: NDArray[np.integer[Any]]) -> tuple[Any, Any]:
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
    constraint: Constraint | None,
    states: list[Any],
    forgone: NDArray[np.float64] | None,
) -> Iterator[tuple[int, str]]:
    alphabet = checkpoint.tokenizer.alphabet
    stepper = Stepper(checkpoint.model(), state)
    leaning = constraint if isinstance(constraint, Leaning) else None
    samples = [Tail(stops) for _ in logits]
    batch = list(range(len(samples)))  # those that go on
    noises = gumbel(rng, logits.shape) if temperature > 0 else None
    with threads_for(len(samples)):
        for count in range(length):
            now = [states[index] for index in batch] if constraint else []
            mask = _mask(constraint, now) if constraint else None
            bias = np.array([leaning.bias(state) for state in now]) if leaning else None
            if forgone is not None and mask is not None:
                forgone[batch] += _cost(logits, mask)
            noise = next(noises) if noises else None
            if noise is not None and len(batch) < len(samples):
                noise = noise[batch]
            ids = choose(logits, temperature, noise, filters, mask, bias)
            for index, id in zip(batch, ids.tolist(), strict=True):
                sample = samples[index]
                text = sample.add(alphabet[id])
                if constraint:
                    states[index] = constraint.advance(states[index], alphabet[id])
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


def _mask(constraint: Constraint, states: list[Any]) -> Mask:
    mask = np.concatenate([constraint.allowed(state) for state in states])
    mask = mask.reshape(len(states), -1)
    if not mask.any(axis=1).all():
        raise CharRNNError("the constraint allows no character at all: a state is missing in it")
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
    """Draw an id for each row of `logits` (B, V) from those of `mask`, with Gumbel `noise` (B, V);
    without it, take the likeliest. A `bias` (B, V) is added to logits that have been divided by the
    temperature.

    The place of the largest l + g, each g being Gumbel-distributed, is distributed as softmax(l)
    (Maddison et al. 2014): a draw without exponentials, sums or divisions.
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
    """Yield Gumbel noise of this shape for ever, drawn some steps at a time."""
    steps = max(1, NOISE_BLOCK // int(np.prod(shape)))
    while True:
        yield from -np.log(rng.standard_exponential((steps, *shape)))


@dataclass
class Tail:
    """The end of one sample, held back as long as it may become one of the `stops`."""

    stops: list[str]
    held: str = field(default="", init=False)
    ended: bool = field(default=False, init=False)

    def add(self, character: str) -> str:
        """Return what may be shown after one more character.

        >>> tail = Tail(["END"])
        >>> [tail.add(character) for character in "EEND"]
        ['', 'E', '', '']
        >>> tail.ended
        True
        """
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
    """Return the length of the longest end of `text` that `stop` begins with."""
    return next(n for n in range(min(len(text), len(stop)), -1, -1) if text.endswith(stop[:n]))
