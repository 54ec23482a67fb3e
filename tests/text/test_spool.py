"""Long arrays are in an unnamed file, with the same results as in memory."""

import gc
import itertools
import multiprocessing
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import charrnn.text.spool
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import CharRNNError, UnknownCharacterError
from charrnn.inference.evaluate import evaluate
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Builder, Corpus
from charrnn.text.documents import DOCUMENTS
from charrnn.text.loading import read
from charrnn.text.split import split
from charrnn.text.spool import Spool, joined, mapping_of
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, linux, needs_dev_full, posix, run_to

LINES = [f"The cat {chr(0x3B1 + n % 20)} sat on mat {n}.\n" + "\n" * (n % 3) for n in range(99)]
WORDS = "".join(LINES)
MODEL = ModelConfig("gru", hidden_size=8, embedding_size=4)
TRAIN = TrainConfig(seq_len=8, batch_size=8, shards=2)
LIMITS = Limits(max_steps=12, eval_every=5)


@pytest.fixture
def small_memory(monkeypatch):
    """A memory limit so small that every text goes to a file, and a disk with enough space."""
    disk = SimpleNamespace(total=1 << 40, free=1 << 40)
    monkeypatch.setattr("charrnn.text.spool.shutil.disk_usage", lambda _: disk)
    monkeypatch.setattr(charrnn.text.spool, "IN_MEMORY", 100)
    monkeypatch.setattr(charrnn.text.spool, "BLOCK", 64)


@pytest.fixture
def files(tmp_path):
    """Two files, the second with more than 256 distinct characters that the first lacks."""
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text(WORDS, encoding="utf-8")
    paths[1].write_text(WORDS[:500] + "".join(map(chr, range(0x4E00, 0x4F80))), encoding="utf-8")
    return paths


# ---- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("length", [0, 1, 30, 1000])
@pytest.mark.usefixtures("small_memory")
def test_a_spool_returns_its_values_in_order(dtype, length):
    spool = Spool(dtype)
    values = np.arange(length, dtype=np.int64) % 256
    for first in range(0, length, 7):
        spool.append(values[first : first + 7])
    assert len(spool) == length
    array = spool.array()
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("length", [0, 5, 50, 500])
@pytest.mark.usefixtures("small_memory")
def test_a_spool_can_be_truncated(length):
    spool = Spool(np.uint16)
    spool.append(np.arange(500))
    spool.truncate(length)
    spool.append(np.arange(3))
    np.testing.assert_array_equal(spool.array(), [*range(length), 0, 1, 2])
    spool = Spool(np.uint16)
    spool.append(np.arange(500))
    spool.truncate(0)
    assert spool.array().shape == (0,)


@pytest.mark.usefixtures("small_memory")
def test_a_spool_can_be_converted_to_a_wider_dtype():
    spool = Spool(np.uint8)
    spool.append(np.arange(200))
    spool = spool.astype(np.uint16)
    spool.append(np.array([1000]))
    np.testing.assert_array_equal(spool.array(), [*range(200), 1000])


def test_only_long_arrays_are_mapped(monkeypatch):
    monkeypatch.setattr(charrnn.text.spool, "IN_MEMORY", 100)
    assert mapping_of(joined(np.uint8, [np.zeros(100)])) is None
    if os.name == "posix":
        array = joined(np.uint16, [np.zeros(51)])
        assert [mapping_of(array[part])[1] for part in (slice(0, 9), slice(7, 9))] == [0, 14]


def look(memory, offset, results):
    results.put(np.frombuffer(memory, np.uint16, 3, offset).tolist())


@posix
@pytest.mark.usefixtures("small_memory")
def test_a_mapped_array_is_shared_with_another_process():
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    array = joined(np.uint16, [np.arange(1000)])[500:]
    process = context.Process(target=look, args=(*mapping_of(array), results))
    process.start()
    assert results.get() == [500, 501, 502]
    process.join()
    results.close()


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@linux
@pytest.mark.usefixtures("small_memory")
def test_spool_files_are_unnamed_and_closed_with_their_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gc.collect()  # so that no file of another test is closed meanwhile
    before = descriptors()
    array = joined(np.uint8, [np.zeros(1000)])
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    del array
    assert descriptors() <= before
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


@needs_dev_full
@pytest.mark.usefixtures("small_memory")
def test_a_full_disk_is_a_one_line_error(monkeypatch, files):
    full = lambda buffering: open("/dev/full", "wb", buffering=buffering)  # noqa: E731, PTH123, SIM115
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(CharRNNError, match="No space left on device; set TMPDIR"):
        read(files[0].parent)  # an error, and not a skipped file


