"""How a model was trained, as typed records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from charrnn.errors import require
from charrnn.nn.init import INITS
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES
from charrnn.rng import MAX_SEED
from charrnn.settings import check_fields, from_dict, require_known, require_range, setting
from charrnn.text.documents import DOCUMENTS, HOLD_OUT

MAX_CHUNK = 2**20
MAX_SHARDS = 256
MAX_NUMBER = 10**18  # JSON has no limit


@dataclass(frozen=True)
class TrainConfig:
    """Training settings. With the corpus and the ModelConfig they identify a run: none of them can
    change on resume. Raises ConfigError for values out of range.
    """

    init: str = setting("orthogonal", "Initialize the weights with this scheme.", INITS)
    seq_len: int = setting(64, "Backpropagate over this many time steps (a chunk).")
    batch_size: int = setting(32, "Read this many streams in parallel.")
    optimizer: str = setting("adam", "Update the weights with this optimizer.", OPTIMIZERS)
    learning_rate: float = setting(3e-3, "Set the peak learning rate.")
    momentum: float = setting(0.9, "Set the momentum of sgd.")
    schedule: str = setting("cosine", "Vary the learning rate by this schedule.", SCHEDULES)
    warmup_steps: int = setting(20, "Warm up the learning rate over this many steps.")
    weight_decay: float = setting(0.0, "Set the weight decay (L2; decoupled in adamw).")
    clip_norm: float = setting(1.0, "Clip the gradient to this norm; 0 disables it.")
    clip_value: float = setting(0.0, "Clip gradient components to this value; 0 disables it.")
    shards: int = setting(
        0,
        "Split each batch into N parts; the exact result depends on N. 0 uses one part per worker.",
    )
    seed: int = setting(0, "Set the random seed of the run.")
    documents: str = setting(
        "whole",
        "Reset the state at the start of each file (whole), line, paragraph or tune.",
        DOCUMENTS,
    )
    valid_fraction: float = setting(0.1, "Hold out this fraction of the corpus for validation.")
    hold_out: str = setting(
        "random",
        "Hold out random lines or paragraphs (random), or the last ones of each file (last).",
        HOLD_OUT,
        before="last",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        require_range(self, "seq_len", 1, MAX_CHUNK)
        require_range(self, "batch_size", 1, MAX_CHUNK)
        require_range(self, "shards", 0, MAX_SHARDS)
        require_range(self, "learning_rate", 0, open_start=True)
        require_range(self, "momentum", 0, 1, open_end=True)
        require_range(self, "warmup_steps", 0)
        require_range(self, "weight_decay", 0)
        require_range(self, "clip_norm", 0)
        require_range(self, "clip_value", 0)
        require_range(self, "seed", 0, MAX_SEED)
        require_range(self, "valid_fraction", 0, 1, open_end=True)


@dataclass(frozen=True)
class HistoryEntry:
    """An evaluation during training; losses are in nats per character."""

    step: int
    train: float  # training loss, a running mean
    valid: float


@dataclass(frozen=True)
class Selection:
    """Names of the settings that the user stated, and of those that charrnn selected."""

    stated: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredReading:
    """How the corpus files are read: the kind of document, and the settings of its Reading; and the
    facts that it found out about them.
    """

    documents: str = "whole"
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRecord:
    """How a model was trained.

    `config` has the batch sizes as fitted to the corpus, and a `valid_fraction` of 0 if validation
    used another file. Settings that do not affect the weights, such as the number of workers, are
    not stored.
    """

    config: TrainConfig = TrainConfig()
    steps: int = 0
    characters: int = 0  # in the training text
    corpus: str = ""  # digests of the corpus and of the validation file ("" if none)
    valid: str = ""
    selection: Selection | None = None
    reading: StoredReading = StoredReading()


# ---- conversion from and to JSON -----------------------------------------------------------------


def parsed_record(document: object) -> TrainingRecord:
    """Return the training record in a JSON object; raises ConfigError if it is invalid."""
    require(isinstance(document, Mapping), "the training record must be an object")
    assert isinstance(document, Mapping)
    values = {
        **document,
        "config": from_dict(TrainConfig, document.get("config")),
        "selection": parsed_selection(document.get("selection")),
        "reading": parsed_reading(document.get("reading")),
    }
    record = from_dict(TrainingRecord, values)
    for name in ("steps", "characters"):
        require(is_number(getattr(record, name)), f"{name} in the training record must be a number")
    for name in ("corpus", "valid"):
        require(
            isinstance(getattr(record, name), str),
            f"{name} in the training record must be a string",
        )
    return record


def parsed_selection(document: object) -> Selection | None:
    """Return the selection in a JSON object; raises ConfigError if it is invalid."""
    if document is None:
        return None
    selection = from_dict(Selection, document)
    lists = selection.stated, selection.selected
    require(
        all(isinstance(names, (list, tuple)) and set(map(type, names)) <= {str} for names in lists),
        "the selection must consist of two lists of names",
    )
    return Selection(*map(tuple, lists))


def parsed_reading(document: object) -> StoredReading:
    """Return the StoredReading in a JSON object; raises ConfigError if it is invalid."""
    reading = from_dict(StoredReading, document)
    require(
        isinstance(reading.documents, str)
        and isinstance(reading.settings, Mapping)
        and isinstance(reading.facts, Mapping),
        "the reading must consist of a kind of document, its settings, and facts",
    )
    return reading


def history_document(history: Sequence[HistoryEntry]) -> dict[str, list[Any]]:
    """Return a history as stored in files, by column: smaller, and faster to parse."""
    names = [field.name for field in fields(HistoryEntry)]
    return {name: [getattr(entry, name) for entry in history] for name in names}


def parsed_history(document: object) -> list[HistoryEntry]:
    """Return the history in a JSON object; raises ConfigError if it is invalid."""
    require(isinstance(document, Mapping), "the history must be an object")
    assert isinstance(document, Mapping)
    names = [field.name for field in fields(HistoryEntry)]
    require_known(document, names, "the history")
    columns: list[Any] = [document.get(name) for name in names]
    valid = all(
        isinstance(column, list) and len(column) == len(columns[0]) and all(map(is_number, column))
        for column in columns
    )
    require(valid, "the history must consist of columns of numbers")
    return list(map(HistoryEntry, *columns))


def is_number(value: object) -> bool:
    """Return whether `value` is a number below MAX_NUMBER."""
    return isinstance(value, (int, float)) and abs(value) < MAX_NUMBER
