"""What a file says about how its model was trained, as typed records."""

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
    """How a model learns. Together with corpus and model it is a run's identity: none of it may
    change when the run is resumed. Raises ConfigError for values out of range.
    """

    init: str = setting("orthogonal", "Scheme of the first weights.", INITS)
    seq_len: int = setting(64, "Time steps in a chunk: how far gradients go back.")
    batch_size: int = setting(32, "Streams that are read side by side.")
    optimizer: str = setting("adam", "Update rule.", OPTIMIZERS)
    learning_rate: float = setting(3e-3, "Learning rate at its highest.")
    momentum: float = setting(0.9, "Momentum of sgd.")
    schedule: str = setting("cosine", "Course of the learning rate over the run.", SCHEDULES)
    warmup_steps: int = setting(20, "Steps in which the learning rate rises to its highest.")
    weight_decay: float = setting(0.0, "Weight decay.")
    clip_norm: float = setting(1.0, "Limit of the gradient's norm; 0 for none.")
    clip_value: float = setting(0.0, "Limit of each number of the gradient; 0 for none.")
    shards: int = setting(0, "Parts of a batch whose gradients are added; 0: one a worker.")
    seed: int = setting(0, "Seed of all random numbers of the run.")
    documents: str = setting(
        "whole",
        "What stands alone, the state starting fresh: each file, line, paragraph, or tune.",
        DOCUMENTS,
    )
    valid_fraction: float = setting(0.1, "Fraction held out for validation.")
    hold_out: str = setting(
        "random",
        "Lines or paragraphs to hold out: random ones, or the last of every file; of "
        "whole files always the last part.",
        HOLD_OUT,
        before="last",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        require_range(self, "seq_len", 1, MAX_CHUNK)
        require_range(self, "batch_size", 1, MAX_CHUNK)
        require_range(self, "shards", 0, MAX_SHARDS)
        require_range(self, "learning_rate", 0)
        require(self.learning_rate > 0, "`learning_rate` is 0: nothing would be learnt")
        require_range(self, "momentum", 0, 1, open_end=True)
        require_range(self, "warmup_steps", 0)
        require_range(self, "weight_decay", 0)
        require_range(self, "clip_norm", 0)
        require_range(self, "clip_value", 0)
        require_range(self, "seed", 0, MAX_SEED)
        require_range(self, "valid_fraction", 0, 1, open_end=True)


@dataclass(frozen=True)
class HistoryEntry:
    """An evaluation during training; losses in nats per character."""

    step: int
    train: float  # running mean of the training loss
    valid: float


@dataclass(frozen=True)
class Selection:
    """How the settings of a run came about: the names of those stated, and of those selected."""

    stated: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredReading:
    """How a model's files are read: the kind of document, and settings that its Reading knows."""

    documents: str = "whole"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRecord:
    """How a model was trained.

    `config` has the sizes as they were fitted to the text, and a `valid_fraction` of 0 if another
    file was validated on. What doesn't affect the weights, such as the number of workers, isn't
    stored.
    """

    config: TrainConfig = TrainConfig()
    steps: int = 0
    characters: int = 0  # in the training text
    corpus: str = ""  # digests of the corpus and of the file validated on, if there was one
    valid: str = ""
    selection: Selection | None = None
    reading: StoredReading = StoredReading()


# ---- as files have them --------------------------------------------------------------------------


def parsed_record(document: object) -> TrainingRecord:
    """Return the training record in a file; raises ConfigError for what cannot be one."""
    require(isinstance(document, Mapping), "the training record is not an object")
    assert isinstance(document, Mapping)
    values = {
        **document,
        "config": from_dict(TrainConfig, document.get("config")),
        "selection": parsed_selection(document.get("selection")),
        "reading": parsed_reading(document.get("reading")),
    }
    record = from_dict(TrainingRecord, values)
    for name in ("steps", "characters"):
        require(is_number(getattr(record, name)), f"{name} in the training record is no number")
    for name in ("corpus", "valid"):
        require(isinstance(getattr(record, name), str), f"{name} in the training record is no text")
    return record


def parsed_selection(document: object) -> Selection | None:
    """Return the selection in a file; raises ConfigError for what cannot be one."""
    if document is None:
        return None
    selection = from_dict(Selection, document)
    lists = selection.stated, selection.selected
    require(
        all(isinstance(names, (list, tuple)) and set(map(type, names)) <= {str} for names in lists),
        "the selection is not of two lists of names",
    )
    return Selection(*map(tuple, lists))


def parsed_reading(document: object) -> StoredReading:
    """Return the Reading in a file; raises ConfigError for what cannot be one."""
    reading = from_dict(StoredReading, document)
    require(
        isinstance(reading.documents, str) and isinstance(reading.settings, Mapping),
        "how files are read is not a kind of document and its settings",
    )
    return reading


def history_document(history: Sequence[HistoryEntry]) -> dict[str, list[Any]]:
    """Return a history as a file has it, by column: that takes less room, and less to parse."""
    names = [field.name for field in fields(HistoryEntry)]
    return {name: [getattr(entry, name) for entry in history] for name in names}


def parsed_history(document: object) -> list[HistoryEntry]:
    """Return the history in a file; raises ConfigError for what cannot be one."""
    require(isinstance(document, Mapping), "the history is not an object")
    assert isinstance(document, Mapping)
    names = [field.name for field in fields(HistoryEntry)]
    require_known(document, names, "the history")
    columns: list[Any] = [document.get(name) for name in names]
    valid = all(
        isinstance(column, list) and len(column) == len(columns[0]) and all(map(is_number, column))
        for column in columns
    )
    require(valid, "the history is not of columns of numbers")
    return list(map(HistoryEntry, *columns))


def is_number(value: object) -> bool:
    """Return whether this is a number that is not absurdly large."""
    return isinstance(value, (int, float)) and abs(value) < MAX_NUMBER
