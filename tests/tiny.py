"""Tiny texts, and a tiny run that trains in a moment."""

from itertools import islice

import numpy as np

from charrnn.checkpoints.records import TrainConfig
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer

TEXT = "".join(f"The cat sat on mat {n}, the dog on log {n * 7 % 100}.\n" for n in range(60))
MODEL = ModelConfig("gru", 8, 1, 4, 0.2)
TRAIN = TrainConfig(seq_len=8, batch_size=4, warmup_steps=3)
LIMITS = Limits(max_steps=24, eval_every=5)

# The same for the command line; the learning rate would otherwise depend on the limits.
OPTIONS = ["--hidden-size=8", "--embedding-size=4", "--batch-size=4", "--seq-len=8"]
OPTIONS += ["--dropout=0.2", "--weight-dropout=0.1", "--learning-rate=0.003"]


def make_text(length=3000, seed=0):
    rng = np.random.default_rng(seed)
    animals, deeds = ["cat", "dog", "old hen", "fox"], ["sat", "ran", "slept"]
    lines = (f"the {rng.choice(animals)} {rng.choice(deeds)} on the mat\n" for _ in range(length))
    return "".join(islice(lines, length // 20 + 1))[:length]


CORPUS = Corpus.from_texts(make_text())


def make_trainer(out=None, corpus=CORPUS, model=MODEL, train=TRAIN, limits=LIMITS, **options):
    return Trainer.new(corpus, model, train=train, limits=limits, out=out, **options)
