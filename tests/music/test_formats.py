"""Tune files, and their text."""

import pytest

from charrnn.errors import CorpusError
from charrnn.music import formats
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import write_abc
from charrnn.music.formats import read_text, read_tunes
from charrnn.music.midi_io import write_midi

TEXT = 'X:1\r\nT:Caf\xe9\r\nM:2/4\r\nL:1/8\r\nK:D\r\nDEFG|"A"A2d2|]\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_the_text_of_a_file_encodes_to_the_same_bytes(tmp_path, encoding):
    file = tmp_path / "air.abc"
    file.write_bytes(TEXT.encode(encoding))
    found, text, found_encoding = read_text(file)
    assert (text, found_encoding) == (TEXT, encoding)
    assert found == read_tunes(file)
    assert (found.tunes[0].title, found.ignored) == ("Caf\xe9", {"chord symbol": 1})


def test_the_text_of_a_midi_file_is_the_abc_of_its_tune(tmp_path):
    file = tmp_path / "air.mid"
    file.write_bytes(write_midi(read_abc(TEXT).tunes[0]))
    found, text, encoding = read_text(file)
    assert found == read_tunes(file)
    assert (text, encoding) == (write_abc(found.tunes), "utf-8")


@pytest.mark.parametrize("name", ["air.abc", "air.mid"])
def test_a_file_is_read_once(tmp_path, monkeypatch, name):
    file = tmp_path / name
    file.write_bytes(TEXT.encode() if name == "air.abc" else write_midi(read_abc(TEXT).tunes[0]))
    read = []
    real = formats.opened
    monkeypatch.setattr(formats, "opened", lambda path: read.append(path) or real(path))
    read_text(file)
    assert read == [file]


@pytest.mark.parametrize("name", ["none.abc", "none.mid", "none", "none.txt"])
def test_a_missing_file_is_an_error(tmp_path, name):
    with pytest.raises(CorpusError, match="does not exist"):
        read_text(tmp_path / name)


def test_a_file_that_holds_no_tunes_is_an_error(tmp_path):
    (tmp_path / "prose.txt").write_text("Once upon a time", "utf-8")
    with pytest.raises(CorpusError, match=r"not a tune file; known suffixes: \.abc"):
        read_text(tmp_path / "prose.txt")
