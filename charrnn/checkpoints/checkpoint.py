"""Model files: a network's weights, its alphabet and the record of its training.

Tensors have torch's names and shapes. container.py describes the file format and its checks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from charrnn import __version__
from charrnn.checkpoints.container import Reader, write
from charrnn.checkpoints.records import (
    HistoryEntry,
    TrainingRecord,
    history_document,
    parsed_history,
    parsed_record,
)
from charrnn.errors import ConfigError, CorpusError, require_type
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.batches import Encoded
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Reading, stored_reading
from charrnn.text.split import split
from charrnn.text.tokenizer import Tokenizer


@dataclass
class Checkpoint:
    """A trained model: the content of a model file, used to sample, evaluate and fine-tune."""

    config: ModelConfig
    tokenizer: Tokenizer
    parameters: Parameters
    training: TrainingRecord = field(default_factory=TrainingRecord)
    history: list[HistoryEntry] = field(default_factory=list)  # the evaluations during training
    version: str = __version__  # the version of charrnn that trained it

    def __repr__(self) -> str:
        return (
            f"<Checkpoint {self.config.describe()}, {self.parameters.flat.size:,} parameters, "
            f"alphabet of {len(self.tokenizer)}, {self.training.steps:,} steps>"
        )

    @property
    def reading(self) -> Reading:
        """How the model reads files: as in its training."""
        reading = self.training.reading
        return stored_reading(reading.documents, reading.settings)

    def model(self) -> CharRNN:
        """Return the network for inference; it shares the parameters."""
        return CharRNN(self.config, len(self.tokenizer), parameters=self.parameters)

    def save(self, path: str | Path) -> str:
        """Write the model file and return its digest; raises CheckpointError if writing fails."""
        return write(path, "model", self.parameters, self._document())

    def describe(self) -> dict[str, Any]:
        """Return the model's settings, alphabet and training record as JSON-compatible values."""
        return {
            "parameters": self.parameters.flat.size,
            "version": self.version,
            **self._document(),
            "history": [asdict(entry) for entry in self.history],
        }

    def _document(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "vocabulary": self.tokenizer.alphabet,
            "training": asdict(self.training),
            "history": history_document(self.history),
        }


def load(path: str | Path) -> Checkpoint:
    """Load a model file; raises CheckpointError if it is missing, damaged or not a model file."""
    with Reader(path, "model") as reader:
        config, tokenizer = reader.config_and_tokenizer()
        try:
            training = parsed_record(reader.document.get("training"))
            history = parsed_history(reader.document.get("history"))
            stored_reading(training.reading.documents, training.reading.settings)
        except ConfigError as error:
            raise reader.refused(error) from None
        shapes = config.shapes(len(tokenizer))
        tensors = reader.tensors(shapes)
        first = next(tensors)  # the shapes match the file's from here on
        parameters = Parameters(shapes)
        for name, values in chain([first], tensors):
            parameters[name][...] = values
        version = str(reader.document.get("version"))
    return Checkpoint(config, tokenizer, parameters, training, history, version)


def require_checkpoint(model: object) -> None:
    """Raise TypeError unless `model` is a Checkpoint."""
    require_type(model, Checkpoint, "checkpoint", "a Checkpoint", "load one with charrnn.load")


def part_of(
    model: Checkpoint, corpus: Corpus, part: str = "all", unknown: str = "error"
) -> Encoded:
    """Return a part of `corpus`, encoded: "train" or "valid", split as in the training of `model`,
    or "all". Raises TypeError unless given a Checkpoint and a Corpus.
    """
    require_checkpoint(model)
    require_type(corpus, Corpus, "corpus", "a Corpus", "read one with charrnn.read")
    config = model.training.config
    fraction = config.valid_fraction if part != "all" else 0.0
    if part == "valid" and fraction == 0:
        raise CorpusError("the model was trained without a held-out part; use `part='all'`")
    train, valid = split(
        corpus, config.documents, valid_fraction=fraction, hold_out=config.hold_out
    )
    return (valid if part == "valid" else train).encode(model.tokenizer, unknown)