@pytest.mark.usefixtures("small_memory")
def test_an_endless_text_is_refused_before_the_disk_is_full(monkeypatch):
    monkeypatch.setattr(charrnn.text.spool, "CHECK_EVERY", 200)
    free = iter(range(5000, 0, -200))
    disk = lambda _: SimpleNamespace(total=10_000, free=next(free))  # noqa: E731
    monkeypatch.setattr("charrnn.text.spool.shutil.disk_usage", disk)
    with pytest.raises(
        CharRNNError, match=r"0 MB free for .*; unless the text is endless, set TMP"
    ):
        Builder().add(itertools.repeat("the cat sat\n"))
    assert next(free) == 400  # 5% of the disk stay free


@pytest.mark.usefixtures("small_memory")
def test_a_disk_of_unknown_size_is_used(monkeypatch):
    monkeypatch.setattr(
        "charrnn.text.spool.shutil.disk_usage", lambda _: SimpleNamespace(total=0, free=0)
    )
    assert len(joined(np.uint8, [np.zeros(1000)])) == 1000


def test_a_long_line_needs_no_more_memory_than_short_ones():
    corpora = [Corpus.from_texts(text * 500_000) for text in ("abcdefg\n", "abcdefgh")]
    peaks = []
    for corpus in corpora:
        tracemalloc.start()
        split(corpus, "lines")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0]  # short lines have more ends to store


# ---- texts ---------------------------------------------------------------------------------------


def outcome(files, documents, workers, out):
    """Return all results of training on `files`, interrupted and resumed."""
    corpus = read(files)
    train = replace(TRAIN, documents=documents)
    trainer = Trainer.new(
        corpus, MODEL, train=train, limits=LIMITS, out=out, workers=workers, overwrite=True
    )
    reports = run_to(trainer, 7)
    resumed = Trainer.resume(read(files), out, workers=workers)
    losses = [report.loss for report in (*reports, *finish(resumed))]
    texts = [resumed.data.text, resumed.data.valid]
    arrays = [values.tolist() for text in texts for values in (text.ids, text.ends)]
    scores = [
        evaluate(resumed.checkpoint(), corpus, part=part, streams=4) for part in ("train", "valid")
    ]
    return arrays, corpus.digest, losses, scores, out.read_bytes()


@pytest.mark.parametrize("count", [1, 2], ids=["one file", "two files"])
@pytest.mark.parametrize("documents", DOCUMENTS)
def test_training_from_a_mapped_corpus_equals_training_from_memory(
    request, tmp_path, files, documents, count
):
    out = tmp_path / "model.safetensors"
    expected = outcome(files[:count], documents, 1, out)
    request.getfixturevalue("small_memory")
    workers = 2 if (documents, count) in (("whole", 1), ("paragraphs", 2)) else 1
    assert outcome(files[:count], documents, workers, out) == expected


@posix
@pytest.mark.usefixtures("small_memory")
def test_workers_map_the_file_of_the_corpus(files):
    trainer = Trainer.new(read(files[0]), MODEL, train=TRAIN, limits=LIMITS, workers=2)
    for text in (trainer.data.text, trainer.data.valid):
        assert mapping_of(text.ids) is not None


@pytest.mark.usefixtures("small_memory")
def test_workers_get_a_copy_if_files_cannot_be_passed_to_processes(monkeypatch, tmp_path, files):
    out = tmp_path / "model.safetensors"
    expected = outcome(files, "lines", 2, out)
    monkeypatch.setattr("charrnn.training.comm.mapping_of", lambda _: None)
    assert outcome(files, "lines", 2, out) == expected


@pytest.mark.usefixtures("small_memory")
def test_a_mapped_corpus_is_encoded_for_another_alphabet(files):
    corpus = read(files)
    tokenizer = Trainer.new(Corpus.from_texts(WORDS), MODEL, train=TRAIN).data.tokenizer
    with pytest.raises(UnknownCharacterError, match=r"U\+4E00"):
        corpus.encode(tokenizer)
    text = corpus.encode(tokenizer, "skip")
    assert tokenizer.decode(text.ids) == WORDS + WORDS[:500]
    np.testing.assert_array_equal(text.ends, [len(WORDS) - 1, len(WORDS) + 499])
