"""A folder of tunes: its files and its page, without repeated work."""

import pytest

from charrnn.errors import CharRNNError, ConfigError
from charrnn.music import folder, metrics, writers
from charrnn.music.abc_parser import read_abc
from charrnn.music.folder import write_folder
from charrnn.music.metrics import Sample
from charrnn.music.writers import drawing, written

TUNES = read_abc(
    "X:1\nT:Air\nM:2/4\nL:1/8\nK:D\nDEFG|A2d2|AGFE|D4|]\n\nX:2\nM:3/4\nL:1/8\nK:Em\nE2G2B2|E6|]\n"
).tunes


def test_each_tune_has_its_files_and_the_page_has_all(tmp_path):
    index = write_folder(tmp_path / "new" / "tunes", TUNES, settings="seed 7", title="From me")
    assert index == tmp_path / "new" / "tunes" / "index.html"
    made = {path.name: path.read_bytes() for path in index.parent.iterdir()}
    files = {
        f"0{number}.{name}": written([tune], name)
        for number, tune in enumerate(TUNES, 1)
        for name in ("abc", "mid", "wav", "svg")
    }
    assert {name: made[name] for name in files} == files
    assert made.keys() == {*files, "index.html"}
    page = made["index.html"].decode()
    for words in ("<h1>From me</h1>", "<h2>Air</h2>", "<h2>Tune 2</h2>", "seed 7"):
        assert words in page
    assert all(drawing(tune) in page for tune in TUNES)
    assert "longest run in the corpus" not in page


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
    with pytest.raises(CharRNNError, match=r"cannot create the folder .*file: File exists"):
        write_folder(tmp_path / "file", TUNES)


def test_each_drawing_each_text_and_the_index_are_made_once(tmp_path, monkeypatch):
    made = []

    def counted(module, name, what):
        function = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *arguments: [made.append(what), function(*arguments)][1]
        )

    for name in ("engraved", "piano_roll"):  # with verovio, and without
        counted(writers, name, "drawing")
    counted(folder, "write_abc", "text")
    counted(metrics, "CopyIndex", "index")
    page = write_folder(tmp_path, TUNES, against=Sample(TUNES))
    assert sorted(made) == ["drawing", "drawing", "index", "text", "text"]
    assert "longest run in the corpus" in page.read_text("utf-8")
