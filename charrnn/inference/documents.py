"""Whole documents from a model that meet conditions: distinct, new, of a given length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.errors import ConfigError, require, require_type
from charrnn.inference.sampling import (
    SamplingOptions,
    collected,
    document_start,
    draw,
    require_length,
    require_samples,
    terminator,
)
from charrnn.rng import SAMPLE, generator
from charrnn.text.corpus import Corpus
from charrnn.text.hashing import text_hashes
from charrnn.text.split import split
from charrnn.text.spool import blocks

SMALLEST, LARGEST = 64, 1024  # number of samples in a batch
MAX_REJECTED = 1000  # samples in a row


def stream_documents(
    checkpoint: Checkpoint,
    prompt: str | Corpus = "",
    *,
    num_samples: int = 1,
    unique: bool = False,
    min_length: int = 0,
    max_length: int | None = None,
    new_against: Corpus | None = None,
    length: int = 500,
    temperature: float = 1.0,
    seed: int = 0,
    unknown: str = "error",
    **filters: float,
) -> Iterator[str]:
    """Yield up to `num_samples` documents (lines, paragraphs or tunes) that continue `prompt`,
    without the prompt and the terminator.

    A sample is rejected if it doesn't end within `length` characters, or if its document is blank,
    is shorter than `min_length` or longer than `max_length` characters (with the prompt), repeats
    an earlier one (with `unique`), or is in `new_against`. The search ends after 1,000 rejected
    samples in a row. `temperature`, `seed`, `unknown` and `filters` are those of `generate`.

    Raises ConfigError for values out of range and for a model that was trained on whole files,
    UnknownCharacterError as `generate` does, and TypeError for arguments of the wrong type.
    """
    options = SamplingOptions.of("stream_documents", temperature, seed, filters)
    require_samples(checkpoint, num_samples)
    lengths = {"length": length, "min_length": min_length, "max_length": max_length}
    for name, value in lengths.items():
        if value is not None:
            require_length(name, value)
    end = terminator(checkpoint)
    if not end:
        conditions = {"unique": unique, "new_against": new_against, **lengths}
        used = [f"`{name}`" for name, value in conditions.items() if value and name != "length"]
        raise ConfigError(
            f"{used[0] if used else 'stream_documents'} needs a model trained on lines, paragraphs "
            "or tunes; this one was trained on whole files"
        )
    start = document_start(checkpoint, prompt, unknown)
    if max_length is not None:
        require(
            min_length <= max_length,
            f"`max_length` must be at least `min_length` {min_length}, got {max_length}",
        )
        require(
            len(start) <= max_length,
            f"`max_length` must be at least {len(start)}, the length of the prompt; got "
            f"{max_length}",
        )
        length = min(length, max_length - len(start) + len(end))
    known = _hashes(checkpoint, new_against)
    rng = generator(seed, SAMPLE)

    def batches() -> Iterator[str]:
        found, rejected = set[str](), 0
        missing = num_samples
        while missing and rejected < MAX_REJECTED:
            count = min(max(missing, SMALLEST), LARGEST)
            texts = collected(count, draw(checkpoint, [start] * count, length, options, rng))
            new = ~_among(known, [start + text + end for text in texts])
            for text, is_new in zip(texts, new.tolist(), strict=True):
                document = start + text
                if (
                    is_new
                    and len(text) < length
                    and len(document) >= min_length
                    and document.strip()
                    and not (unique and document in found)
                ):
                    yield text
                    found.add(document)
                    missing, rejected = missing - 1, 0
                else:
                    rejected += 1
                if not missing or rejected == MAX_REJECTED:
                    return

    return batches()


def _hashes(checkpoint: Checkpoint, corpus: Corpus | None) -> NDArray[np.uint64]:
    """Return the hashes of the documents in `corpus`, divided as the model's training did it."""
    if corpus is None:
        return np.empty(0, np.uint64)
    require_type(corpus, Corpus, "new_against", "a Corpus", "read one with charrnn.read")
    documents = checkpoint.training.config.documents
    return text_hashes(split(corpus, documents, valid_fraction=0.0)[0])


def _among(hashes: NDArray[np.uint64], documents: Sequence[str]) -> NDArray[np.bool_]:
    """Return which documents (n,) are among those of these hashes (N,)."""
    among = np.zeros(len(documents), np.bool_)
    own = text_hashes(Corpus.from_texts(*documents)) if len(hashes) else hashes
    for block in blocks(hashes):
        among |= np.isin(own, block)
    return among
