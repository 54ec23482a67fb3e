"""What a file says about how its model was trained, as typed records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from charrnn.errors import require
from charrnn.nn.init import INITS
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES
from charrnn.rng import MAX_SEED
from charrnn.settings import check_fields, require_range, setting
from charrnn.text.documents import DOCUMENTS

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
    valid_fraction: float = setting(0.1, "Share held out for validation, the end of every file.")

    def __post_init__(self) -> None:
        check_fields(self)
        require_range(self, "seq_len", 1, MAX_CHUNK)
        require_range(self, "batch_size", 1, MAX_CHUNK)
        require_range(self, "shards", 0, MAX_SHARDS)
        require_range(self, "learning_rate", 0)
        require(self.learning_rate > 0, "learning_rate is 0: nothing would be learnt")
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
    """How the settings of a run came about: names of those stated, and of those selected, and for
    how many cores and minutes.
    """

    stated: tuple[str, ...]
    selected: tuple[str, ...]
    cores: int
    minutes: float


@dataclass(frozen=True)
class TrainingRecord:
    """How a model was trained.

    `config` has the sizes as they were fitted to the text, and a `valid_fraction` of 0 if another
    file was validated on. `reading` holds the settings of the Reading of its files, uninterpreted.
    """

    config: TrainConfig = TrainConfig()
    steps: int = 0
    characters: int = 0  # in the training text
    corpus: str = ""  # digests of the corpus and of the file validated on, if there was one
    valid: str = ""
    selection: Selection | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the record as its file has it: one flat JSON object, by the names' order."""
        document = {
            **asdict(self.config),
            "steps": self.steps,
            "characters": self.characters,
            "corpus": self.corpus,
            "valid": self.valid,
            **selection_document(self.selection),
            **self.reading,
        }
        return {name: document[name] for name in sorted(document)}

    @classmethod
    def parsed(cls, document: object) -> TrainingRecord:
        """Return the record in a file; raises ConfigError for what cannot be one."""
        require(isinstance(document, dict), "the record of its training is none")
        assert isinstance(document, dict)
        rest = dict(document)

        def taken(names: Iterable[str]) -> dict[str, Any]:
            return {name: rest.pop(name) for name in names if name in rest}

        config = TrainConfig(**taken(each.name for each in fields(TrainConfig)))
        numbers, digests = taken(("steps", "characters")), taken(("corpus", "valid"))
        require(all(map(is_number, numbers.values())), "the record of its training is none")
        selection = parsed_selection(taken(("stated", "chosen", "cores", "minutes")))
        return cls(config, **numbers, **digests, selection=selection, reading=rest)


def selection_document(selection: Selection | None) -> dict[str, Any]:
    """Return the selection as a file has it. Runs in which everything was stated, and which differ
    in their cores and limits alone, have one record.
    """
    if selection is None:
        return {}
    stated = {"stated": ", ".join(selection.stated)}
    if not selection.selected:
        return stated
    selected = {"chosen": ", ".join(selection.selected)}
    return stated | selected | {"cores": selection.cores, "minutes": selection.minutes}


def parsed_selection(document: object) -> Selection | None:
    """Return the selection in a file, None if there is none that can be read."""
    if not isinstance(document, dict) or not document:
        return None

    def names(key: str) -> tuple[str, ...]:
        return tuple(filter(None, str(document.get(key, "")).split(", ")))

    cores, minutes = document.get("cores", 0), document.get("minutes", 0.0)
    if not (is_number(cores) and is_number(minutes)):
        return None
    return Selection(names("stated"), names("chosen"), cores, minutes)


def parsed_history(document: object) -> list[HistoryEntry]:
    """Return the history in a file; raises ConfigError for what cannot be one."""
    names = [field.name for field in fields(HistoryEntry)]
    valid = isinstance(document, list) and all(
        isinstance(entry, dict) and all(is_number(entry.get(name)) for name in names)
        for entry in document
    )
    require(valid, "the record of its training is none")
    assert isinstance(document, list)
    return [HistoryEntry(**{name: entry[name] for name in names}) for entry in document]


def is_number(value: object) -> bool:
    """Return whether this is a number that is not absurdly large."""
    return isinstance(value, (int, float)) and abs(value) < MAX_NUMBER
