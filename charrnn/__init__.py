"""Character-level text generation with RNN, LSTM and GRU written by hand in NumPy.

>>> from charrnn import Limits, Trainer, generate, read
>>> trainer = Trainer.new(read(["corpora/fables.txt"]), limits=Limits(minutes=1))  # doctest: +SKIP
>>> for report in trainer.run():  # doctest: +SKIP
...     print(report.step, report.loss)
>>> print(generate(trainer.checkpoint(), prompt="THE ")[0])  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.checkpoints.checkpoint import Checkpoint, load
    from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
    from charrnn.errors import CharRNNError
    from charrnn.inference.dynamic import adapt
    from charrnn.inference.evaluate import Evaluation, evaluate
    from charrnn.inference.sampling import generate, stream
    from charrnn.music.dataset import TuneReading
    from charrnn.nn.model import CharRNN, ModelConfig
    from charrnn.text.corpus import Corpus
    from charrnn.text.loading import read
    from charrnn.text.tokenizer import Tokenizer
    from charrnn.training.limits import Limits
    from charrnn.training.state import Report
    from charrnn.training.trainer import Trainer

__version__ = "0.1.0"

# Loaded when first used, so that `charrnn --help` need not wait for NumPy.
_HOMES = {
    "Checkpoint": "checkpoints.checkpoint",
    "load": "checkpoints.checkpoint",
    "Corpus": "text.corpus",
    "adapt": "inference.dynamic",
    "TuneReading": "music.dataset",
    "read": "text.loading",
    "CharRNNError": "errors",
    "Evaluation": "inference.evaluate",
    "evaluate": "inference.evaluate",
    "CharRNN": "nn.model",
    "ModelConfig": "nn.model",
    "generate": "inference.sampling",
    "stream": "inference.sampling",
    "Tokenizer": "text.tokenizer",
    "Limits": "training.limits",
    "Report": "training.state",
    "TrainConfig": "checkpoints.records",
    "TrainingRecord": "checkpoints.records",
    "HistoryEntry": "checkpoints.records",
    "Trainer": "training.trainer",
}
__all__ = [
    "CharRNN",
    "CharRNNError",
    "Checkpoint",
    "Corpus",
    "Evaluation",
    "HistoryEntry",
    "Limits",
    "ModelConfig",
    "Report",
    "Tokenizer",
    "TrainConfig",
    "Trainer",
    "TrainingRecord",
    "TuneReading",
    "adapt",
    "evaluate",
    "generate",
    "load",
    "read",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(f"charrnn.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
