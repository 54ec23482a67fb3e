"""The resume file: a run as it stood at its last save, and whether it is still the same run.

Where a divergence would go back to an earlier moment than that, the file has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.container import Reader, write
from charrnn.checkpoints.output import resume_path
from charrnn.checkpoints.records import (
    HistoryEntry,
    Selection,
    StoredReading,
    TrainConfig,
    history_document,
    parsed_history,
    parsed_reading,
    parsed_selection,
)
from charrnn.errors import CheckpointError, ConfigError, require
from charrnn.nn.blas import training_threads
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Shapes
from charrnn.settings import from_dict, require_known
from charrnn.text.documents import Reading, stored_reading
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.limits import Limits
from charrnn.training.state import Counters, Snapshot

# The charrnn whose arithmetic this is: since then equal settings have given equal bits.
BITS = "0.2.0"
GOOD = "good."  # before the names of the tensors to go back to in a divergence


@dataclass(frozen=True)
class StoredRun:
    """What a resume file says of its run, besides where it stands.

    `train` is as it was stated, but for the shards, which are decided.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    train: TrainConfig
    limits: Limits
    selection: Selection | None
    reading: StoredReading
    digests: Mapping[str, str]  # of the corpus, and of the file validated on

    def document(self) -> dict[str, Any]:
        """Return the run as its file has it."""
        return {
            "config": asdict(self.config),
            "vocabulary": self.tokenizer.alphabet,
            "training": asdict(self.train),
            "limits": asdict(self.limits),
            "selection": None if self.selection is None else asdict(self.selection),
            "reading": asdict(self.reading),
            **self.digests,
        }

    @classmethod
    def parsed(cls, reader: Reader) -> StoredRun:
        """Return the run in a file; raises CheckpointError for a damaged one."""
        document = reader.document
        try:
            reading = parsed_reading(document.get("reading"))
            stored_reading(reading.documents, reading.settings)  # or its error
            return cls(
                *reader.config_and_tokenizer(),
                from_dict(TrainConfig, document.get("training")),
                from_dict(Limits, document.get("limits")),
                parsed_selection(document.get("selection")),
                reading,
                {name: str(document.get(name)) for name in ("corpus", "valid")},
            )
        except ConfigError as error:
            raise reader.refused(error) from None


def write_resume_file(model: Path, run: StoredRun, last: Snapshot, good: Snapshot) -> None:
    """Write the resume file of `model`: what the run is, where it stands, and where a divergence
    would go back to.
    """
    tensors = dict(last.tensors)
    document = {**run.document(), **_numbers(last), "fingerprint": fingerprint(run.train.shards)}
    if good.counters != last.counters:
        tensors |= {GOOD + name: values for name, values in good.tensors.items()}
        document["good"] = _numbers(good)
    write(resume_path(model), "resume", tensors, document)


def _numbers(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "counters": asdict(snapshot.counters),
        "history": history_document(snapshot.history),
    }


def read_snapshots(reader: Reader, shapes: Shapes) -> tuple[Snapshot, Snapshot | None]:
    """Return where the run stands, and where a divergence would go back to if not there, with
    tensors of these shapes. Raises CheckpointError for a damaged file.
    """
    documents = {"": reader.document}
    if "good" in reader.document:
        documents[GOOD] = reader.document["good"]
        try:
            require_known(_object(documents[GOOD]), {"counters", "history"}, "a snapshot")
        except ConfigError as error:
            raise reader.refused(error) from None
    numbers = {prefix: _parsed_numbers(reader, each) for prefix, each in documents.items()}
    expected = {prefix + name: shape for prefix in numbers for name, shape in shapes.items()}
    tensors = dict(reader.tensors(expected))
    snapshots = {
        prefix: Snapshot({name: tensors[prefix + name] for name in shapes}, *its_numbers)
        for prefix, its_numbers in numbers.items()
    }
    return snapshots[""], snapshots.get(GOOD)


def _object(value: Any) -> dict[str, Any]:
    require(isinstance(value, dict), "the snapshot to go back to is not an object")
    assert isinstance(value, dict)
    return value


def _parsed_numbers(reader: Reader, document: Any) -> tuple[Counters, list[HistoryEntry]]:
    """Return the counters and the history of a snapshot."""
    try:
        counters = from_dict(Counters, document.get("counters"))
        return counters, parsed_history(document.get("history"))
    except ConfigError as error:
        raise reader.refused(error) from None


# ---- is it the same run? -------------------------------------------------------------------------


def require_same(given: Mapping[str, Any], current: Mapping[str, Any], what: str) -> None:
    """Raise ConfigError, naming the setting, unless all that is `given` is as it is in `what`."""
    for name, value in given.items():
        require(
            value == current[name],
            f"{what} has `{name}` {current[name]}, and that cannot become {value}: leave it out, "
            "or start afresh",
        )


def require_same_reading(given: Reading, stored: StoredReading) -> None:
    """Raise ConfigError if files of the same kind are read with other settings than the run's."""
    if given.documents == stored.documents:
        current = stored_reading(stored.documents, stored.settings)
        require_same(asdict(given), asdict(current), "the run to resume")


def require_same_texts(run: StoredRun, texts: Mapping[str, str], out: str | Path) -> None:
    """Raise ConfigError unless the run began with the texts of these digests."""
    for what, digest in texts.items():
        named = "corpus" if what == "corpus" else "text for `valid` (or none)"
        require(
            run.digests[what] == digest,
            f"this {named} is not the one that the run of {out} began with: give the same, or "
            "start another run from its model with `init_from`",
        )


def reading_of_run(out: str | Path) -> Reading:
    """Return how the run that writes `out` reads files; raises CheckpointError for a damaged resume
    file.
    """
    with Reader(resume_path(out), "resume") as reader:
        try:
            stored = parsed_reading(reader.document.get("reading"))
            return stored_reading(stored.documents, stored.settings)
        except ConfigError as error:
            raise reader.refused(error) from None


def require_same_run(out: str | Path, ours: Checkpoint) -> None:
    """Raise CheckpointError if the model at `out` is of another run than `ours`."""
    try:
        model = load(out)
    except CheckpointError:  # there is none, or it will be written anew
        return
    if _run_of(model) != _run_of(ours):
        raise CheckpointError(
            f"{out} and {resume_path(out)} are of two runs, as when one with `overwrite=True` "
            "could save no more than its model: start from that with `init_from` and a "
            "new `out`, or move it away to go on with the older run"
        )


def _run_of(model: Checkpoint) -> tuple[Any, ...]:
    """Return what all models of one run have in common."""
    return model.config, model.tokenizer.alphabet, replace(model.training, steps=0)


def fingerprint(shards: int) -> dict[str, Any]:
    """Return what the last bits of a result depend on besides the run's settings."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "bits": BITS,
        "numpy": np.__version__,
        "blas": [
            {key: pool.get(key) for key in ("internal_api", "version", "architecture")}
            for pool in pools
        ],
        "threads": [training_threads(shards) or pool["num_threads"] for pool in pools],
    }
