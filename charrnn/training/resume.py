"""The resume file: the state of a run at its last save, and checks that a resumed run is the same.

If a divergence would return to an earlier snapshot than the last one, the file contains both.
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

# The first version with this arithmetic: since then, equal settings give equal bits.
BITS = "0.2.0"
GOOD = "good."  # prefix of the tensors to return to after a divergence


@dataclass(frozen=True)
class StoredRun:
    """The settings of a run as stored in its resume file.

    `train` holds the settings as stated, with the number of shards resolved.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    train: TrainConfig
    limits: Limits
    selection: Selection | None
    reading: StoredReading
    digests: Mapping[str, str]  # of the corpus and the validation file

    def document(self) -> dict[str, Any]:
        """Return the run as a JSON object."""
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
        """Return the run in a resume file; raises CheckpointError if the file is damaged."""
        document = reader.document
        try:
            reading = parsed_reading(document.get("reading"))
            stored_reading(reading.documents, reading.settings)  # raises if invalid
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
    """Write the resume file of `model`: the run's settings, its `last` state, and the last `good`
    state, to which a divergence returns.
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
    """Return the last state of the run, and the state to which a divergence returns if that is
    another one, with tensors of these shapes. Raises CheckpointError for a damaged file.
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
    require(isinstance(value, dict), "a snapshot must be an object")
    assert isinstance(value, dict)
    return value


def _parsed_numbers(reader: Reader, document: Any) -> tuple[Counters, list[HistoryEntry]]:
    """Return the counters and the history of a snapshot."""
    try:
        counters = from_dict(Counters, document.get("counters"))
        return counters, parsed_history(document.get("history"))
    except ConfigError as error:
        raise reader.refused(error) from None


# ---- checks that it is the same run --------------------------------------------------------------


def require_same(given: Mapping[str, Any], current: Mapping[str, Any], when: str) -> None:
    """Raise ConfigError, naming the setting, unless all `given` settings equal the `current`."""
    for name, value in given.items():
        require(
            value == current[name],
            f"`{name}` cannot change from {current[name]} to {value} {when}",
        )


def require_same_reading(given: Reading, stored: StoredReading) -> None:
    """Raise ConfigError if `given` reads the same kind of files with other settings."""
    if given.documents == stored.documents:
        current = stored_reading(stored.documents, stored.settings)
        require_same(asdict(given), asdict(current), "on resume")


def require_same_texts(run: StoredRun, texts: Mapping[str, str], out: str | Path) -> None:
    """Raise ConfigError unless the run started with texts of these digests."""
    for what, digest in texts.items():
        named = "the corpus" if what == "corpus" else "the `valid` corpus"
        use = "trained" if what == "corpus" else "validated"
        require(
            run.digests[what] == digest,
            f"this is not {named} that {out} was {use} on, or it has changed; pass the original "
            f"{'corpus' if what == 'corpus' else 'one'}, or start a new run with `init_from`",
        )


def reading_of_run(out: str | Path) -> Reading:
    """Return how the run that writes `out` reads files; raises CheckpointError if its resume file
    is damaged.
    """
    with Reader(resume_path(out), "resume") as reader:
        try:
            stored = parsed_reading(reader.document.get("reading"))
            return stored_reading(stored.documents, stored.settings)
        except ConfigError as error:
            raise reader.refused(error) from None


def require_same_run(out: str | Path, ours: Checkpoint) -> None:
    """Raise CheckpointError if the model at `out` belongs to another run than `ours`."""
    try:
        model = load(out)
    except CheckpointError:  # missing or damaged: it will be written again
        return
    if _run_of(model) != _run_of(ours):
        raise CheckpointError(
            f"{out} and {resume_path(out)} belong to different runs; move {out} away to resume the "
            "older run, or start from it with `init_from` and another `out`"
        )


def _run_of(model: Checkpoint) -> tuple[Any, ...]:
    """Return what all models of a run have in common, whichever version wrote them: newer versions
    store more about the reading.
    """
    training = replace(model.training, steps=0, reading=StoredReading())
    return model.config, model.tokenizer.alphabet, training, model.reading


def fingerprint(shards: int) -> dict[str, Any]:
    """Return what determines the last bits of a result besides the run's settings."""
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
