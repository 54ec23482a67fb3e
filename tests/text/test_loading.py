"""Files and folders are read in order, or refused with a reason."""

import io
import os
import sys

import numpy as np
import pytest

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.loading import read
from charrnn.text.tokenizer import Tokenizer
from tests.text.files import put

# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_files_are_read_in_the_order_given():
    names = [put("b.txt", "two\n"), put("a.md", "one\n"), put("c", "three")]
    found = read(names)
    assert found.texts == ("two\n", "one\n", "three")
    assert found.names == ("b.txt", "a.md", "c")


def test_a_path_object_is_accepted(folder):
    put("a.txt", "one")
    assert read([folder / "a.txt"]).names == (str(folder / "a.txt"),)


@pytest.mark.usefixtures("folder")
def test_a_missing_file_is_refused_by_name():
    put("a.txt", "one")
    with pytest.raises(CorpusError, match=r"^b\.txt does not exist$"):
        read(["a.txt", "b.txt"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"], ids=["nothing", "byte order mark"])
def test_an_empty_file_is_an_error_only_if_it_is_the_only_one(data):
    put("empty.txt", data)
    with pytest.raises(CorpusError, match=r"empty\.txt is empty"):
        read(["empty.txt"])
    put("a.txt", "one")
    found = read(["empty.txt", "a.txt"])
    assert (found.texts, found.notices) == (("one",), ("empty.txt is empty",))


def test_a_pattern_stands_for_the_files_that_match_it(folder):
    (folder / "in").mkdir()
    for name in ("b.txt", "a.txt", "a.md", "in/c.txt", "odd[1].txt"):
        put(name, name)
    assert read("[ab].txt").names == ("a.txt", "b.txt")
    assert read(["**/?.txt", "a.md"]).names == ("a.txt", "b.txt", "in/c.txt", "a.md")
    assert read("odd[1].txt").names == ("odd[1].txt",)
    with pytest.raises(CorpusError, match=r"^\*\.c does not exist$"):
        read("*.c")


def test_an_empty_list_of_paths_is_refused():
    with pytest.raises(ConfigError, match="no corpus"):
        read([])


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/inside"])
@pytest.mark.usefixtures("folder")
def test_an_unreadable_path_is_refused(name):
    put("file", "text")
    with pytest.raises(CorpusError, match="cannot be read"):
        read([name])


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read all")
@pytest.mark.usefixtures("folder")
def test_a_file_without_permission_is_refused(folder):
    put("secret", "text")
    (folder / "secret").chmod(0)
    with pytest.raises(CorpusError, match="secret cannot be read: Permission denied"):
        read(["secret"])


# ---- folders -------------------------------------------------------------------------------------


def test_a_folder_is_read_in_order_without_hidden_files(folder):
    for name in ("tales/z.txt", "tales/b/d.txt", "tales/b/c.txt", "tales/a.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(name, name)
    (folder / "tales/.git").mkdir()
    for name in ("tales/.hidden.txt", "tales/.git/config", "tales/b/.DS_Store"):
        put(name, "hidden")
    found = read(["tales"])
    assert found.texts == ("tales/a.txt", "tales/z.txt", "tales/b/c.txt", "tales/b/d.txt")
    assert found.names == found.texts
    assert found.notices == ()


def test_a_folder_is_read_in_alphabetical_order(folder):
    for name in "qwertyuiop":
        (folder / "tales" / name).mkdir(parents=True)
        put(f"tales/{name}.txt", name)
        put(f"tales/{name}/{name}.txt", name.upper())
    assert "".join(read(["tales"]).texts) == "eiopqrtuwyEIOPQRTUWY"


def test_binary_files_in_a_folder_are_skipped_with_a_notice(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "one")
    put("tales/b.png", b"\x89PNG\r\n\x1a\n\xff")
    put("tales/c.txt", "")
    put("tales/d.bin", b"a\0b")
    put("tales/model.safetensors", "a model is not text")
    (folder / "tales/e.txt").symlink_to("nowhere")
    found = read(["tales"])
    assert found.texts == ("one",)
    (notice,) = found.notices
    assert notice.startswith("skipped 2 files; the first: tales/b.png is not utf-8: byte 0x89")


def test_a_skipped_file_adds_no_characters(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "".join(map(chr, range(0x100, 0x400))).encode() + b"\xff")
    put("tales/b.txt", "one")
    found = read("tales")
    assert (found.texts, found.characters()) == (("one",), set("one"))
    text = found.encode(Tokenizer("eno"))
    assert (text.ids.tolist(), text.ids.dtype) == ([2, 1, 0], np.uint8)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_in_a_folder_is_ignored(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "one")
    os.mkfifo(folder / "tales/b.txt")
    assert read("tales").texts == ("one",)


@pytest.mark.parametrize("files", [{}, {".hidden": "text"}, {"a.png": b"\xff"}, {"a.txt": ""}])
def test_a_folder_without_text_is_refused(folder, files):
    (folder / "tales").mkdir()
    for name, data in files.items():
        put(f"tales/{name}", data)
    with pytest.raises(CorpusError, match="tales contains no text files"):
        read(["tales"])


# ---- standard input ------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_dash_reads_standard_input(monkeypatch):
    put("a.txt", "one")
    put("stdin", "\ufeffcafé\r\n")
    with open("stdin", encoding="ascii") as file:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", file)
        found = read(["a.txt", "-"])
    assert found.texts == ("one", "café\n")
    assert found.names == ("a.txt", "standard input")


@pytest.mark.parametrize(
    ("data", "named"),
    [(b"", "standard input is empty"), (b"ab\xff", "is not utf-8: byte 0xFF at offset 2")],
)
def test_standard_input_is_checked_like_a_file(monkeypatch, data, named):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(CorpusError, match=named):
        read(["-"])
