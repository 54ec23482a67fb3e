"""Files are decoded by their format, independently of the blocks in which they are read."""

import pytest

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.formats import FORMATS, Format
from charrnn.text.loading import read
from tests.text.files import put


@pytest.mark.usefixtures("folder")
def test_a_new_format_needs_only_a_registry_entry(monkeypatch):
    calls = []

    def read_shouting(file, name, encoding):
        calls.append((name, encoding))
        for line in file:
            yield line.decode(encoding).upper()

    monkeypatch.setitem(FORMATS, ".shout", Format(read_shouting))
    put("a.SHOUT", "café\r\n")
    put("b.txt", "quiet")
    assert read(["a.SHOUT", "b.txt"], "utf-8").texts == ("CAFÉ\n", "quiet")
    assert calls == [("a.SHOUT", "utf-8")]


# ---- encodings -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_text_that_is_not_utf_8_is_refused_with_the_offset_and_a_suggestion():
    put("old.txt", ("a" * 1500 + "café au lait").encode("latin-1"))
    with pytest.raises(CorpusError) as caught:
        read(["old.txt"])
    assert str(caught.value) == (
        "old.txt is not valid UTF-8: byte 0xE9 at offset 1,503; "
        "specify its encoding, for example with encoding='latin-1'"
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_utf_16_is_suggested_from_the_byte_order_mark(encoding):
    put("wide.txt", "\ufeffcafé".encode(encoding))
    with pytest.raises(CorpusError, match=r"encoding='utf-16'$"):
        read(["wide.txt"])
    assert read(["wide.txt"], "utf-16").texts == ("café",)
    put("bare.txt", "café".encode(encoding))
    with pytest.raises(
        CorpusError, match=r"^bare.txt is not valid UTF-16: .* encoding='utf-16-le'$"
    ):
        read(["bare.txt"], "utf-16")
    assert read(["bare.txt"], encoding).texts == ("café",)


@pytest.mark.usefixtures("folder")
def test_other_encodings_can_be_selected():
    put("old.txt", "café".encode("latin-1"))
    assert read(["old.txt"], "latin-1").texts == ("café",)
    assert read(["old.txt"], "cp1252").texts == ("café",)
    with pytest.raises(CorpusError, match=r"old\.txt is not valid ASCII: byte 0xE9 at offset 3"):
        read(["old.txt"], "ascii")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64", ""])
def test_an_unknown_encoding_is_a_config_error(encoding):
    put("a.txt", "one")
    with pytest.raises(ConfigError, match=f"unknown encoding '{encoding}'; use a name"):
        read(["a.txt"], encoding)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be", "gb18030", "shift_jis"]
)
def test_characters_may_span_blocks(monkeypatch, encoding, block):
    text = "\r\r\n日本\n\r\r\n\r\n本\r"
    put("a.txt", text.encode(encoding))
    monkeypatch.setattr("charrnn.text.formats.BLOCK", block)
    assert read("a.txt", encoding).texts == (text.replace("\r\n", "\n"),)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", [1, 2, 3, 4, 100])
@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("日本語".encode() + b"a\x97", "0x97 at offset 10"),
        (b"abcd\xe6\x97", "0xE6 at offset 4"),
        (b"abcd\xe6\x97a", "0xE6 at offset 4"),
    ],
)
def test_a_decoding_error_has_its_offset_in_the_file(monkeypatch, data, place, block):
    monkeypatch.setattr("charrnn.text.formats.BLOCK", block)
    with pytest.raises(CorpusError, match=f"is not valid UTF-8: byte {place};"):
        read(put("a.txt", data))


# ---- endless files -------------------------------------------------------------------------------


def test_an_endless_file_of_tunes_is_refused(folder, monkeypatch):
    monkeypatch.setattr("charrnn.music.formats.LARGEST", 1 << 20)
    (folder / "endless.abc").symlink_to("/dev/zero")
    with pytest.raises(CorpusError, match=r"endless\.abc is larger than 1 MB"):
        read("endless.abc")
