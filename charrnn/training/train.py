"""Training in one call: what `charrnn train` does, for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.output import Output
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import ConfigError, unexpected_keyword
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Reading
from charrnn.text.formats import suffixes_of
from charrnn.text.loading import read
from charrnn.text.plain import PlainText, is_list
from charrnn.training.autoconfig import choose
from charrnn.training.cores import share_out, usable_cores
from charrnn.training.limits import Limits
from charrnn.training.resume import reading_of_run
from charrnn.training.trainer import Trainer

Paths = str | Path | Sequence[str | Path]


class Settings(TypedDict, total=False):
    """The settings of a run: the fields of ModelConfig, TrainConfig and Limits."""

    cell: str
    hidden_size: int
    num_layers: int
    embedding_size: int
    dropout: float
    weight_dropout: float
    init: str
    seq_len: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    schedule: str
    warmup_steps: int
    weight_decay: float
    clip_norm: float
    clip_value: float
    shards: int
    seed: int
    documents: str
    valid_fraction: float
    hold_out: str
    epochs: float | None
    max_steps: int | None
    minutes: float | None
    eval_every: int | None
    save_every: int | None
    patience: int | None


def train(
    corpus: Corpus | Paths,
    *,
    out: str | Path | Output | None = None,
    overwrite: bool = False,
    valid: Corpus | Paths | None = None,
    init_from: Checkpoint | str | Path | None = None,
    workers: int | str = 1,
    encoding: str = "utf-8",
    unknown: str = "error",
    reading: Reading | None = None,
    **settings: Unpack[Settings],
) -> Trainer:
    """Start a run, as `charrnn train` does; iterate over the Trainer or call its `fit()`.

    `corpus` is a Corpus, or files and folders. Settings that are not stated are selected for the
    corpus, the CPU and the time limit: 10 `minutes` without another limit.

    `out` is the model file to write, with the resume file next to it; without it, nothing is
    written. An existing model is replaced only with `overwrite`. With `valid`, a separate corpus,
    nothing is held out. With `init_from`, training starts from that model's weights, and new
    characters are added to its alphabet. `reading` states how files are read if their format has
    settings (`charrnn.TuneReading`).

    `workers` is the number of processes, or "auto" for all cores; with more than one, a script
    needs a main guard. With 1, the batch is divided into as many `shards` as with "auto" unless
    stated, so that one process computes the same bits as several.

    Raises ConfigError for settings out of range, CorpusError for files that cannot be read or a
    corpus that is too short, UnknownCharacterError if `valid` has characters that the corpus lacks
    (unless `unknown` is "skip" or "fold"), CheckpointError for an `out` that cannot be written, and
    TypeError for an unknown setting.
    """
    model, config, limits = _divided("train", settings)
    if out is not None and not isinstance(out, Output):
        out = Output.new(out, overwrite)
    base = init_from if init_from is None or isinstance(init_from, Checkpoint) else load(init_from)
    held_out = 0.0 if valid is not None else TrainConfig(**config).valid_fraction
    ModelConfig(**model)  # fail before reading a long corpus
    texts = _read(corpus, encoding, reading, base.reading if base is not None else None)
    if "documents" not in config and isinstance(texts.reading, PlainText) and is_list(texts.head()):
        notice = "the corpus looks like a list; to treat each line as a document, pass "
        texts = replace(texts, notices=(*texts.notices, f"{notice}`documents='lines'`"))
    validation = None
    if valid is not None:
        validation = _read(valid, encoding, None, texts.reading)
    alone = workers == 1 and not config.get("shards")
    cores = workers if isinstance(workers, int) and not alone else usable_cores()
    if "batch_size" in config:  # not every number of cores divides it
        shards = config.get("shards", 0)
        cores = share_out("auto" if alone else workers, shards, config["batch_size"])[0]
    choice = choose(
        max(1, round(len(texts.ids) * (1 - held_out))) * texts.reading.copies,
        len(texts.characters()),
        cores,
        Limits(**limits),
        base.config if base else None,
        **model | config,
    )
    return Trainer.new(
        texts,
        choice.model,
        train=choice.train,
        limits=choice.limits,
        out=out,
        valid=validation,
        unknown=unknown,
        init_from=base,
        workers="alone" if alone else workers,
        choice=choice,
    )


def resume(
    corpus: Corpus | Paths,
    out: str | Path | Output,
    *,
    valid: Corpus | Paths | None = None,
    workers: int | str = 1,
    encoding: str = "utf-8",
    unknown: str = "error",
    reading: Reading | None = None,
    **settings: Unpack[Settings],
) -> Trainer:
    """Continue the run that writes `out` from its last save, as `charrnn train --resume` does.

    Stated limits replace the run's; other settings must equal those of the run. Raises
    CheckpointError if there is no run to resume, and ConfigError if a setting or the corpus has
    changed. See `train` for the other errors.
    """
    model, config, limits = _divided("resume", settings)
    output = out if isinstance(out, Output) else Output.of_run(out)
    texts = _read(corpus, encoding, reading, reading_of_run(output.path))
    validation = None
    if valid is not None:
        validation = _read(valid, encoding, None, texts.reading)
    return Trainer.resume(
        texts,
        output,
        limits=Limits(**limits),
        valid=validation,
        unknown=unknown,
        workers=workers,
        **model,
        **config,
    )


def _divided(function: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the settings of the model, of training and of the limits."""
    rest = dict(settings)
    divided = tuple(
        {field.name: rest.pop(field.name) for field in fields(part) if field.name in rest}
        for part in (ModelConfig, TrainConfig, Limits)
    )
    for name in rest:
        raise unexpected_keyword(function, name, Settings.__annotations__)
    return divided


def _read(
    corpus: Corpus | Paths, encoding: str, stated: Reading | None, known: Reading | None
) -> Corpus:
    """Return the corpus; its files are read as `stated`, or else as `known` from the model."""
    if isinstance(corpus, Corpus):
        return corpus
    texts = read(corpus, encoding, reading=stated or known)
    if stated is not None and stated.documents != texts.reading.documents:
        changed = [
            f"`{field.name}`"
            for field in fields(stated)
            if getattr(stated, field.name) != field.default
        ]
        raise ConfigError(
            f"{', '.join(changed) or '`reading`'} appl{'y' if changed[1:] else 'ies'} only to "
            f"{stated.documents} "
            f"({', '.join(suffixes_of(stated.documents))} files), not to {texts.names[0]}"
        )
    return texts
