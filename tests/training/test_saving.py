"""A run writes two files and no others, loses none, and survives a failing disk."""

import errno
from dataclasses import replace
from types import SimpleNamespace

import pytest

from charrnn.checkpoints import atomic, container
from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.output import resume_path
from charrnn.errors import CheckpointError
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import failing, finish, run_to
from tests.tiny import CORPUS, LIMITS, MODEL, TRAIN, make_trainer

# ---- the files of a run --------------------------------------------------------------------------


def test_a_trainer_without_out_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = make_trainer()
    finish(trainer)
    trainer.save()
    assert list(tmp_path.iterdir()) == []


def test_a_run_writes_only_the_model_and_the_resume_file(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    assert list(tmp_path.iterdir()) == []
    finish(trainer)
    assert set(tmp_path.iterdir()) == {out, resume_path(out)}


def test_an_unwritable_out_is_rejected_before_training(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        make_trainer(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        make_trainer(tmp_path / "missing" / "model")
    with pytest.raises(CheckpointError, match="name too long"):
        make_trainer(tmp_path / ("x" * 240))  # its resume file's name is the longer one


def test_an_existing_model_or_resume_file_is_not_replaced(tmp_path):
    out = tmp_path / "model.safetensors"
    run_to(make_trainer(out), 3)
    for lost in (out, resume_path(out)):
        with pytest.raises(CheckpointError, match="overwrite=True"):
            make_trainer(out)
        lost.unlink()
    run_to(make_trainer(out), 3)
    assert Trainer.new(
        CORPUS, MODEL, train=TRAIN, limits=Limits(max_steps=1), out=out, overwrite=True
    )


def test_foreign_files_are_never_overwritten(tmp_path):
    text = tmp_path / "novel.txt"
    text.write_text("my only copy")
    with pytest.raises(CheckpointError, match=r"is not a model file"):
        Trainer.new(CORPUS, MODEL, train=TRAIN, out=text, overwrite=True)
    with pytest.raises(CheckpointError, match="choose another out"):
        make_trainer(tmp_path / "a.resume.safetensors")
    assert text.read_text() == "my only copy"


# ---- saves that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [f("no space left") for f in (CheckpointError, MemoryError)])
def test_a_failed_save_is_reported_and_tried_again(tmp_path, monkeypatch, failure):
    out = tmp_path / "model.safetensors"
    write, calls = container.write_atomically, []

    def failing(path, data):
        calls.append(path)
        if len(calls) == 1:
            raise failure
        write(path, data)

    monkeypatch.setattr(container, "write_atomically", failing)
    reports = finish(make_trainer(out))
    assert ["no space left" in r.notice for r in reports if r.notice] == [True]
    assert load(out).training.steps == 24


def test_too_little_disk_space_is_reported_before_training(tmp_path, monkeypatch):
    out = tmp_path / "model.safetensors"
    disk = SimpleNamespace(total=10**6, free=50_000)
    monkeypatch.setattr("charrnn.checkpoints.output.shutil.disk_usage", lambda _: disk)
    run_to(make_trainer(out), 2)
    taken = out.stat().st_size + resume_path(out).stat().st_size
    disk.free -= taken
    Trainer.resume(CORPUS, out)  # its files replace the existing ones
    disk.free = 5_000
    for make in (make_trainer, lambda out: Trainer.resume(CORPUS, out)):
        out = tmp_path / ("other.safetensors" if make is make_trainer else "model.safetensors")
        with pytest.raises(CheckpointError, match=r"not enough disk space .* out"):
            make(out)
    disk.total = disk.free = 0  # unknown
    make_trainer(tmp_path / "other.safetensors")


def stop_at_a_failed_save(trainer):
    for report in trainer.run():
        if report.notice:
            assert "trying again" in report.notice
            trainer.stop()


def test_a_stop_after_a_failed_save_saves_before_the_run_ends(tmp_path, full_disk, monkeypatch):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out)
    full_disk()
    with pytest.raises(CheckpointError, match="no space left"):
        stop_at_a_failed_save(trainer)
    assert not trainer.stopped
    monkeypatch.undo()
    trainer.stop()
    finish(trainer)
    assert trainer.stopped
    assert Trainer.resume(CORPUS, out).counters.step == trainer.counters.step == 5


def test_a_failed_last_save_can_be_repeated(tmp_path, full_disk, monkeypatch, uninterrupted):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=100))
    full_disk()
    with pytest.raises(CheckpointError, match="no space left"):
        finish(trainer)
    assert trainer.counters.step == 24
    monkeypatch.undo()
    assert finish(trainer) == []
    assert out.read_bytes() == uninterrupted[0]
    assert trainer.finished()


def test_a_save_that_fails_after_the_rename_can_be_repeated(tmp_path, monkeypatch, uninterrupted):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, limits=replace(LIMITS, save_every=100))
    monkeypatch.setattr(atomic, "sync_folder", failing(errno.EIO))
    with pytest.raises(CheckpointError, match="input/output"):
        finish(trainer)
    monkeypatch.undo()
    assert out.exists()
    finish(trainer)
    assert out.read_bytes() == uninterrupted[0]
