"""Two runs on one output: the second fails immediately and names the first."""

import errno
import os
import signal
from pathlib import Path

import pytest

from charrnn.checkpoints.lock import lock_path, locked
from charrnn.errors import CheckpointError
from tests.helpers import failing, finish, linux, posix, wait_for_line
from tests.tiny import CORPUS, OPTIONS, make_trainer


@pytest.fixture
def first(start, tmp_path):
    """A run that has saved and continues."""
    (tmp_path / "novel.txt").write_text(CORPUS.texts[0])
    run = start("train", "novel.txt", *OPTIONS, "--max-steps=1000000", "--eval-every=5")
    wait_for_line(run.stderr, b"step 10 ")
    return run


@pytest.mark.parametrize("options", ["", "--resume", "--overwrite"])
def test_a_second_run_fails_immediately_and_names_the_first(first, cli, options):
    result = cli("train", "missing.txt", "-o", "novel.safetensors", *options.split())
    assert (result.code, result.out) == (1, "")
    assert (
        f"novel.safetensors is being written by another run (charrnn process {first.pid}, since 2"
        in result.err
    )
    assert first.poll() is None


@posix
@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM"])
def test_the_lock_is_released_when_its_run_ends(first, cli, tmp_path, end):
    first.send_signal(getattr(signal, end))
    first.stderr.close()
    first.wait()
    assert lock_path(tmp_path / "novel.safetensors").exists() == (end == "SIGKILL")
    result = cli("train", "novel.txt", "--resume", "--max-steps", "1")
    assert result.code == 0
    assert not lock_path(tmp_path / "novel.safetensors").exists()


def test_all_names_of_a_model_share_one_lock(tmp_path):
    """All of these names share the model or its resume file."""
    (tmp_path / "link.safetensors").symlink_to("model.safetensors")
    names = ("model.safetensors", "model", "link.safetensors", f"../{tmp_path.name}/model")
    with locked(tmp_path / "model.safetensors"):
        for name in names:
            with pytest.raises(CheckpointError, match="process"), locked(tmp_path / name):
                pass
    with locked(tmp_path / "model"):
        pass


def test_runs_in_one_process_exclude_each_other(tmp_path):
    out = tmp_path / "model.safetensors"
    first, second = make_trainer(out), make_trainer(out)
    reports = first.run()
    next(reports)
    with pytest.raises(CheckpointError, match="is being written by another run"):
        next(second.run())
    with pytest.raises(CheckpointError, match="is being written by another run"):
        make_trainer(out, overwrite=True)
    reports.close()
    assert len(finish(second)) > 3
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_run_does_not_overwrite_what_a_later_run_saved(tmp_path):
    """The lock is free again, but continuing would undo the other run."""
    out = tmp_path / "model.safetensors"
    late, early = make_trainer(out), make_trainer(out)
    finish(early)
    after = out.read_bytes()
    with pytest.raises(CheckpointError, match="another run has written"):
        finish(late)
    assert out.read_bytes() == after


def test_a_lock_is_released_even_if_its_file_cannot_be_removed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing(errno.EACCES))
        with locked(tmp_path / "model"):
            pass
    assert lock_path(tmp_path / "model").exists()
    with locked(tmp_path / "model"):
        pass
    assert not lock_path(tmp_path / "model").exists()


def test_without_file_system_locks_nothing_is_locked(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", failing(errno.EOPNOTSUPP))
    with locked(tmp_path / "model"), locked(tmp_path / "model"):
        pass


# ---- lock files of others ------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "mine", "process 1", "charrnn process 1, since 2026-1-1"])
def test_a_foreign_lock_file_is_locked_but_never_changed(tmp_path, content):
    file = lock_path(tmp_path / "model")
    file.write_text(content)
    with locked(tmp_path / "model"):
        assert file.read_text() == content
        with pytest.raises(CheckpointError, match=r"\(just started\)"), locked(tmp_path / "model"):
            pass
    assert file.read_text() == content


@pytest.mark.parametrize("name", ["", "charrnn "])
def test_a_leftover_of_any_version_is_taken_over_and_removed(tmp_path, name):
    file = lock_path(tmp_path / "model")
    file.write_text(f"{name}process 123, since 2026-11-21 18:00:00\n")
    with locked(tmp_path / "model"):
        assert file.read_text().startswith(f"charrnn process {os.getpid()}, since 2")
    assert not file.exists()


@posix
def test_a_run_of_0_1_0_holds_the_same_lock(tmp_path):
    import fcntl

    file = lock_path(tmp_path / "model")
    file.write_text("process 123, since 2026-11-21 18:00:00\n")
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CheckpointError, match="process 123, since"), locked(tmp_path / "model"):
            pass


@posix
@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to("victim")], ids=range(3)
)
def test_what_is_no_regular_file_is_an_error_with_its_path(tmp_path, make):
    file = lock_path(tmp_path / "model")
    make(file)
    with (
        pytest.raises(CheckpointError, match=rf"cannot open the lock file {file}: .*; choose"),
        locked(tmp_path / "model"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_lock_whose_file_was_just_removed_is_taken_again(tmp_path, monkeypatch):
    """Its file was removed after it was opened and before it was locked."""
    fcntl = pytest.importorskip("fcntl")
    flock, held = fcntl.flock, [locked(tmp_path / "model")]
    held[0].__enter__()

    def leave_first(*arguments):
        if held:
            held.pop().__exit__(None, None, None)
        return flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", leave_first)
    with locked(tmp_path / "model"):
        monkeypatch.undo()
        with pytest.raises(CheckpointError), locked(tmp_path / "model"):
            pass


@linux
def test_workers_do_not_inherit_the_lock(tmp_path):
    out = tmp_path / "model.safetensors"
    trainer = make_trainer(out, workers=2)
    reports = trainer.run()
    next(reports)
    (worker,) = trainer.exchange._workers
    holders = []
    for pid in (os.getpid(), worker.pid):
        opened = [os.path.realpath(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
        holders += [pid] * opened.count(str(lock_path(out)))
    reports.close()
    assert holders == [os.getpid()]
