"""Model files: a network's weights, its alphabet, and the record of its training.

The tensors are named and shaped as the model's configuration says, which is as torch names and
shapes them. How files are built and checked is in container.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checkpoints.container import Reader, write
from charrnn.checkpoints.records import HistoryEntry, TrainingRecord, parsed_history
from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.batches import Encoded
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Reading, recorded_reading
from charrnn.text.split import split
from charrnn.text.tokenizer import Tokenizer


@dataclass
class Checkpoint:
    """A model as its file holds it: all that sampling, evaluating and training on need."""

    config: ModelConfig
    tokenizer: Tokenizer
    parameters: Parameters
    training: TrainingRecord = field(default_factory=TrainingRecord)
    history: list[HistoryEntry] = field(default_factory=list)  # its evaluations during training

    @property
    def reading(self) -> Reading:
        """How it reads files: as in its training."""
        return recorded_reading(self.training.reading)

    def model(self) -> CharRNN:
        """Return the network, for use without training; it shares the parameters."""
        return CharRNN(self.config, len(self.tokenizer), parameters=self.parameters, training=False)

    def save(self, path: str | Path) -> str:
        """Write the model file and return its digest; raises CheckpointError if that fails."""
        return write(path, "model", self.parameters, self._document())

    def describe(self) -> dict[str, Any]:
        """Return what the model is and how it was trained, all of it fit for JSON."""
        return {"parameters": self.parameters.flat.size, **self._document()}

    def _document(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "vocabulary": self.tokenizer.alphabet,
            "training": self.training.document(),
            "history": [asdict(entry) for entry in self.history],
        }


def load(path: str | Path) -> Checkpoint:
    """Read a model file; raises CheckpointError, in one line, for whatever is not one."""
    with Reader(path, "model") as reader:
        config, tokenizer = reader.config_and_tokenizer()
        parameters = Parameters(reader.expect(config.shapes(len(tokenizer)), np.float32))
        for name, values in parameters.items():
            values[...] = reader.tensor(name)
        try:
            training = TrainingRecord.parsed(reader.document.get("training"))
            history = parsed_history(reader.document.get("history"))
            recorded_reading(training.reading)
        except ConfigError as error:
            raise reader.damaged(str(error)) from None
        reader.verify(parameters)
    return Checkpoint(config, tokenizer, parameters, training, history)


def part_of(
    model: Checkpoint, corpus: Corpus, part: str = "all", unknown: str = "error"
) -> Encoded:
    """Return the "train" or "valid" part of `corpus` as the training of `model` divided it, or
    "all" of it, encoded.
    """
    config = model.training.config
    fraction = config.valid_fraction if part != "all" else 0.0
    if part == "valid" and fraction == 0:
        raise CorpusError(
            "the model's training held out no part of its corpus: evaluate another text, with "
            "--split all"
        )
    train, valid = split(corpus, config.documents, fraction)
    return (valid if part == "valid" else train).encode(model.tokenizer, unknown)
