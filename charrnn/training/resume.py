"""The resume file: a run as it stood at its last save, and whether it is still the same run.

Where a divergence would go back to an earlier moment than that, the file has both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from charrnn.checkpoints.checkpoint import Reader, is_history, resume_path, write
from charrnn.errors import CheckpointError, ConfigError, require
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array
from charrnn.settings import from_dict, require_range
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Reading, recorded_reading
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.run import Counters, Limits, Snapshot, TrainConfig

GOOD = "good."  # before the names of the tensors to go back to in a divergence


def write_moments(
    out: Path, run: Mapping[str, Any], last: Snapshot, good: Snapshot, shards: int
) -> None:
    """Write the resume file of `out`: what the `run` is, where it stands, and where a divergence
    would go back to.
    """
    tensors = dict(last.tensors)
    document = {**run, **_numbers(last), "fingerprint": fingerprint(shards)}
    if good.counters != last.counters:
        tensors |= {GOOD + name: values for name, values in good.tensors.items()}
        document["good"] = _numbers(good)
    write(resume_path(out), "resume", tensors, document)


def _numbers(moment: Snapshot) -> dict[str, Any]:
    return {"counters": asdict(moment.counters), "history": moment.history}


@dataclass(frozen=True)
class StoredRun:
    """What a resume file says of its run, besides the moments."""

    config: ModelConfig
    tokenizer: Tokenizer
    train: TrainConfig
    limits: Limits
    origin: dict[str, Any] | None

    @classmethod
    def of(cls, reader: Reader) -> StoredRun:
        """Read it; raises CheckpointError for a damaged one."""
        document = reader.document
        origin = document.get("origin")
        try:
            return cls(
                *reader.config_and_tokenizer(),
                from_dict(TrainConfig, document.get("training")),
                from_dict(Limits, document.get("limits")),
                origin if isinstance(origin, dict) else None,
            )
        except ConfigError as error:
            raise reader.damaged(str(error)) from None


def read_moments(reader: Reader, like: Mapping[str, Array]) -> tuple[Snapshot, Snapshot | None]:
    """Return where the run stands, and where a divergence would go back to if not there, with
    tensors of the names and shapes of those in `like`. Raises CheckpointError for a damaged file.
    """
    documents = {"": reader.document}
    if "good" in reader.document:
        documents[GOOD] = reader.document["good"]
    numbers = {prefix: _parse(reader, document) for prefix, document in documents.items()}
    shapes = {prefix + name: values.shape for prefix in numbers for name, values in like.items()}
    reader.expect(shapes, np.float32)
    tensors = {name: reader.tensor(name) for name in shapes}
    reader.verify(tensors)
    moments = {
        prefix: Snapshot({name: tensors[prefix + name] for name in like}, *its_numbers)
        for prefix, its_numbers in numbers.items()
    }
    return moments[""], moments.get(GOOD)


def _parse(reader: Reader, document: Any) -> tuple[Counters, list[dict[str, Any]]]:
    """Return the counters and the history of a moment of the run."""
    try:
        require(isinstance(document, dict), "the moment to go back to is none")
        counters = from_dict(Counters, document.get("counters"))
        for name, value in asdict(counters).items():
            if not isinstance(value, str):
                require_range(counters, name, 0, 10**15)
        history = document.get("history")
        require(is_history(history), "the record of its training is none")
        return counters, list(history)
    except ConfigError as error:
        raise reader.damaged(str(error)) from None


# ---- is it the same run? -------------------------------------------------------------------------


def require_run_of(out: str | Path) -> None:
    """Raise CheckpointError if there is no resume file of `out`."""
    if os.path.exists(resume_path(out)):  # noqa: PTH110 (Path's raises for some names)
        return
    if not os.path.exists(out):  # noqa: PTH110 (likewise)
        raise CheckpointError(f"there is no run of {out} to go on with: leave --resume out")
    raise CheckpointError(
        f"{resume_path(out)} is missing, without which the run of {out} cannot go on: "
        "start another from its weights with --init-from and a new --out"
    )


def require_same(given: Mapping[str, Any], current: Mapping[str, Any], what: str) -> None:
    """Raise ConfigError, naming the setting, unless all that is `given` is as it is in `what`."""
    for name, value in given.items():
        require(
            value == current[name],
            f"{what} has {name} {current[name]}, and that cannot become {value}: leave "
            f"--{name.replace('_', '-')} out, or start afresh",
        )


def digests(corpus: Corpus, valid: Corpus | None) -> dict[str, str]:
    """Return what tells a run's texts from others."""
    return {"corpus": corpus.digest, "valid": valid.digest if valid is not None else ""}


def require_same_texts(reader: Reader, texts: Mapping[str, str], out: str | Path) -> None:
    """Raise ConfigError unless the run began with the texts of these digests."""
    for what, digest in texts.items():
        named = "corpus" if what == "corpus" else "text for --valid (or none)"
        require(
            reader.document.get(what) == digest,
            f"this {named} is not the one that the run of {out} began with: give the same, or "
            "start another run from its model with --init-from",
        )


def reading_of_run(out: str | Path) -> Reading:
    """Return how the run that writes `out` reads files."""
    recorded = description(resume_path(out), "resume").get("tunes")
    return recorded_reading(recorded if isinstance(recorded, dict) else {})


def require_same_run(out: str | Path, ours: Mapping[str, Any]) -> None:
    """Raise CheckpointError if the model at `out` is of another run than `ours`, a description."""
    model = description(out)
    if model and _run_of(model) != _run_of(ours):
        raise CheckpointError(
            f"{out} and {resume_path(out)} are of two runs, as when one with --overwrite "
            "could save no more than its model: start from that with --init-from and a "
            "new --out, or move it away to go on with the older run"
        )


def description(path: str | Path | None, kind: str = "model") -> dict[str, Any]:
    """Return what the file at `path` says of itself; nothing if there is none of this kind."""
    if path is None:
        return {}
    try:
        with Reader(path, kind) as reader:
            return dict(reader.document)
    except CheckpointError:
        return {}


def _run_of(model: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what all models of one run have in common."""
    training = model.get("training")
    training = {**training, "steps": 0} if isinstance(training, dict) else training
    return model.get("config"), model.get("vocabulary"), training


def fingerprint(shards: int) -> dict[str, Any]:
    """Return what the last bits of a result depend on besides the run's settings."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "numpy": np.__version__,
        "blas": [
            {key: pool.get(key) for key in ("internal_api", "version", "architecture")}
            for pool in pools
        ],
        "threads": [1 if shards > 1 else pool["num_threads"] for pool in pools],
    }
