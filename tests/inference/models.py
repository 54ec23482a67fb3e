"""A random model and a constant one, with an alphabet of seven characters."""

from charrnn.checkpoints.records import TrainConfig, TrainingRecord
from charrnn.nn.model import ModelConfig
from tests.helpers import constant_checkpoint, random_checkpoint

ALPHABET = "\n abcde"


def trained_on(documents):
    return TrainingRecord(TrainConfig(documents=documents))


def random_model(cell="lstm", documents="whole"):
    config = ModelConfig(cell, hidden_size=6, num_layers=2, embedding_size=3)
    return random_checkpoint(config, ALPHABET, seed=1, training=trained_on(documents))


def constant_model(probabilities, alphabet=ALPHABET, documents="whole"):
    return constant_checkpoint(alphabet, probabilities, training=trained_on(documents))


def huge_model():
    """Return a model with finite weights whose logits overflow."""
    return random_checkpoint(ModelConfig("gru", 32, 1, 4), "\n abc", scale=5e37)
