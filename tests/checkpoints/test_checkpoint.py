"""A model is loaded from its file unchanged, or rejected."""

from dataclasses import fields

import numpy as np
import pytest
from safetensors.numpy import load_file

from charrnn.checkpoints.checkpoint import load, part_of
from charrnn.checkpoints.records import TrainConfig, TrainingRecord
from charrnn.errors import CharRNNError, CorpusError, UnknownCharacterError
from charrnn.inference.evaluate import evaluate
from charrnn.inference.sampling import generate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.documents import HOLD_OUT
from charrnn.text.split import split
from charrnn.training.trainer import Trainer
from tests.checkpoints.models import CONFIG, assert_refused, assert_same, make_checkpoint
from tests.helpers import random_checkpoint, rewrite


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_a_saved_model_loads_unchanged(tmp_path, cell, embedding_size):
    original = make_checkpoint(ModelConfig(cell, 5, 2, embedding_size, 0.25))
    digest = original.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_same(loaded, original)
    assert len(digest) == 64
    assert loaded.save(tmp_path / "again") == digest


def test_a_loaded_model_can_be_used(path):
    model = load(path).model()
    logits, _ = model.logits(np.zeros((4, 2), np.uint8), model.zero_state(2))
    assert logits.shape == (4, 2, 6)


@pytest.mark.parametrize("number", [0.0, -0.0, 1e-45, 3.4e38])
def test_every_bit_of_a_weight_is_preserved(tmp_path, number):
    original = make_checkpoint()
    original.parameters.flat[:] = number
    original.save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), original)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_extreme_weights_raise_no_warning(tmp_path, cell, embedding_size):
    """Every product overflows; such a model generates useless text, but text."""
    wild = make_checkpoint(ModelConfig(cell, 5, 2, embedding_size, 0.25))
    wild.parameters.flat[:] = np.where(wild.parameters.flat > 0, 3.4e38, -3.4e38)
    wild.save(tmp_path / "model")
    text = generate(load(tmp_path / "model"), length=9, seed=1, top_p=0.9)[0]
    assert len(text) == 9
    with pytest.raises(CharRNNError, match="the loss is "):
        evaluate(load(tmp_path / "model"), Corpus.from_texts("\n aé" * 9))


def test_tensor_names_and_shapes_follow_the_configuration(path):
    tensors = load_file(path)
    assert {name: values.shape for name, values in tensors.items()} == CONFIG.shapes(6)
    assert {values.dtype for values in tensors.values()} == {np.dtype(np.float32)}


def test_a_rewritten_file_holds_the_same_model(path):
    rewrite(path)
    assert_same(load(path), make_checkpoint())


# ---- rejected files ------------------------------------------------------------------------------

TENSOR_CHANGES = {
    "missing": (lambda t: t.pop("head.bias"), r"head\.bias"),
    "extra": (lambda t: t.update(spare=np.ones(2, np.float32)), "spare"),
    "none": (lambda t: t.clear(), "missing"),
    "shape": (lambda t: t.update({"head.bias": np.ones(7, np.float32)}), r"head\.bias .*\[7\]"),
    "rank": (lambda t: t.update({"head.bias": np.ones((6, 1), np.float32)}), r"head\.bias"),
    "transposed": (lambda t: t.update({"head.weight": t["head.weight"].T.copy()}), "head.weight"),
    "float64": (lambda t: t.update({"head.bias": np.ones(6)}), "F64"),
    "float16": (lambda t: t.update({"head.bias": np.ones(6, np.float16)}), "F16"),
    "integers": (lambda t: t.update({"head.bias": np.ones(6, np.int32)}), "I32"),
    "NaN": (lambda t: t["head.bias"].__setitem__(3, np.nan), r"head\.bias .*not finite"),
    "infinite": (lambda t: t["head.bias"].__setitem__(3, np.inf), r"head\.bias .*not finite"),
}


@pytest.mark.parametrize("change", TENSOR_CHANGES)
def test_tensors_that_do_not_match_the_configuration_are_rejected(path, change):
    tensors = {name: values.copy() for name, values in load_file(path).items()}
    apply, named = TENSOR_CHANGES[change]
    apply(tensors)
    rewrite(path, tensors=tensors)
    assert_refused(path, named)


def test_a_changed_weight_is_rejected(path):
    tensors = {name: values.copy() for name, values in load_file(path).items()}
    tensors["head.bias"][0] += 1
    rewrite(path, tensors=tensors, sign=False)
    assert_refused(path, "digest")


CONFIG_CHANGES = [
    ("hidden_size", True),
    ("hidden_size", 5.0),
    ("hidden_size", "5"),
    ("hidden_size", None),
    ("hidden_size", 0),
    ("hidden_size", -5),
    ("hidden_size", 6),
    ("hidden_size", 10**18),
    ("hidden_size", 10**400),
    ("num_layers", 1),
    ("num_layers", 10**9),
    ("embedding_size", -1),
    ("embedding_size", [3]),
    ("cell", "lstm"),
    ("cell", "elman"),
    ("cell", 1),
    ("dropout", True),
    ("dropout", "0"),
    ("dropout", 1),
    ("dropout", -0.5),
    ("dropout", 10**400),
]


@pytest.mark.parametrize(("name", "value"), CONFIG_CHANGES, ids=lambda part: str(part)[:20])
def test_a_configuration_with_wrong_types_or_values_is_rejected(path, name, value):
    rewrite(path, lambda document: document["config"].update({name: value}))
    assert_refused(path, "damaged")


def tunes(**settings):
    return {"documents": "tunes", "settings": settings}


