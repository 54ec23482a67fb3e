"""Plain text is unchanged except for a byte order mark and CRLF."""

from pathlib import Path

import pytest

from charrnn.errors import CorpusError
from charrnn.text.loading import read
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
