"""Training in one call: charrnn.train and charrnn.resume do what `charrnn train` does."""

import copy
import dataclasses
import pickle
from typing import get_type_hints

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import charrnn
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import CheckpointError, ConfigError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.limits import Limits
from charrnn.training.train import Settings

TINY = {"hidden_size": 8, "batch_size": 32, "seq_len": 8, "max_steps": 12, "eval_every": 5}


def options(settings):
    return [
        word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)
    ]


@pytest.mark.parametrize("cores", [1, 2])
def test_train_writes_the_file_that_the_command_writes(
    cli, corpus_file, tmp_path, cores, monkeypatch
):
    """In one process, for any number of workers of the command."""
    monkeypatch.setattr("charrnn.training.cores.usable_cores", lambda: cores)
    monkeypatch.setattr("charrnn.training.train.usable_cores", lambda: cores)
    assert cli("train", corpus_file, "-o", "command.safetensors", *options(TINY)).code == 0
    charrnn.train(corpus_file, out=tmp_path / "python.safetensors", **TINY).fit()
    command, python = tmp_path / "command.safetensors", tmp_path / "python.safetensors"
    assert python.read_bytes() == command.read_bytes()


def test_resume_writes_the_file_that_the_command_writes(cli, corpus_file, tmp_path):
    for name in ("command", "python"):
        charrnn.train(corpus_file, out=tmp_path / f"{name}.safetensors", **TINY).fit()
    more = ("--resume", "--max-steps", 20)
    assert cli("train", corpus_file, "-o", "command.safetensors", *more).code == 0
    charrnn.resume(corpus_file, tmp_path / "python.safetensors", max_steps=20).fit()
    command, python = tmp_path / "command.safetensors", tmp_path / "python.safetensors"
    assert python.read_bytes() == command.read_bytes()


def test_one_worker_of_the_command_is_one_shard_in_python(cli, corpus_file, tmp_path):
    arguments = ("--workers", 1, *options(TINY))
    assert cli("train", corpus_file, "-o", "command.safetensors", *arguments).code == 0
    charrnn.train(corpus_file, out=tmp_path / "python.safetensors", shards=1, **TINY).fit()
    command, python = tmp_path / "command.safetensors", tmp_path / "python.safetensors"
    assert python.read_bytes() == command.read_bytes()


def test_a_trainer_can_be_iterated_or_fitted(corpus_file):
    reports = list(charrnn.train(corpus_file, **TINY))
    model = charrnn.train(corpus_file, **TINY).fit(progress=False)
    assert model.training.steps == reports[-1].step == 12
    assert [entry.step for entry in model.history] == [5, 10, 12]


def test_the_bar_shows_the_loss(corpus_file, capsys):
    charrnn.train(corpus_file, **TINY).fit(progress=True)
    assert "step 12, loss" in capsys.readouterr().err


def test_the_settings_of_train_are_the_fields_of_the_settings_classes():
    expected = {}
    for settings in (ModelConfig, TrainConfig, Limits):
        hints = get_type_hints(settings)
        expected |= {field.name: hints[field.name] for field in dataclasses.fields(settings)}
    assert get_type_hints(Settings) == expected


def test_a_list_gets_a_suggestion_unless_its_documents_are_stated():
    names = Corpus.from_texts("Ada\nGrace\nJoan Clarke\n" * 30)

    def suggested(corpus, **settings):
        notices = charrnn.train(corpus, **TINY, **settings).notices
        return any("to treat each line as a document" in notice for notice in notices)

    assert suggested(names)
    assert not suggested(names, documents="lines")
    assert not suggested(names, documents="whole")
    assert not suggested(Corpus.from_texts("It was late. Nobody came,\nand nothing.\n" * 30))


def test_the_suggestion_for_a_list_names_the_option(cli, tmp_path):
    (tmp_path / "names.txt").write_text("Ada\nGrace\nJoan Clarke\n" * 30)
    result = cli("train", "names.txt", *options(TINY))
    assert "charrnn: the corpus looks like a list; to treat each line as a document, pass " in (
        result.err
    )
    assert "pass --documents lines" in result.err


def test_a_misspelled_setting_gets_a_suggestion(corpus_file):
    with pytest.raises(TypeError, match="'hiden_size'; did you mean 'hidden_size'"):
        charrnn.train(corpus_file, hiden_size=8)
    with pytest.raises(TypeError, match=r"resume\(\) got an unexpected keyword argument 'colour'"):
        charrnn.resume(corpus_file, "x.safetensors", colour=8)


def test_an_existing_model_is_replaced_only_with_overwrite(corpus_file, tmp_path):
    out = tmp_path / "model.safetensors"
    charrnn.train(corpus_file, out=out, **TINY).fit()
    with pytest.raises(CheckpointError, match="exists"):
        charrnn.train(corpus_file, out=out, **TINY)
    charrnn.train(corpus_file, out=out, overwrite=True, seed=1, **TINY).fit()
    assert charrnn.load(out).training.config.seed == 1


def test_settings_for_tunes_are_rejected_for_text(corpus_file):
    with pytest.raises(ConfigError, match="transpose applies only to tunes"):
        charrnn.train(corpus_file, reading=charrnn.TuneReading("all"), **TINY)


# ---- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_model_has_its_own_weights(model_file, copied):
    model = charrnn.load(model_file)
    before = charrnn.generate(model, length=50, seed=1)
    other = copied(model)
    assert charrnn.generate(other, length=50, seed=1) == before
    other.parameters.flat[...] = 0
    assert not other.parameters["head.weight"].any()
    assert charrnn.generate(model, length=50, seed=1) == before


def test_a_copy_of_a_network_trains_independently(model_file):
    model = charrnn.load(model_file)
    network = copy.deepcopy(charrnn.CharRNN(model.config, 9))
    ids = np.zeros((4, 2), np.uint8)
    network.parameters.flat[...] = 0.1
    gradients = network.new_gradients()
    loss, _, _ = network.train(ids, ids, network.zero_state(2), gradients)
    network.parameters.flat[...] -= 0.1 * gradients.flat
    assert network.train(ids, ids, network.zero_state(2), gradients)[0] < loss


def test_a_trainer_cannot_be_copied(corpus_file):
    trainer = charrnn.train(corpus_file, **TINY)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"copy trainer\.checkpoint\(\)"):
            copied(trainer)


def test_representations_are_one_short_line(model_file, corpus_file):
    model = charrnn.load(model_file)
    things = [model, model.parameters, model.tokenizer, model.model(), charrnn.read(corpus_file)]
    for thing in [*things, charrnn.train(corpus_file, **TINY)]:
        assert len(repr(thing)) < 120
        assert "\n" not in repr(thing)


# ---- threads -------------------------------------------------------------------------------------


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_two_trainers_do_not_change_the_number_of_threads(corpus_file):
    before = threads()
    one, other = (iter(charrnn.train(corpus_file, **TINY)) for _ in range(2))
    next(one), next(other)
    assert threads() == before  # between steps, too
    list(one), list(other)
    assert threads() == before


def test_training_uses_one_thread_unless_the_environment_sets_a_number(monkeypatch):
    from charrnn.nn.blas import VARIABLES, training_threads

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert training_threads(shards=1) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert training_threads(shards=1) is None
    assert training_threads(shards=2) == 1