DESCRIPTION_CHANGES = {
    "config gone": lambda d: d.pop("config"),
    "config a list": lambda d: d.update(config=[]),
    "vocabulary gone": lambda d: d.pop("vocabulary"),
    "vocabulary a list": lambda d: d.update(vocabulary=list("\n aé🎶\0")),
    "vocabulary empty": lambda d: d.update(vocabulary=""),
    "vocabulary shorter": lambda d: d.update(vocabulary="\n aé🎶"),
    "character twice over": lambda d: d.update(vocabulary="\n aéaé"),
    "lone surrogate": lambda d: d.update(vocabulary="\n aé\ud83c\0"),
    "training gone": lambda d: d.pop("training"),
    "transposed in no way": lambda d: d["training"].update(reading=tunes(transpose="up")),
    "transposed as a list": lambda d: d["training"].update(reading=tunes(transpose=["tonic"])),
    "titles a number": lambda d: d["training"].update(reading=tunes(keep_titles=1)),
    "training a list": lambda d: d.update(training=[]),
    "history gone": lambda d: d.pop("history"),
    "history a list": lambda d: d.update(history=[]),
    "history without a column": lambda d: d["history"].pop("valid"),
    "documents a list": lambda d: d["training"]["config"].update(documents=["whole"]),
    "documents an object": lambda d: d["training"]["config"].update(documents={}),
    "a loss without end": lambda d: d["history"].update(train=[10**400]),
    "a share above 1": lambda d: d["training"]["config"].update(valid_fraction=5),
    "kind gone": lambda d: d.pop("kind"),
    "kind a list": lambda d: d.update(kind=["model"]),
}


@pytest.mark.parametrize("change", DESCRIPTION_CHANGES)
def test_invalid_metadata_is_rejected(path, change):
    rewrite(path, DESCRIPTION_CHANGES[change])
    assert_refused(path)


# ---- the parts of a corpus -----------------------------------------------------------------------

TEXTS = ("one fox\n\ntwo foxes\n" * 9, "three hens\nfour hens" * 7)
CORPUS = Corpus.from_texts(*TEXTS)


def model_of(**training):
    """Return a model of the characters of TEXTS, trained with these settings."""
    record = TrainingRecord(TrainConfig(**training))
    return random_checkpoint(CONFIG, "".join(sorted(set("".join(TEXTS)))), training=record)


@pytest.mark.parametrize("documents", ["whole", "lines", "paragraphs"])
@pytest.mark.parametrize("fraction", [0.1, 0.3])
@pytest.mark.parametrize("hold_out", HOLD_OUT)
def test_the_parts_are_split_as_in_training(documents, fraction, hold_out):
    settings = {"valid_fraction": fraction, "hold_out": hold_out}
    model = model_of(documents=documents, **settings)
    expected_parts = split(CORPUS, documents, **settings)
    for part, texts in zip(("train", "valid"), expected_parts, strict=True):
        actual, expected = part_of(model, CORPUS, part), texts.encode(model.tokenizer)
        np.testing.assert_array_equal(actual.ids, expected.ids)
        np.testing.assert_array_equal(actual.ends, expected.ends)


def test_all_of_a_corpus_keeps_its_documents():
    whole = part_of(model_of(documents="whole", valid_fraction=0.1), CORPUS)
    decoded = model_of().tokenizer.decode(whole.ids)
    assert decoded == TEXTS[0] + TEXTS[1]
    np.testing.assert_array_equal(whole.ends, [len(TEXTS[0]) - 1, len(decoded) - 1])


def test_a_model_without_a_training_record_uses_the_default_split():
    one, other = (
        part_of(model_of(**training), CORPUS, "valid")
        for training in ({}, {"documents": "whole", "valid_fraction": 0.1})
    )
    np.testing.assert_array_equal(one.ids, other.ids)


def test_unknown_characters_are_rejected_or_skipped():
    strange = Corpus.from_texts("one Ω fox")
    with pytest.raises(UnknownCharacterError, match=r"U\+03A9"):
        part_of(model_of(), strange)
    assert len(part_of(model_of(), strange, unknown="skip")) == 8


def test_a_run_with_a_separate_validation_corpus_has_no_valid_part():
    config = TrainConfig(seq_len=8, batch_size=2, valid_fraction=0.1)
    trainer = Trainer.new(CORPUS, CONFIG, train=config, valid=Corpus.from_texts(TEXTS[0]))
    assert len(part_of(trainer.checkpoint(), CORPUS, "train")) == len(trainer.data.text)
    with pytest.raises(CorpusError, match="without a held-out part"):
        part_of(trainer.checkpoint(), CORPUS, "valid")


@pytest.mark.parametrize(
    "place", [(), ("config",), ("training",), ("training", "config"), ("history",)], ids=str
)
def test_an_unknown_field_of_a_newer_version_asks_for_an_upgrade(path, place):
    def add(document):
        document["version"] = "0.9"
        for name in place:
            document = document[name]
        document["invented_later"] = [1]

    rewrite(path, add)
    assert_refused(path, r"was written by a newer charrnn \(0\.9\): upgrade")


def test_a_damaged_field_name_is_reported_as_damage(path):
    rewrite(
        path, lambda d: d["config"].update(hidden_sizf=d["config"].pop("hidden_size")), sign=False
    )
    assert_refused(path, "is damaged")


def test_a_missing_field_takes_the_value_from_before_it_existed(path, monkeypatch):
    """As in a file that was written before the setting was added."""
    (field,) = (field for field in fields(ModelConfig) if field.name == "weight_dropout")
    rewrite(path, lambda document: document["config"].pop("weight_dropout"))
    assert load(path).config.weight_dropout == field.default
    monkeypatch.setattr(field, "metadata", {**field.metadata, "before": 0.75})
    assert load(path).config.weight_dropout == 0.75
