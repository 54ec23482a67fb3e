"""A file is replaced completely or not at all."""

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from charrnn.checkpoints.atomic import require_writable, write_atomically
from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.lock import try_lock
from charrnn.checkpoints.output import Output
from charrnn.errors import CheckpointError
from tests.checkpoints.models import assert_same, make_checkpoint
from tests.helpers import failing, posix

# ---- modes and links -----------------------------------------------------------------------------


@pytest.fixture
def umask():
    """Set the umask to 027 while the test runs."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_new_file_gets_its_mode_from_the_umask(tmp_path):
    write_atomically(tmp_path / "new", b"data")
    assert mode(tmp_path / "new") == 0o640


def test_data_may_come_in_parts(tmp_path):
    write_atomically(tmp_path / "new", (part for part in (b"da", b"ta")))
    assert (tmp_path / "new").read_bytes() == b"data"


def test_parts_that_fail_leave_the_old_file(tmp_path):
    def parts():
        yield b"new"
        raise ValueError

    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(ValueError):  # noqa: PT011
        write_atomically(tmp_path / "old", parts())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("permissions", [0o600, 0o664, 0o444])
def test_a_file_keeps_its_mode(tmp_path, permissions):
    file = tmp_path / "old"
    file.write_bytes(b"old")
    file.chmod(permissions)
    write_atomically(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", permissions)


@pytest.mark.parametrize("permissions", [0o600, 0o640])
def test_a_private_file_is_private_from_its_first_byte(tmp_path, monkeypatch, permissions):
    file = tmp_path / "old"
    file.write_bytes(b"old")
    file.chmod(permissions)
    opened, modes = os.open, []

    def watched(path, *arguments):
        handle = opened(path, *arguments)
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return handle

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        write_atomically(file, b"new")
    finally:
        os.umask(before)
    assert modes[0] == mode(file) == permissions


def test_a_symlink_remains_a_symlink(tmp_path):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "model", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert set(tmp_path.rglob("*")) == {tmp_path / "disk", target, link}


def test_a_dangling_symlink_gets_its_target_created(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


# ---- order and failures --------------------------------------------------------------------------


def test_data_is_synced_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    order = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: order.append("fsync") or fsync(handle))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: order.append("replace") or rename(self, to)
    )
    write_atomically(tmp_path / "file", b"data")
    assert order == ["fsync", "replace", "fsync"]


no_space = failing(errno.ENOSPC)
fdopen = os.fdopen


@contextmanager
def full_disk(handle, mode):
    with fdopen(handle, mode) as file:
        yield SimpleNamespace(write=lambda data: (file.write(data[: len(data) // 2]), no_space()))


FAILURES = {
    "open": (os, "open", no_space),
    "write": (os, "fdopen", full_disk),
    "fsync": (os, "fsync", no_space),
    "replace": (Path, "replace", no_space),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("existing", [b"old", None], ids=["old file", "no file"])
def test_a_failed_write_changes_nothing(tmp_path, monkeypatch, failure, existing):
    file = tmp_path / "model"
    if existing is not None:
        file.write_bytes(existing)
    with monkeypatch.context() as patch:
        patch.setattr(*FAILURES[failure])
        with pytest.raises(CheckpointError, match="no space left on device") as caught:
            make_checkpoint().save(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    left = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert left == ({} if existing is None else {"model": existing})
    make_checkpoint().save(file)
    assert_same(load(file), make_checkpoint())


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    (tmp_path / "model").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "model", b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


# ---- leftovers of killed processes ---------------------------------------------------------------


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def leftover(tmp_path):
    """The temporary file of a process that was killed while it wrote `model`."""
    path = tmp_path / ".model.charrnn-0123456789ab.tmp"
    path.write_bytes(b"half")
    return path


@pytest.mark.usefixtures("leftover")
@pytest.mark.parametrize("check", [Output, require_writable])
def test_leftovers_of_killed_processes_are_removed(tmp_path, check):
    check(tmp_path / "another model")
    assert names(tmp_path) == set()


def test_a_temporary_file_of_a_living_process_is_kept(tmp_path, leftover):
    with leftover.open() as held:
        assert try_lock(held.fileno())
        require_writable(tmp_path / "model")
        assert names(tmp_path) == {leftover.name}
    require_writable(tmp_path / "model")
    assert names(tmp_path) == set()


def test_without_file_system_locks_no_leftover_is_removed(tmp_path, leftover, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", failing(errno.EOPNOTSUPP))
    require_writable(tmp_path / "model")
    assert names(tmp_path) == {leftover.name}


@posix
def test_a_temporary_file_is_locked_until_it_has_its_final_name(tmp_path, monkeypatch):
    rename, locks = Path.replace, []

    def watched(self, target):
        rename(self, target)
        with Path(target).open() as other:
            locks.append(try_lock(other.fileno()))

    monkeypatch.setattr(Path, "replace", watched)
    write_atomically(tmp_path / "model", b"data")
    assert locks == [False]


def test_a_temporary_file_that_was_taken_for_a_leftover_is_created_again(tmp_path, monkeypatch):
    def swept_first(handle):
        monkeypatch.undo()
        require_writable(tmp_path / "model")
        return try_lock(handle)

    monkeypatch.setattr("charrnn.checkpoints.atomic.try_lock", swept_first)
    write_atomically(tmp_path / "model", b"data")
    assert (tmp_path / "model").read_bytes() == b"data"
    assert names(tmp_path) == {"model"}


def test_other_temporary_files_are_never_touched(tmp_path):
    """Also not those of earlier versions, which may still be running."""
    others = {".model.tmp", ".model.resume.safetensors.tmp", ".charrnn-0123456789ab.tmp"}
    others |= {".model.charrnn-mine.tmp", "model.charrnn-0123456789ab.tmp"}
    for name in others:
        (tmp_path / name).write_text("mine")
    make_checkpoint().save(tmp_path / "model")
    Output(tmp_path / "model")
    assert names(tmp_path) == {*others, "model"}
    assert {(tmp_path / name).read_text() for name in others} == {"mine"}


def test_a_missing_folder_is_a_one_line_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot write .*missing/model: no such file"):
        make_checkpoint().save(tmp_path / "missing" / "model")
