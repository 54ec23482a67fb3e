"""Short runs and long ones, their log, and a model that knows nothing."""

import json
from pathlib import Path

from charrnn.checkpoints.records import TrainConfig, TrainingRecord
from tests.helpers import constant_checkpoint
from tests.tiny import OPTIONS

TEXT = "the cat sat on the mat\n" * 40
SHORT = [*OPTIONS, "--max-steps", "12", "--eval-every", "5"]
LONG = [*OPTIONS, "--max-steps", "20000", "--eval-every", "5", "--schedule", "constant"]


def logged(name):
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def save_constant_model(path, alphabet, corpus="", **config):
    record = TrainingRecord(TrainConfig(**config), corpus=corpus)
    constant_checkpoint(alphabet, training=record).save(path)
    return path
