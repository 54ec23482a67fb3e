"""What a run says it will take is what it takes; `tests.torture` measures whole processes."""

import tracemalloc
from dataclasses import replace

import pytest

from charrnn.corpus import Corpus
from charrnn.memory import PROCESS, estimate
from charrnn.model import ModelConfig
from charrnn.run import Limits, TrainConfig
from charrnn.trainer import Trainer

CORPUS = Corpus(("the cat sat on the mat and the dog on the log\n" * 600,), ("text",))


@pytest.mark.parametrize(
    ("model", "train"),
    [
        (ModelConfig("gru", 256, 1, 32), TrainConfig()),
        (ModelConfig("lstm", 128, 2, 0), TrainConfig(seq_len=64, batch_size=64)),
        (ModelConfig("rnn", 512, 1, 16), TrainConfig(optimizer="sgd", batch_size=4, shards=2)),
    ],
    ids=["adam", "two layers, one-hot", "sgd, two shards"],
)
def test_the_estimate_is_what_a_run_allocates(tmp_path, model, train):
    tracemalloc.start()
    trainer = Trainer(CORPUS, model, train, Limits(max_steps=3, save_every=2), tmp_path / "model")
    list(trainer.run())
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = trainer.streams.text.ids.nbytes
    assert estimate(trainer.task, 1, text) - PROCESS == pytest.approx(taken, rel=0.25)


def test_each_size_counts():
    task = Trainer(CORPUS, ModelConfig("gru", 64), TrainConfig(shards=2)).task
    alone = estimate(task, 1, 0)
    assert estimate(task, 1, 1000) == alone + 1000
    assert estimate(task, 2, 0) > alone + 10**7
    for sizes in ({"hidden_size": 65}, {"num_layers": 2}, {"embedding_size": 65}, {"cell": "lstm"}):
        assert estimate(replace(task, config=replace(task.config, **sizes)), 1, 0) > alone
    for sizes in ({"batch_size": 64}, {"seq_len": 65}):
        assert estimate(replace(task, train=replace(task.train, **sizes)), 1, 0) > alone
