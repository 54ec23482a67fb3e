"""A folder of tunes: its files and its page, without repeated work."""

import errno
import hashlib

import pytest

from charrnn.errors import CheckpointError, ConfigError
from charrnn.music import folder, metrics, writers
from charrnn.music.abc_parser import read_abc
from charrnn.music.folder import write_folder
from charrnn.music.metrics import Sample
from charrnn.music.writers import drawing, written
from tests.helpers import failing

TUNES = read_abc(
    "X:1\nT:Air\nM:2/4\nL:1/8\nK:D\nDEFG|A2d2|AGFE|D4|]\n\nX:2\nM:3/4\nL:1/8\nK:Em\nE2G2B2|E6|]\n"
).tunes


def test_each_tune_has_its_files_and_the_page_has_all(tmp_path):
    index = write_folder(tmp_path / "new" / "tunes", TUNES, settings="seed 7", title="From me")
    assert index == tmp_path / "new" / "tunes" / "index.html"
    made = {path.name: path.read_bytes() for path in index.parent.iterdir()}
    files = {
        f"0{number}.{name}": b"".join(written([tune], name))
        for number, tune in enumerate(TUNES, 1)
        for name in ("abc", "mid", "wav", "svg")
    }
    assert {name: made[name] for name in files} == files
    assert made.keys() == {*files, "index.html"}
    page = made["index.html"].decode()
    for words in ("<h1>From me</h1>", "<h2>Air</h2>", "<h2>Tune 2</h2>", "seed 7"):
        assert words in page
    assert all(drawing(tune) in page for tune in TUNES)
    assert all(drawing(tune, narrow=True) in page for tune in TUNES)
    assert "longest copied run" not in page


def test_only_the_requested_formats_are_written(tmp_path):
    write_folder(tmp_path, TUNES, formats=["mid"])
    assert {path.name for path in tmp_path.iterdir()} == {"01.mid", "02.mid", "index.html"}
    with pytest.raises(ConfigError, match=r"unknown format '\.pdf'"):
        write_folder(tmp_path, TUNES, formats=["pdf"])


def test_texts_are_kept_in_their_encoding(tmp_path):
    text = "X:1\r\nT:Caf\xe9\r\nK:D\r\nDEFG|\r\n"
    write_folder(tmp_path, read_abc(text).tunes, formats=["abc"], texts=[text], encoding="latin-1")
    assert (tmp_path / "01.abc").read_bytes() == text.encode("latin-1")


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(CheckpointError, match="file is not a folder"):
        write_folder(tmp_path / "file", TUNES)


def test_each_drawing_each_text_and_the_index_are_made_once(tmp_path, monkeypatch):
    made = []

    def counted(module, name, what):
        function = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, **given: [made.append(what), function(*args, **given)][1]
        )

    for name in ("engraved", "piano_roll"):  # with verovio, and without
        counted(writers, name, "drawing")
    counted(folder, "write_abc", "text")
    counted(metrics, "CopyIndex", "index")
    page = write_folder(tmp_path, TUNES, against=Sample(TUNES))
    assert sorted(made) == [*["drawing"] * 4, "index", "text", "text"], (
        "a wide and a narrow drawing"
    )
    assert "longest copied run" in page.read_text("utf-8")


# ---- replacing an earlier folder -----------------------------------------------------------------


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_call_replaces_nothing_by_default(tmp_path):
    write_folder(tmp_path, TUNES)
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"01\.abc already exists; .* pass overwrite=True"):
        write_folder(tmp_path, TUNES[::-1])
    assert content(tmp_path) == before


def test_overwrite_replaces_the_tunes_and_removes_those_without_a_successor(tmp_path):
    write_folder(tmp_path / "once", TUNES[1:], formats=["abc"])
    write_folder(tmp_path / "twice", TUNES)
    (tmp_path / "twice" / "notes.txt").write_text("mine")
    write_folder(tmp_path / "twice", TUNES[1:], formats=["abc"], overwrite=True)
    assert content(tmp_path / "twice") == content(tmp_path / "once") | {"notes.txt": b"mine"}


def edited(path):
    path.write_bytes(path.read_bytes() + b"% mine")


def linked(path):
    original = path.with_name("original")
    path.rename(original)
    path.symlink_to(original)


def made_a_folder(path):
    path.unlink()
    path.mkdir()


def from_elsewhere(path):
    path.with_name("index.html").write_text("<p>a page of my own")


@pytest.mark.parametrize("name", ["01.abc", "02.mid", "index.html"])
@pytest.mark.parametrize("change", [edited, linked, made_a_folder, from_elsewhere])
def test_overwrite_never_touches_the_work_of_a_user(tmp_path, name, change):
    write_folder(tmp_path, TUNES)
    change(tmp_path / name)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="was not written by charrnn or has changed since"):
        write_folder(tmp_path, TUNES[:1], overwrite=True)
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_tune_that_a_user_removed_is_no_obstacle(tmp_path):
    write_folder(tmp_path, TUNES)
    (tmp_path / "02.abc").unlink()
    write_folder(tmp_path, TUNES[:1], overwrite=True)
    assert {path.stem for path in tmp_path.iterdir()} == {"01", "index"}


def test_a_failure_leaves_the_folder_unchanged(tmp_path, monkeypatch):
    write_folder(tmp_path, TUNES)
    before = content(tmp_path)
    monkeypatch.setattr(folder, "page", failing(errno.ENOSPC))
    with pytest.raises(CheckpointError, match=r"cannot write to the folder .*: no space left"):
        write_folder(tmp_path, TUNES[::-1], overwrite=True)
    assert content(tmp_path) == before


def test_a_forged_page_leads_to_no_file_outside_its_folder(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "01.abc").write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()[:16]
    (inner / "index.html").write_text(f"<!-- charrnn wrote ../01.abc:{digest} -->\n")
    with pytest.raises(CheckpointError, match="was not written by charrnn"):
        write_folder(inner, TUNES, overwrite=True)
    assert (tmp_path / "01.abc").read_text() == "mine"
