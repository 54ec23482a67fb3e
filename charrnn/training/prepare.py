"""Prepare a corpus for training: split and encode it, and fit the batch to its length."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from charrnn.checkpoints.records import StoredReading, TrainConfig
from charrnn.errors import counted
from charrnn.text.batches import Encoded, fit
from charrnn.text.corpus import Corpus
from charrnn.text.documents import DOCUMENTS
from charrnn.text.split import augmented, split
from charrnn.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Data:
    """The data of a run.

    `config` is the run's, with the batch sizes fitted to the corpus and, if validation uses another
    file, a `valid_fraction` of 0.
    """

    tokenizer: Tokenizer
    text: Encoded
    valid: Encoded | None  # None without validation
    config: TrainConfig
    reading: StoredReading  # how the corpus was read
    digests: dict[str, str]  # of the corpus and the validation file ("" if none)
    files: dict[str, tuple[str, ...]]  # the names of their files
    notices: tuple[str, ...]

    @property
    def chunks_per_epoch(self) -> int:
        """The number of steps per epoch."""
        return len(self.text) // self.chunk_size

    @property
    def chunk_size(self) -> int:
        """The number of characters per step."""
        return self.config.batch_size * self.config.seq_len


def prepare(
    corpus: Corpus,
    config: TrainConfig,
    valid: Corpus | None = None,
    unknown: str = "error",
    tokenizer: Tokenizer | None = None,
) -> Data:
    """Split and encode `corpus`; with a separate `valid` corpus, nothing is held out.

    New characters are added to a `tokenizer` to start from. Raises CorpusError for a corpus that is
    too short, and UnknownCharacterError if `valid` has characters that `corpus` lacks (unless
    `unknown` is "skip" or "fold").
    """
    notices = [*corpus.notices, *(valid.notices if valid is not None else ())]
    if config.documents == "whole":
        config = replace(config, documents=corpus.reading.documents)
    if valid is not None:
        config = replace(config, valid_fraction=0.0)
    if not DOCUMENTS[config.documents].random_split:
        config = replace(config, hold_out="last")
    training, held_out = split(
        corpus,
        config.documents,
        valid_fraction=config.valid_fraction,
        hold_out=config.hold_out,
    )
    training = augmented(training, corpus.reading)
    characters = training.characters() | held_out.characters()
    known = tokenizer
    tokenizer = known.extended(characters) if known else Tokenizer("".join(sorted(characters)))
    if valid is not None:
        held_out, _ = split(valid, config.documents, valid_fraction=0.0)
    text = training.encode(tokenizer)
    validation = held_out.encode(tokenizer, unknown)
    notices += held_out.replaced(tokenizer, unknown)
    if len(validation) < 2 and (valid is not None or config.valid_fraction > 0):
        notices.append(
            "there is too little text for validation, so the final weights will be saved rather "
            "than the best"
        )
    if known is not None and len(tokenizer) > len(known):
        new = len(tokenizer) - len(known)
        notices.append(f"added {counted(new, 'character')} to the model's alphabet")
    batch_size, seq_len = fit(len(text), config.batch_size, config.seq_len)
    if (batch_size, seq_len) != (config.batch_size, config.seq_len):
        notices.append(
            f"the corpus has {counted(len(text), 'training character')}, fewer than "
            f"{config.batch_size} x {config.seq_len} (`batch_size` x `seq_len`); using "
            f"`batch_size={batch_size}` and `seq_len={seq_len}` instead"
        )
    return Data(
        tokenizer,
        text,
        validation if len(validation) >= 2 else None,
        replace(config, batch_size=batch_size, seq_len=seq_len),
        StoredReading(corpus.reading.documents, asdict(corpus.reading), corpus.facts),
        digests(corpus, valid),
        {"corpus": corpus.names, "valid": valid.names if valid is not None else ()},
        tuple(notices),
    )


def digests(corpus: Corpus, valid: Corpus | None) -> dict[str, str]:
    """Return the digests that identify a run's texts."""
    return {"corpus": corpus.digest, "valid": valid.digest if valid is not None else ""}
