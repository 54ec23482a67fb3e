"""`charrnn evaluate`: its figures and its errors."""

import json

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from tests.cli.runs import save_constant_model
from tests.helpers import assert_refused
from tests.inference.models import huge_model


def evaluated(cli, *arguments):
    result = cli("evaluate", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def test_evaluate_json_has_these_keys(cli, model_file, corpus_file):
    figures = evaluated(cli, model_file, corpus_file)
    keys = {"nats_per_char", "bits_per_char", "perplexity", "accuracy", "characters"}
    assert figures.keys() == keys
    assert figures["bits_per_char"] == pytest.approx(figures["nats_per_char"] / np.log(2))
    assert figures["perplexity"] == pytest.approx(np.exp(figures["nats_per_char"]))
    assert figures["characters"] == len(corpus_file.read_text()) - 1
    assert 0 < figures["accuracy"] < 1


def test_evaluate_prints_the_same_figures(cli, model_file, corpus_file):
    figures = evaluated(cli, model_file, corpus_file)
    result = cli("evaluate", model_file, corpus_file)
    assert (result.code, result.err) == (0, "")
    for name in ("nats_per_char", "bits_per_char"):
        assert f"{figures[name]:.4f}" in result.out
    assert f"{figures['accuracy']:.1%}" in result.out
    assert f"{figures['characters']:,}" in result.out


def test_the_perplexity_of_a_uniform_model_is_the_size_of_its_alphabet(cli, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "abcd")
    (tmp_path / "text.txt").write_text("abcd" * 10)
    figures = evaluated(cli, model, "text.txt")
    assert figures["bits_per_char"] == pytest.approx(2)
    assert figures["perplexity"] == pytest.approx(4)
    assert figures["accuracy"] == pytest.approx(9 / 39)  # one of four equally likely characters
    assert figures["characters"] == 39


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_loss_that_is_not_finite_is_an_error(cli, tmp_path, form):
    huge_model().save(tmp_path / "m.safetensors")
    (tmp_path / "text.txt").write_text("abc cab\n" * 9)
    assert_refused(cli("evaluate", "m.safetensors", "text.txt", *form), 1, "the loss is nan")


def test_the_parts_are_those_of_the_training_split(cli, model_file, corpus_file):
    characters = {
        split: evaluated(cli, model_file, corpus_file, "--split", split)["characters"]
        for split in ("train", "valid", "all")
    }
    text = len(corpus_file.read_text())
    assert characters["all"] == text - 1
    assert characters["train"] == int(text * 0.9) - 1
    assert characters["valid"] == text - int(text * 0.9) - 1


def test_the_valid_part_has_the_validation_loss_of_the_training(cli, model_file, corpus_file):
    best = min(entry.valid for entry in load(model_file).history)
    figures = evaluated(cli, model_file, corpus_file, "--split", "valid")
    assert figures["nats_per_char"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    "options", [["--streams", "4"], ["--streams", "1000000"], ["--block-size", "64"]], ids=" ".join
)
def test_approximate_evaluation_scores_every_character(cli, model_file, corpus_file, options):
    exact = evaluated(cli, model_file, corpus_file)
    figures = evaluated(cli, model_file, corpus_file, *options)
    assert figures["characters"] == exact["characters"]
    assert figures["nats_per_char"] == pytest.approx(exact["nats_per_char"], rel=0.2)
    assert figures["nats_per_char"] != exact["nats_per_char"]


@pytest.mark.parametrize("option", ["--block-size", "--streams"])
def test_block_size_and_streams_can_exceed_the_text(cli, model_file, corpus_file, option):
    figures = evaluated(cli, model_file, corpus_file, option, 10**30)
    exact = evaluated(cli, model_file, corpus_file)
    assert figures["characters"] == exact["characters"]


def test_short_blocks_predict_worse_than_one_pass(cli, model_file, corpus_file):
    exact = evaluated(cli, model_file, corpus_file)
    blocks = evaluated(cli, model_file, corpus_file, "--block-size", "2")
    assert blocks["nats_per_char"] > 1.1 * exact["nats_per_char"]


def test_evaluate_reads_standard_input(process, model_file, corpus_file):
    arguments = ["evaluate", model_file, "--json"]
    from_file = process(*arguments, corpus_file)
    result = process(*arguments, "-", input=corpus_file.read_bytes())
    assert (result.code, result.err) == (0, "")
    assert result.out == from_file.out


def test_evaluate_names_or_skips_unknown_characters(cli, model_file, tmp_path):
    (tmp_path / "text.txt").write_text("The cåt sat\n", encoding="utf-8")
    assert_refused(cli("evaluate", model_file, "text.txt"), 1, "U+00E5", "--unknown skip")
    result = cli("evaluate", model_file, "text.txt", "--unknown", "skip", "--json")
    assert json.loads(result.out)["characters"] == len("The ct sat\n") - 1
    assert result.err == "charrnn: skipped 1 character not in the model's alphabet\n"


def test_a_model_without_a_held_out_part_has_one_error(cli, novel, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "abc", valid_fraction=0.0)
    result = cli("evaluate", model, novel, "--split", "valid")
    assert_refused(result, 1, "trained without a held-out part; use --split all")
    assert result.err.count("\n") == 1


def test_evaluate_folds_unknown_characters(cli, model_file, tmp_path):
    (tmp_path / "text.txt").write_text("The cåt ж\u00a0sat\n", encoding="utf-8")
    result = cli("evaluate", model_file, "text.txt", "--unknown", "fold", "--json")
    assert json.loads(result.out)["characters"] == len("The cat  sat\n") - 1
    assert result.err == (
        "charrnn: replaced 2 characters with similar ones from the model's alphabet\n"
        "charrnn: skipped 1 character not in the model's alphabet\n"
    )


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["{corpus}", "--streams", "0"], 2, "streams"),
        (["{corpus}", "--block-size", "0"], 2, "--block-size"),
        (["{corpus}", "--block-size", "-1"], 2, "--block-size"),
        (["nowhere.txt"], 1, "nowhere.txt does not exist"),
        (["one.txt"], 1, "the text has 1 character; evaluation needs at least 2"),
        (["one.txt", "--unknown", "skip", "--encoding", "utf-16"], 1, "not valid UTF-16"),
    ],
)
def test_invalid_evaluations_are_refused(
    cli, model_file, corpus_file, tmp_path, options, code, word
):
    (tmp_path / "one.txt").write_text("T")
    result = cli("evaluate", model_file, *(each.format(corpus=corpus_file) for each in options))
    assert_refused(result, code, word)
