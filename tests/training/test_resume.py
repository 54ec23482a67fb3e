"""A stopped or killed run resumes bit for bit, and only as the same run."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.output import resume_path
from charrnn.errors import CharRNNError, CheckpointError, ConfigError
from charrnn.nn.cells import CELLS
from charrnn.nn.model import Reader
from charrnn.nn.optim import OPTIMIZERS, SCHEDULES
from charrnn.text.corpus import Corpus
from charrnn.training.trainer import Trainer
from tests.helpers import finish, rewrite, run_to
from tests.tiny import CORPUS, LIMITS, MODEL, TRAIN, make_text, make_trainer

# ---- stopped and resumed -------------------------------------------------------------------------

VARIANTS = {
    **{name: (MODEL, replace(TRAIN, optimizer=name, schedule="constant")) for name in OPTIMIZERS},
    **{name: (MODEL, replace(TRAIN, schedule=name)) for name in SCHEDULES},
    **{name: (replace(MODEL, cell=name, num_layers=2), TRAIN) for name in CELLS},
    "onehot": (replace(MODEL, embedding_size=0), TRAIN),
    "lines": (MODEL, replace(TRAIN, documents="lines")),
    "weight_decay": (MODEL, replace(TRAIN, optimizer="adamw", weight_decay=0.1)),
    "no validation": (MODEL, replace(TRAIN, valid_fraction=0.0)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, variant):
    model, train = VARIANTS[variant]
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(make_trainer(whole, model=model, train=train))
    stopped = make_trainer(parts, model=model, train=train)
    run_to(stopped, 11)
    assert stopped.stopped
    assert parts.read_bytes() != whole.read_bytes()
    resumed = Trainer.resume(CORPUS, parts)
    assert resumed.counters.step == 11
    assert resumed.notices == []
    finish(resumed)
    assert parts.read_bytes() == whole.read_bytes()


def comparable(reports):
    """Return reports without times, by step and kind: a stopped run evaluates only on resume."""
    return {
        (report.step, report.evaluation is None): replace(
            report,
            seconds=0.0,
            learning_rate=0.0 if report.evaluation else report.learning_rate,
            gradient_norm=0.0 if report.evaluation else report.gradient_norm,
        )
        for report in reports
    }


@pytest.mark.parametrize(
    "steps", [[1], [5], [9], [10], [23], [24], [7, 12], [5, 5, 6], [10, 15, 20]]
)
def test_stopping_at_any_step_and_repeatedly_changes_nothing(tmp_path, uninterrupted, steps):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    reports = []
    for step in steps:
        reports += run_to(trainer, step)
        trainer = Trainer.resume(CORPUS, out)
    reports += finish(trainer)
    assert out.read_bytes() == uninterrupted[0]
    assert len(reports) == len(uninterrupted[1])
    assert comparable(reports) == comparable(uninterrupted[1])


def test_a_stop_before_the_first_step(tmp_path, uninterrupted):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    trainer.stop()
    assert finish(trainer) == []
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == uninterrupted[0]


def test_a_stop_during_the_last_evaluation_leaves_it_due(tmp_path, monkeypatch):
    out, whole = tmp_path / "model.safetensors", tmp_path / "whole.safetensors"
    finish(make_trainer(whole))
    trainer = make_trainer(out)
    losses = Reader.losses

    def stopping(*arguments):
        if trainer.counters.step == 24:
            trainer.stop()
        return losses(*arguments)

    monkeypatch.setattr(Reader, "losses", stopping)
    finish(trainer)
    assert trainer.stopped
    assert not trainer.finished()
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("abandoned_at", [6, 13, 24])
def test_a_killed_run_continues_from_its_last_save(tmp_path, uninterrupted, abandoned_at):
    out = tmp_path / "model.safetensors"
    for report in make_trainer(out).run():
        if report.step == abandoned_at:
            break
    resumed = Trainer.resume(CORPUS, out)
    assert resumed.counters.step == (abandoned_at - 1) // 5 * 5
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


def test_a_run_may_be_stopped_and_continued_in_one_process(tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(make_trainer(whole))
    trainer = make_trainer(parts)
    run_to(trainer, 11)
    assert trainer.stopped
    finish(trainer)
    assert parts.read_bytes() == whole.read_bytes()


# ---- notices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_lost_model_is_written_again(tmp_path, uninterrupted, change):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 11)
    change(out)
    resumed = Trainer.resume(CORPUS, out)
    assert any("will be rewritten" in notice for notice in resumed.notices)
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


def test_another_machine_is_reported(tmp_path, monkeypatch):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    monkeypatch.setattr("charrnn.training.trainer.fingerprint", lambda _: {"numpy": "0"})
    assert any("bit for bit" in notice for notice in Trainer.resume(CORPUS, out).notices)


def test_a_model_next_to_the_resume_file_of_another_run_is_rejected(
    tmp_path, full_disk, monkeypatch, uninterrupted
):
    """A disk that fills up while a run is overwritten leaves such files."""
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 7)
    full_disk(left=1)
    other = make_trainer(out, train=replace(TRAIN, seed=5), overwrite=True)
    with pytest.raises(CheckpointError, match="no space left"):
        run_to(other, 2)
    monkeypatch.undo()
    assert load(out).training.config.seed == 5
    before = out.read_bytes()
    with pytest.raises(CheckpointError, match=r"belong to different runs.*init_from"):
        Trainer.resume(CORPUS, out)
    assert out.read_bytes() == before
    out.rename(tmp_path / "other.safetensors")
    finish(Trainer.resume(CORPUS, out))
    assert out.read_bytes() == uninterrupted[0]


def test_a_model_one_save_ahead_of_its_resume_file_is_reported_and_harmless(
    tmp_path, full_disk, monkeypatch, uninterrupted
):
    out = tmp_path / "model.safetensors"
    full_disk(left=3)
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=5))
    with pytest.raises(CheckpointError):
        run_to(trainer, 10)
    monkeypatch.undo()
    resumed = Trainer.resume(CORPUS, out)
    assert (load(out).training.steps, resumed.counters.step) == (10, 5)
    assert any("does not match its resume file" in notice for notice in resumed.notices)
    finish(resumed)
    assert out.read_bytes() == uninterrupted[0]


# ---- rejected runs -------------------------------------------------------------------------------


def test_a_change_of_arithmetic_is_reported(tmp_path):
    """As after a release that changed the last bits of results."""
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    rewrite(resume_path(out), lambda document: document["fingerprint"].update(bits="0.0.1"))
    (notice,) = Trainer.resume(CORPUS, out).notices
    assert "not be the same bit for bit" in notice


def test_the_number_of_workers_is_not_stored_in_the_model(cli, corpus_file, tmp_path):
    run = ("--shards", 2, "--hidden-size", 8, "--batch-size", 8, "--seq-len", 8, "--max-steps", 5)
    for workers in (1, 2):
        out = f"{workers}.safetensors"
        assert cli("train", corpus_file, "-o", out, "--workers", workers, *run).code == 0
    one, two = (tmp_path / f"{workers}.safetensors" for workers in (1, 2))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    "text",
    [make_text(seed=1), make_text()[:-1], make_text() + "Ω", "the cat"],
    ids=["other", "shorter", "new character", "too short"],
)
def test_another_corpus_is_rejected(tmp_path, text):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="corpus"):
        Trainer.resume(Corpus.from_texts(text), out)
    assert out.read_bytes() == before


def test_the_validation_corpus_belongs_to_the_run(tmp_path):
    valid, out = Corpus.from_texts(make_text(500, seed=5)), tmp_path / "model"
    run_to(make_trainer(out, valid=valid), 3)
    assert Trainer.resume(CORPUS, out, valid=valid).counters.step == 3
    for other in (None, Corpus.from_texts(make_text(500, seed=6))):
        with pytest.raises(ConfigError, match=r"not the valid corpus that .* was validated on"):
            Trainer.resume(CORPUS, out, valid=other)


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_size", 9), ("cell", "lstm"), ("seed", 1), ("learning_rate", 1.0)]
)
def test_a_changed_setting_is_rejected_by_name(tmp_path, name, value):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    same = {**asdict(MODEL), **asdict(TRAIN)}[name]
    assert Trainer.resume(CORPUS, out, **{name: same}).counters.step == 3
    with pytest.raises(ConfigError, match=f"{name} cannot change from {same} to {value} on resume"):
        Trainer.resume(CORPUS, out, **{name: value})


def test_resuming_without_a_run_is_an_error(tmp_path):
    out = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not exist"):
        Trainer.resume(CORPUS, out)
    run_to(make_trainer(out), 3)
    resume_path(out).write_bytes(out.read_bytes())
    with pytest.raises(CheckpointError, match="is a model file, not a resume file"):
        Trainer.resume(CORPUS, out)


def test_any_flipped_bit_of_a_resume_file_is_rejected(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    good, whole = resume_path(out).read_bytes(), state_of(Trainer.resume(CORPUS, out))
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(good), 60):
        damaged = bytearray(good)
        damaged[position] ^= 1 << int(rng.integers(8))
        resume_path(out).write_bytes(damaged)
        try:
            resumed = Trainer.resume(CORPUS, out)
        except CharRNNError:
            refused += 1
        else:  # for example, a last digit that does not change the number
            assert state_of(resumed) == whole
    assert refused > 50


def state_of(trainer):
    return trainer.counters, trainer.history, trainer.limits, trainer.parameters.flat.tobytes()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("config", {"hidden_size": 10**7}),
        ("config", {"hidden_size": 9}),
        ("training", {"learning_rate": 10**400}),
        ("training", {"seed": -1}),
        ("training", {"optimizer": "sgd"}),
        ("limits", {"minutes": 10**400}),
        ("limits", {"max_steps": 0.5}),
        ("counters", {"step": "6"}),
        ("counters", {"step": 10**400}),
        ("counters", {"step": -1}),
        ("counters", {"seconds": 1e300}),
        ("counters", {"unknown": 1}),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_forged_resume_file_is_rejected(tmp_path, part, change):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    rewrite(resume_path(out), lambda document: document[part].update(change))
    with pytest.raises(CheckpointError):
        Trainer.resume(CORPUS, out)


@pytest.mark.parametrize("history", [None, {}, [3], {"step": [5], "train": [1], "valid": ["1"]}])
def test_a_forged_history_is_rejected(tmp_path, history):
    """It would be copied into the model file and make it unreadable."""
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 6)
    rewrite(resume_path(out), lambda document: document.update(history=history))
    with pytest.raises(CheckpointError, match="is damaged"):
        Trainer.resume(CORPUS, out)
