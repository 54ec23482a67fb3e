"""Character-level text generation with RNN, LSTM and GRU written by hand in NumPy.

>>> import charrnn
>>> model = charrnn.train("corpora/fables.txt", minutes=1).fit()  # doctest: +SKIP
>>> print(charrnn.generate(model, "THE FOX ", temperature=0.7)[0])  # doctest: +SKIP

Every command has one call: train, resume, generate (sample), evaluate, compose, rewrite, assess,
convert, export and from_torch (import). docs/python.md lists all names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.checkpoints.checkpoint import Checkpoint, load
    from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
    from charrnn.errors import (
        CharRNNError,
        CheckpointError,
        ConfigError,
        CorpusError,
        DivergedError,
        UnknownCharacterError,
        WorkerError,
    )
    from charrnn.inference.documents import stream_documents
    from charrnn.inference.dynamic import adapt
    from charrnn.inference.evaluate import Evaluation, evaluate
    from charrnn.inference.sampling import SamplingOptions, generate, stream
    from charrnn.interop.export import Exported, export
    from charrnn.interop.pytorch import from_torch
    from charrnn.music.abc_parser import read_abc
    from charrnn.music.abc_writer import write_abc
    from charrnn.music.assess import assess
    from charrnn.music.compose import compose
    from charrnn.music.convert import convert
    from charrnn.music.dataset import TuneReading
    from charrnn.music.folder import write_folder
    from charrnn.music.infill import rewrite
    from charrnn.music.tune import Key, Tune
    from charrnn.nn.model import CharRNN, ModelConfig
    from charrnn.text.corpus import Corpus
    from charrnn.text.loading import read
    from charrnn.text.tokenizer import Tokenizer
    from charrnn.training.limits import Limits
    from charrnn.training.state import Report
    from charrnn.training.train import resume, train
    from charrnn.training.trainer import Trainer

__version__ = "0.2.0.dev0"

# Loaded when first used, so that `charrnn --help` need not wait for NumPy.
_HOMES = {
    "train": "training.train",
    "resume": "training.train",
    "Trainer": "training.trainer",
    "Report": "training.state",
    "Limits": "training.limits",
    "load": "checkpoints.checkpoint",
    "Checkpoint": "checkpoints.checkpoint",
    "HistoryEntry": "checkpoints.records",
    "TrainConfig": "checkpoints.records",
    "TrainingRecord": "checkpoints.records",
    "CharRNN": "nn.model",
    "ModelConfig": "nn.model",
    "generate": "inference.sampling",
    "stream": "inference.sampling",
    "stream_documents": "inference.documents",
    "SamplingOptions": "inference.sampling",
    "evaluate": "inference.evaluate",
    "Evaluation": "inference.evaluate",
    "adapt": "inference.dynamic",
    "read": "text.loading",
    "Corpus": "text.corpus",
    "Tokenizer": "text.tokenizer",
    "compose": "music.compose",
    "rewrite": "music.infill",
    "assess": "music.assess",
    "convert": "music.convert",
    "read_abc": "music.abc_parser",
    "write_abc": "music.abc_writer",
    "write_folder": "music.folder",
    "export": "interop.export",
    "Exported": "interop.export",
    "from_torch": "interop.pytorch",
    "Key": "music.tune",
    "Tune": "music.tune",
    "TuneReading": "music.dataset",
    "CharRNNError": "errors",
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "CorpusError": "errors",
    "DivergedError": "errors",
    "UnknownCharacterError": "errors",
    "WorkerError": "errors",
}
__all__ = [
    "CharRNN",
    "CharRNNError",
    "Checkpoint",
    "CheckpointError",
    "ConfigError",
    "Corpus",
    "CorpusError",
    "DivergedError",
    "Evaluation",
    "Exported",
    "HistoryEntry",
    "Key",
    "Limits",
    "ModelConfig",
    "Report",
    "SamplingOptions",
    "Tokenizer",
    "TrainConfig",
    "Trainer",
    "TrainingRecord",
    "Tune",
    "TuneReading",
    "UnknownCharacterError",
    "WorkerError",
    "adapt",
    "assess",
    "compose",
    "convert",
    "evaluate",
    "export",
    "from_torch",
    "generate",
    "load",
    "read",
    "read_abc",
    "resume",
    "rewrite",
    "stream",
    "stream_documents",
    "train",
    "write_abc",
    "write_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(f"charrnn.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
