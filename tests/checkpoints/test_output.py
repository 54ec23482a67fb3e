"""Everything that could prevent a run from saving is found before it starts."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from charrnn.checkpoints import output
from charrnn.checkpoints.container import write
from charrnn.checkpoints.lock import lock_path
from charrnn.checkpoints.output import Output, description, resume_path
from charrnn.errors import CheckpointError
from tests.checkpoints.models import make_checkpoint
from tests.helpers import failing


def test_the_resume_file_is_next_to_the_model():
    assert resume_path("runs/a.safetensors") == Path("runs/a.resume.safetensors")
    assert resume_path("runs/a.b") == Path("runs/a.b.resume.safetensors")


def test_checking_an_output_leaves_nothing_behind(tmp_path):
    Output(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_bytes(b"old")
    Output(tmp_path / "old")
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_outputs_that_would_fail_later_are_rejected(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is a folder"):
        Output(tmp_path)
    for missing in ("missing/model", "file/model"):
        with pytest.raises(CheckpointError, match="does not exist"):
            Output(tmp_path / missing)
    with pytest.raises(CheckpointError, match="name too long"):
        Output(tmp_path / ("x" * 300))
    monkeypatch.setattr(os, "open", failing(errno.ENOSPC))
    with pytest.raises(CheckpointError, match="no space left"):
        Output(tmp_path / "model")


def test_checking_does_not_write_through_a_symlink(tmp_path):
    """In a shared folder, anyone may create such a link; its target is not ours."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".model.charrnn-0123456789ab.tmp").symlink_to(victim)
    Output(tmp_path / "model")
    lock_path(tmp_path / "model").symlink_to(victim)
    with pytest.raises(CheckpointError, match=r"cannot open the lock file .*: too many levels"):
        Output(tmp_path / "model")
    assert victim.read_text() == "precious"


# ---- a new run, and one to resume ----------------------------------------------------------------


def write_resume_file(path):
    write(resume_path(path), "resume", {}, {"vocabulary": "abc"})


def test_a_new_run_replaces_a_run_only_with_overwrite(path):
    write_resume_file(path)
    for lost in (path, resume_path(path)):
        with pytest.raises(CheckpointError, match=rf"{lost.name} already exists.*overwrite=True"):
            Output.new(path)
        assert Output.new(path, overwrite=True).path == path
        lost.unlink()
    Output.new(path)


def test_a_new_run_never_replaces_a_foreign_file(tmp_path):
    (tmp_path / "novel.txt").write_text("my only copy")
    with pytest.raises(CheckpointError, match="is not a model file"):
        Output.new(tmp_path / "novel.txt", overwrite=True)


@pytest.mark.parametrize("name", ["a.resume.safetensors", "-"])
def test_reserved_names_are_rejected(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be named"):
        Output.new(name)


def test_resuming_needs_the_resume_file_but_not_the_model(path):
    with pytest.raises(CheckpointError, match=r"model\.resume\.safetensors does not exist"):
        Output.of_run(path)
    write_resume_file(path)
    path.unlink()
    assert Output.of_run(path).digest is None
    resume_path(path).unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not exist; omit resume"):
        Output.of_run(path)


# ---- one run at a time ---------------------------------------------------------------------------


def test_only_one_run_at_a_time_can_claim_the_files(path):
    first, second = Output(path), Output(path)
    refused = pytest.raises(CheckpointError, match="is being written by another run")
    with first.claimed(), refused, second.claimed():
        pass
    with second.claimed():
        pass


def test_a_run_does_not_overwrite_what_another_wrote_meanwhile(path):
    late = Output(path)
    with Output(path).claimed():
        make_checkpoint().save(path)  # the same bytes, so nothing has changed
    with late.claimed():
        pass
    write(path, "model", {}, {})
    with pytest.raises(CheckpointError, match="another run has written"), late.claimed():
        pass


def test_the_digest_is_that_of_the_current_model(path):
    files = Output(path)
    assert files.digest == description(path)["digest"]
    assert files.save(lambda to: write(to, "model", {}, {})) == files.digest
    assert files.digest == description(path)["digest"]


def test_the_digest_is_that_of_the_current_model_even_if_writing_fails(path):
    def write_and_fail(to):
        write(to, "model", {}, {})
        raise CheckpointError("the folder could not be brought to the disk")

    files, before = Output(path), description(path)["digest"]
    with pytest.raises(CheckpointError):
        files.save(write_and_fail)
    assert files.digest == description(path)["digest"] != before


# ---- disk space ----------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch):
    """A disk whose free space a test can set."""
    disk = SimpleNamespace(total=10**6, free=0)
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: disk)
    return disk


def test_the_disk_needs_room_for_both_files_and_a_second_resume_file(tmp_path, disk):
    files = Output(tmp_path / "model")
    disk.free = 100 + 2 * 300
    files.check_space(model=100, resume=300)
    disk.free -= 1
    with pytest.raises(CheckpointError, match=r"not enough disk space in .*needs 0\.0 MB"):
        files.check_space(model=100, resume=300)


def test_existing_files_need_no_additional_room(path, disk):
    files = Output(path)
    disk.free = 2 * 10**4
    files.check_space(model=path.stat().st_size, resume=10**4)


def test_a_disk_of_unknown_size_is_accepted(tmp_path, disk):
    disk.total = 0
    Output(tmp_path / "model").check_space(model=10**9, resume=10**9)


# ---- metadata ------------------------------------------------------------------------------------


def test_the_metadata_of_a_file_can_be_read(path):
    assert description(path)["vocabulary"] == make_checkpoint().tokenizer.alphabet


def test_a_missing_file_or_one_of_another_kind_has_no_metadata(path):
    assert description(path.with_name("missing")) == {}
    assert description(path, "resume") == {}
