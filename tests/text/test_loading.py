"""Files and folders are read in order, or refused with a reason."""

import errno
import io
import os
import sys
from pathlib import Path

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
    with pytest.raises(CorpusError, match="secret cannot be read: permission denied"):
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
    assert notice.startswith(
        "skipped 2 files (tales/b.png, tales/d.bin); "
        "the first: tales/b.png is not valid UTF-8: byte 0x89"
    )


def test_at_most_three_skipped_files_are_named(folder):
    (folder / "tales").mkdir()
    for name in "abcde":
        put(f"tales/{name}", b"a\0b" if name < "e" else "text")
    (notice,) = read("tales").notices
    assert (
        notice == "skipped 4 files (tales/a, tales/b, tales/c, ...); the first: tales/a is not text"
    )


def test_a_file_with_a_lone_surrogate_is_skipped_in_a_folder_and_otherwise_an_error(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "ab+2DA-")  # UTF-7 can encode half a character
    put("tales/b.txt", "text")
    found = read("tales", "utf-7")
    assert (found.texts, found.characters()) == (("text",), set("text"))
    (notice,) = found.notices
    assert "tales/a.txt is not text: lone surrogate U+D830" in notice
    with pytest.raises(CorpusError, match=r"^tales/a\.txt is not text: lone surrogate U\+D830$"):
        read("tales/a.txt", "utf-7")


def deny(monkeypatch, *names):
    """Let the system refuse to list these folders and to look at files in them."""
    scandir, stat = os.scandir, Path.stat

    def refused(path):
        if Path(path).name in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def scan(path):
        refused(path)
        return scandir(path)

    def look(path, **options):
        refused(path.parent)
        return stat(path, **options)

    monkeypatch.setattr(os, "scandir", scan)
    monkeypatch.setattr(Path, "stat", look)


@pytest.mark.parametrize("kind", ["txt", "abc"])
def test_an_unreadable_folder_in_a_folder_is_skipped_with_a_notice(folder, monkeypatch, kind):
    text = "X:1\nL:1/8\nM:2/4\nK:C\nCDEF|]\n"
    for name in ("tales/one", "tales/secret/two", "tales/three"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(f"{name}.{kind}", text)
    deny(monkeypatch, "secret")
    found = read("tales")
    assert {f"tales/{name}.{kind}" for name in ("one", "three")} == set(found.names)
    assert found.notices[0] == ("skipped 1 folder: tales/secret cannot be read: permission denied")


def test_an_unreadable_folder_is_refused(folder, monkeypatch):
    (folder / "tales").mkdir()
    put("tales/a.txt", "text")
    deny(monkeypatch, "tales")
    with pytest.raises(CorpusError, match=r"^tales cannot be read: permission denied$"):
        read("tales")


def test_files_of_a_folder_that_cannot_be_entered_are_skipped(folder, monkeypatch):
    for name in ("tales/a.txt", "tales/listed/b.txt", "tales/listed/c.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(name, "text")
    stat, opened = Path.stat, Path.open

    def refuse(real):
        def call(path, *arguments, **options):
            if path.parent.name == "listed":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *arguments, **options)

        return call

    monkeypatch.setattr(Path, "stat", refuse(stat))
    monkeypatch.setattr(Path, "open", refuse(opened))
    found = read("tales")
    assert found.names == ("tales/a.txt",)
    assert found.notices == (
        "skipped 2 files (tales/listed/b.txt, tales/listed/c.txt); the first: tales/listed/b.txt "
        "cannot be read: permission denied",
    )


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read all")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_folder_without_permissions_is_skipped_with_a_notice(folder, mode):
    (folder / "tales/secret").mkdir(parents=True)
    put("tales/a.txt", "text")
    put("tales/secret/b.txt", "secret")
    (folder / "tales/secret").chmod(mode)
    found = read("tales")
    (folder / "tales/secret").chmod(0o700)
    assert found.texts == ("text",)
    (notice,) = found.notices
    assert "permission denied" in notice


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


@pytest.mark.usefixtures("folder")
def test_texts_in_a_folder_of_tunes_are_skipped_with_a_notice():
    Path("tales").mkdir()
    put("tales/air.abc", "X:1\nM:2/4\nL:1/8\nK:D\nDEFG|A4|]\n")
    for name in "abcd":
        put(f"tales/{name}.txt", name)
    notice = "skipped 4 files without tunes (tales/a.txt, tales/b.txt, tales/c.txt, ...)"
    assert read("tales").notices[0] == f"{notice}; to use text files, name them"


@pytest.mark.usefixtures("folder")
def test_an_empty_path_is_an_error():
    with pytest.raises(ConfigError, match="the path of the corpus is empty"):
        read(["", "a.txt"])


@pytest.mark.parametrize("files", [{}, {".hidden": "text"}, {"a.png": b"\xff"}, {"a.txt": ""}])
def test_a_folder_without_text_is_refused(folder, files):
    (folder / "tales").mkdir()
    for name, data in files.items():
        put(f"tales/{name}", data)
    with pytest.raises(CorpusError, match="tales contains no text files") as caught:
        read(["tales"])
    assert ("; skipped 1 file: tales/a.png" in str(caught.value)) == ("a.png" in files)


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
    [(b"", "standard input is empty"), (b"ab\xff", "is not valid UTF-8: byte 0xFF at offset 2")],
)
def test_standard_input_is_checked_like_a_file(monkeypatch, data, named):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(CorpusError, match=named):
        read(["-"])
