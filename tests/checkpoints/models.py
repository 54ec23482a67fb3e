"""A tiny model, and the errors for files that are not models."""

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import CheckpointError
from charrnn.nn.model import ModelConfig
from tests.helpers import random_checkpoint

CONFIG = ModelConfig("gru", 5, 2, 3, 0.25)
TRAINING = TrainingRecord(TrainConfig(seed=7, learning_rate=0.004))
HISTORY = [HistoryEntry(10, 2.5, 2.75)]


def make_checkpoint(config=CONFIG):
    return random_checkpoint(config, "\n aé🎶\0", training=TRAINING, history=HISTORY)


def assert_same(one, other):
    assert (one.config, one.training, one.history) == (other.config, other.training, other.history)
    assert one.tokenizer.alphabet == other.tokenizer.alphabet
    assert one.parameters.shapes == other.parameters.shapes
    assert one.parameters.flat.dtype == other.parameters.flat.dtype
    assert one.parameters.flat.tobytes() == other.parameters.flat.tobytes()


def assert_refused(path, match=None):
    with pytest.raises(CheckpointError, match=match) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
