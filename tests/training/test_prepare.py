"""A corpus is split and encoded, and the batch is fitted to it; or the corpus is rejected."""

from dataclasses import replace

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import CorpusError, UnknownCharacterError
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.prepare import prepare
from charrnn.training.trainer import Trainer
from tests.helpers import finish, run_to
from tests.tiny import CORPUS, TRAIN, make_text, make_trainer

# ---- short texts ---------------------------------------------------------------------------------


def test_a_short_text_reduces_the_batch_with_a_notice():
    trainer = make_trainer(corpus=Corpus.from_texts(make_text(100)), train=TrainConfig())
    sizes = trainer.data.config.batch_size, trainer.data.config.seq_len
    assert sizes[0] * sizes[1] <= 90
    (notice,) = trainer.notices
    assert notice.startswith("the corpus has 90 training characters")
    assert notice.endswith(f"using `batch_size={sizes[0]}` and `seq_len={sizes[1]}` instead")
    finish(trainer)
    config = trainer.checkpoint().training.config
    assert (config.batch_size, config.seq_len) == sizes


def test_a_run_with_a_reduced_batch_resumes(tmp_path):
    corpus, out = Corpus.from_texts(make_text(100)), tmp_path / "model"
    run_to(make_trainer(out, corpus, train=TrainConfig()), 5)
    resumed = Trainer.resume(corpus, out, batch_size=32)
    assert resumed.train_config == TrainConfig(shards=1)
    finish(resumed)
    assert load(out).training.steps == 24


@pytest.mark.parametrize("text", ["a", "ab", "\n"])
def test_a_text_too_short_to_train_on_is_rejected(text):
    with pytest.raises(CorpusError, match=r"[01] training characters?; training needs at least 2"):
        make_trainer(corpus=Corpus.from_texts(text))


@pytest.mark.parametrize("text", ["abc", "aaaa", "ab" * 9])
def test_the_shortest_texts_train(text):
    trainer = make_trainer(corpus=Corpus.from_texts(text), train=replace(TRAIN, valid_fraction=0.0))
    assert finish(trainer)[-1].step == 24


def test_a_held_out_part_that_is_too_short_is_reported():
    trainer = make_trainer(corpus=Corpus.from_texts("abcdefghij"), train=replace(TRAIN, seq_len=2))
    assert any("too little text for validation" in notice for notice in trainer.notices)
    assert all(report.evaluation is None for report in finish(trainer))


# ---- the alphabet and the texts ------------------------------------------------------------------


def test_notices_of_the_corpus_are_passed_on():
    corpus = replace(CORPUS, notices=("CRLF line ends were read as LF",))
    assert make_trainer(corpus=corpus, valid=corpus).notices == list(2 * corpus.notices)


def test_unknown_characters_in_the_validation_text_are_folded_with_a_notice():
    corpus, valid = Corpus.from_texts("cafe " * 99), Corpus.from_texts("café § " * 2)
    with pytest.raises(UnknownCharacterError, match=r"U\+00A7"):
        prepare(corpus, TRAIN, valid)
    data = prepare(corpus, TRAIN, valid, unknown="fold")
    assert data.tokenizer.decode(data.valid.ids) == "cafe  cafe  "
    assert data.notices == (
        "replaced 2 characters with similar ones from the model's alphabet",
        "skipped 2 characters not in the model's alphabet",
    )


def test_characters_of_the_held_out_part_are_in_the_alphabet():
    assert make_trainer(
        corpus=Corpus.from_texts(make_text() + "Ω")
    ).data.tokenizer.alphabet.endswith("Ω")


@pytest.mark.parametrize(
    ("texts", "documents"),
    [(["ab" * 50], "lines"), (["ab" * 50], "paragraphs")],
)
def test_line_ends_added_by_splitting_are_in_the_alphabet(texts, documents):
    train = replace(TRAIN, documents=documents)
    assert (
        "\n" in make_trainer(corpus=Corpus.from_texts(*texts), train=train).data.tokenizer.alphabet
    )


def test_validation_may_use_a_separate_corpus():
    valid = Corpus.from_texts(make_text(500, seed=5))
    trainer = make_trainer(valid=valid)
    assert len(trainer.data.text) == 3000
    assert len(trainer.data.valid) == 500
    strange = Corpus.from_texts("the cat 🎶 sat")
    with pytest.raises(UnknownCharacterError, match=r"U\+1F3B6"):
        make_trainer(valid=strange)
    assert len(make_trainer(valid=strange, unknown="skip").data.valid) == 12


# ---- prepared data -------------------------------------------------------------------------------


def test_data_reports_its_chunks():
    data = prepare(CORPUS, TRAIN)
    assert (len(data.text), len(data.valid)) == (2700, 300)
    assert (data.chunk_size, data.chunks_per_epoch) == (4 * 8, 2700 // 32)


def test_an_alphabet_to_start_from_is_extended_with_a_notice():
    known = Tokenizer("the c")
    data = prepare(CORPUS, TRAIN, tokenizer=known)
    assert data.tokenizer.alphabet.startswith(known.alphabet)
    new = len(data.tokenizer) - len(known)
    assert data.notices == (f"added {new} characters to the model's alphabet",)


def test_with_a_separate_validation_corpus_nothing_is_held_out():
    valid = Corpus.from_texts(make_text(500, seed=5))
    data = prepare(CORPUS, TRAIN, valid)
    assert data.config.valid_fraction == 0
    assert data.digests == {"corpus": CORPUS.digest, "valid": valid.digest}
    assert prepare(CORPUS, TRAIN).digests == {"corpus": CORPUS.digest, "valid": ""}
