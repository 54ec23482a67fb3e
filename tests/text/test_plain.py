"""Plain text is unchanged except for a byte order mark and CRLF."""

import os
from pathlib import Path

import pytest

from charrnn.errors import CorpusError
from charrnn.text.loading import read
from charrnn.text.plain import is_list
from tests.helpers import ROOT, needs_data
from tests.text.files import put


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", "\ufeff"),
        ("utf-16-le", "\ufeff"),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-32", ""),
    ],
)
def test_only_a_byte_order_mark_at_the_start_is_removed(encoding, mark):
    put("a.txt", f"{mark}one \ufeff".encode(encoding))
    assert read(["a.txt"], encoding).texts == ("one \ufeff",)


@pytest.mark.usefixtures("folder")
def test_crlf_is_read_as_lf_with_one_notice():
    put("a.txt", "one\r\ntwo\r\n\r\n")
    put("b.txt", "three\r\nfour\n")
    found = read(["a.txt", "b.txt"])
    assert found.texts == ("one\ntwo\n\n", "three\nfour\n")
    assert found.notices == ("read CRLF line endings as LF",)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text",
    ["one\rtwo\r", "\0\x01\x1b[31m\x7f\x85", "a\u2028b\u200b\ue000\U0010ffff", "\t\f\v", "\n", " "],
)
def test_all_other_characters_are_unchanged(text):
    put("a.txt", text)
    found = read(["a.txt"])
    assert (found.texts, found.notices) == ((text,), ())


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-le"])
def test_an_endless_file_of_zeros_is_refused(encoding):
    with pytest.raises(CorpusError, match=r"^/dev/zero is not text: [\d,]+ consecutive NUL"):
        read("/dev/zero", encoding)


# ---- lists ---------------------------------------------------------------------------------------

VERSE = "The cat that sat upon the mat,\n    it had a hat,\nand that was that.\n\n"
PLAIN_VERSE = "A wind goes\nover the water\nand nobody\nsees it\n\n"
CODE = "def one():\n    return 1\n\n\nx = one()\ny = x + 1\nprint(x, y)\n"


@pytest.mark.parametrize(
    "text",
    [
        "Ada\nGrace\nJoan Clarke\n" * 10,
        "Ålesund\nSt. Ives\n" * 15,
        "".join(f"{'a' * (n % 30 + 1)}\n" for n in range(99)),
        "name\n" * 100 + "a name that is followed by an explanation in parentheses (why)\n\n",
    ],
)
def test_a_list_is_recognized(text):
    assert is_list(text)


@pytest.mark.parametrize(
    "text",
    [
        VERSE * 20,
        PLAIN_VERSE * 20,
        CODE * 20,
        "Yes.\nNo!\n" * 50,
        "long " * 9 + "\n",
        "Ada\n" * 19,
        "",
    ],
)
def test_prose_verse_and_code_are_not_lists(text):
    assert not is_list(text)


def test_corpora_are_told_from_lists():
    assert is_list((ROOT / "corpora" / "villages.txt").read_text("utf-8"))
    assert not is_list((ROOT / "corpora" / "fables.txt").read_text("utf-8"))
    for path in [*ROOT.glob("charrnn/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "pyproject.toml"]:
        assert not is_list(path.read_text("utf-8")), path


@needs_data
def test_a_play_is_not_a_list():
    path = Path(os.environ["CHARRNN_DATA"]) / "tinyshakespeare.txt"
    assert not is_list(path.read_text("utf-8"))
