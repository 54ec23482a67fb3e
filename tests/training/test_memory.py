"""The estimated memory grows with each size; `tests.torture` checks it against measurements."""

from dataclasses import replace

from charrnn.checkpoints.records import TrainConfig
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.memory import estimate
from charrnn.training.trainer import Trainer

CORPUS = Corpus.from_texts("the cat sat on the mat and the dog on the log\n" * 600)


def test_each_size_counts():
    task = Trainer.new(CORPUS, ModelConfig("gru", 64), train=TrainConfig(shards=2)).task
    alone = estimate(task, 1, 0)
    assert estimate(task, 1, 1000) == alone + 1000
    assert estimate(task, 2, 0) > alone + 10**7
    for sizes in ({"hidden_size": 65}, {"num_layers": 2}, {"embedding_size": 65}, {"cell": "lstm"}):
        assert estimate(replace(task, config=replace(task.config, **sizes)), 1, 0) > alone
    for sizes in ({"batch_size": 64}, {"seq_len": 65}):
        assert estimate(replace(task, train=replace(task.train, **sizes)), 1, 0) > alone


def test_the_estimate_is_printed_before_training(cli, corpus_file):
    told = cli("train", corpus_file, "--hidden-size", "8", "--max-steps", "1").err.splitlines()
    said = [number for number, line in enumerate(told) if " MB of memory" in line]
    assert len(said) == 1
    assert said[0] < next(number for number, line in enumerate(told) if line.startswith("step "))
