"""Files become text as they are, or are refused with the reason; texts are divided at documents."""

import doctest
import hashlib
import io
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import charrnn.text.corpus
from charrnn.errors import CharRNNError, ConfigError, CorpusError, UnknownCharacterError
from charrnn.text import split as splitting
from charrnn.text.corpus import Corpus
from charrnn.text.documents import DOCUMENTS
from charrnn.text.formats import FORMATS, Format
from charrnn.text.loading import read
from charrnn.text.tokenizer import Tokenizer


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name, data):
    data = data.encode() if isinstance(data, str) else data
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(data)
    return name


def make_corpus(*texts):
    return Corpus.from_texts(*texts)


def split(*arguments):
    """Return the documents to train on and those held out, as two lists of texts."""
    return tuple(list(part.texts) for part in splitting.split(*arguments))


# ---- reading -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_files_are_read_in_the_order_given():
    names = [put("b.txt", "two\n"), put("a.md", "one\n"), put("c", "three")]
    found = read(names)
    assert found.texts == ("two\n", "one\n", "three")
    assert found.names == ("b.txt", "a.md", "c")


def test_a_path_may_be_a_path(folder):
    put("a.txt", "one")
    assert read([folder / "a.txt"]).names == (str(folder / "a.txt"),)


def test_a_folder_is_read_in_order_hidden_files_left_out(folder):
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


def test_a_folder_is_read_in_the_order_of_names_not_of_the_disk(folder):
    for name in "qwertyuiop":
        (folder / "tales" / name).mkdir(parents=True)
        put(f"tales/{name}.txt", name)
        put(f"tales/{name}/{name}.txt", name.upper())
    assert "".join(read(["tales"]).texts) == "eiopqrtuwyEIOPQRTUWY"


def test_in_a_folder_what_is_no_text_is_left_out_with_a_notice(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "one")
    put("tales/b.png", b"\x89PNG\r\n\x1a\n\xff")
    put("tales/c.txt", "")
    put("tales/d.bin", b"a\0b")
    put("tales/model.safetensors", "a model is no text")
    (folder / "tales/e.txt").symlink_to("nowhere")
    found = read(["tales"])
    assert found.texts == ("one",)
    (notice,) = found.notices
    assert notice.startswith("files left out: 2, such as: tales/b.png is not utf-8: byte 0x89")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_in_a_folder_is_not_waited_for(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "one")
    os.mkfifo(folder / "tales/b.txt")
    assert read("tales").texts == ("one",)


@pytest.mark.parametrize("files", [{}, {".hidden": "text"}, {"a.png": b"\xff"}, {"a.txt": ""}])
def test_a_folder_without_text_is_refused(folder, files):
    (folder / "tales").mkdir()
    for name, data in files.items():
        put(f"tales/{name}", data)
    with pytest.raises(CorpusError, match="tales has no text file in it"):
        read(["tales"])


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device here has no end")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-le"])
def test_what_is_nothing_but_zeros_is_refused_at_once(encoding):
    with pytest.raises(CorpusError, match=r"^/dev/zero has [\d,]+ NUL characters on end: give a"):
        read("/dev/zero", encoding)


def test_a_file_of_tunes_that_has_no_end_is_refused(folder, monkeypatch):
    monkeypatch.setattr("charrnn.music.formats.LARGEST", 1 << 20)
    (folder / "endless.abc").symlink_to("/dev/zero")
    with pytest.raises(CorpusError, match=r"endless\.abc has more than 1 MB"):
        read("endless.abc")


@pytest.mark.usefixtures("folder")
def test_a_missing_file_is_refused_by_name():
    put("a.txt", "one")
    with pytest.raises(CorpusError, match=r"^b\.txt does not exist: give the path"):
        read(["a.txt", "b.txt"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"], ids=["nothing", "byte order mark"])
def test_an_empty_file_is_refused_when_alone(data):
    put("empty.txt", data)
    with pytest.raises(CorpusError, match=r"empty\.txt is empty"):
        read(["empty.txt"])
    put("a.txt", "one")
    found = read(["empty.txt", "a.txt"])
    assert (found.texts, found.notices) == (("one",), ("empty.txt is empty",))


def test_no_path_at_all_is_refused():
    with pytest.raises(ConfigError, match="no corpus"):
        read([])


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/inside"])
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_read_is_refused(name):
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


# ---- encodings -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_what_is_not_utf_8_is_refused_with_the_place_and_the_remedy():
    put("old.txt", ("a" * 1500 + "café au lait").encode("latin-1"))
    with pytest.raises(CorpusError) as caught:
        read(["old.txt"])
    assert str(caught.value) == (
        "old.txt is not utf-8: byte 0xE9 at offset 1,503; "
        "name its encoding, as with --encoding latin-1"
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_utf_16_is_guessed_from_its_mark(encoding):
    put("wide.txt", "\ufeffcafé".encode(encoding))
    with pytest.raises(CorpusError, match=r"--encoding utf-16$"):
        read(["wide.txt"])
    assert read(["wide.txt"], "utf-16").texts == ("café",)
    put("bare.txt", "café".encode(encoding))
    with pytest.raises(CorpusError, match=r"^bare.txt is not utf-16: .* --encoding utf-16-le$"):
        read(["bare.txt"], "utf-16")
    assert read(["bare.txt"], encoding).texts == ("café",)


@pytest.mark.usefixtures("folder")
def test_another_encoding_can_be_named():
    put("old.txt", "café".encode("latin-1"))
    assert read(["old.txt"], "latin-1").texts == ("café",)
    assert read(["old.txt"], "cp1252").texts == ("café",)
    with pytest.raises(CorpusError, match=r"old\.txt is not ascii: byte 0xE9 at offset 3"):
        read(["old.txt"], "ascii")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64", ""])
def test_an_unknown_encoding_is_a_setting_out_of_range(encoding):
    put("a.txt", "one")
    with pytest.raises(ConfigError, match=f"encoding is '{encoding}'"):
        read(["a.txt"], encoding)


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
def test_a_byte_order_mark_is_dropped_at_the_beginning_alone(encoding, mark):
    put("a.txt", f"{mark}one \ufeff".encode(encoding))
    assert read(["a.txt"], encoding).texts == ("one \ufeff",)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be", "gb18030", "shift_jis"]
)
def test_no_character_suffers_from_where_a_block_ends(monkeypatch, encoding, block):
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
def test_the_place_of_an_error_is_that_in_the_file(monkeypatch, data, place, block):
    monkeypatch.setattr("charrnn.text.formats.BLOCK", block)
    with pytest.raises(CorpusError, match=f"is not utf-8: byte {place};"):
        read(put("a.txt", data))


# ---- what is kept --------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_crlf_is_read_as_lf_with_one_notice():
    put("a.txt", "one\r\ntwo\r\n\r\n")
    put("b.txt", "three\r\nfour\n")
    found = read(["a.txt", "b.txt"])
    assert found.texts == ("one\ntwo\n\n", "three\nfour\n")
    assert found.notices == ("CRLF line ends were read as LF",)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text",
    ["one\rtwo\r", "\0\x01\x1b[31m\x7f\x85", "a\u2028b\u200b\ue000\U0010ffff", "\t\f\v", "\n", " "],
)
def test_all_other_characters_are_kept(text):
    put("a.txt", text)
    found = read(["a.txt"])
    assert (found.texts, found.notices) == ((text,), ())


# ---- standard input ------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_dash_is_standard_input(monkeypatch):
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
def test_standard_input_is_checked_as_files_are(monkeypatch, data, named):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(CorpusError, match=named):
        read(["-"])


# ---- formats -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_new_format_is_one_entry(monkeypatch):
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


# ---- the digest ----------------------------------------------------------------------------------


def test_the_digest_tells_contents_and_borders_apart_but_not_names():
    texts = [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), ("ab", "d"), ()]
    assert len({make_corpus(*each).digest for each in texts}) == len(texts)
    assert replace(make_corpus("ab"), names=("x",)).digest == make_corpus("ab").digest


def test_the_digest_is_of_the_bytes_in_utf_8_each_text_after_its_length():
    """Models hold the digest of what they were trained on: it is for ever."""
    digest = hashlib.sha256()
    for text in ("banana", "é🎶\n"):
        digest.update(len(text.encode()).to_bytes(8, "little") + text.encode())
    assert make_corpus("banana", "", "é🎶\n").digest == digest.hexdigest()


# ---- ids -----------------------------------------------------------------------------------------


def test_a_corpus_is_encoded_with_the_ends_of_its_texts():
    text = make_corpus("ab", "c", "", "bca").encode(Tokenizer("abc"))
    np.testing.assert_array_equal(text.ids, [0, 1, 2, 1, 2, 0])
    np.testing.assert_array_equal(text.ends, [1, 2, 5])
    assert (len(text), text.ids.dtype) == (6, np.uint8)


def test_unknown_characters_are_refused_or_skipped():
    texts = make_corpus("ab?", "??", "?c")
    with pytest.raises(UnknownCharacterError, match=r"U\+003F"):
        texts.encode(Tokenizer("abc"))
    text = texts.encode(Tokenizer("abc"), unknown="skip")
    np.testing.assert_array_equal(text.ids, [0, 1, 2])
    np.testing.assert_array_equal(text.ends, [1, 2])


def test_characters_of_another_part_are_not_missed():
    train, valid = splitting.split(make_corpus("abababab?"))
    assert len(train.encode(Tokenizer("ab"))) == 8
    with pytest.raises(UnknownCharacterError):
        valid.encode(Tokenizer("ab"))


@pytest.mark.parametrize("texts", [[], [""], ["?"]])
def test_nothing_is_encoded_as_nothing(texts):
    text = make_corpus(*texts).encode(Tokenizer("abc"), unknown="skip")
    assert (len(text), len(text.ends)) == (0, 0)


@pytest.mark.parametrize("count", [255, 256, 257, 65_536, 65_537])
def test_ids_grow_with_the_alphabet(count):
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)][:count]))
    corpus = make_corpus("\n", *(text[i : i + 5000] for i in range(0, count, 5000)))
    tokenizer = Tokenizer.from_text(text)
    encoded = corpus.encode(tokenizer)
    assert "".join(corpus.texts) == "\n" + text
    assert encoded.ids.dtype == tokenizer.dtype
    assert tokenizer.decode(encoded.ids) == "\n" + text


def test_a_lone_surrogate_is_refused_by_name():
    with pytest.raises(CharRNNError, match=r"U\+D83C"):
        make_corpus("ab\ud83c")


def test_a_file_that_is_left_out_leaves_no_character(folder):
    (folder / "tales").mkdir()
    put("tales/a.txt", "".join(map(chr, range(0x100, 0x400))).encode() + b"\xff")
    put("tales/b.txt", "one")
    found = read("tales")
    assert (found.texts, found.characters()) == (("one",), set("one"))
    text = found.encode(Tokenizer("eno"))
    assert (text.ids.tolist(), text.ids.dtype) == ([2, 1, 0], np.uint8)


# ---- dividing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("length", [10, 37, 1000])
def test_a_whole_text_is_cut_at_the_character(fraction, length):
    text = "".join(chr(0x100 + n) for n in range(length))
    train, valid = split(make_corpus(text), "whole", fraction)
    cut = int(length * (1 - fraction))
    assert "".join(train) == text[:cut]
    assert "".join(valid) == text[cut:]
    assert all(train + valid)


def test_the_last_tenth_is_held_out_by_default():
    assert split(make_corpus("0123456789")) == (["012345678"], ["9"])


def test_every_file_gives_its_own_share():
    assert split(make_corpus("a" * 20, "b" * 10, "c" * 9 + "\n")) == (
        ["a" * 18, "b" * 9, "c" * 9],
        ["aa", "b", "\n"],
    )
    assert split(make_corpus("a" * 20))[1] == ["aa"]


@pytest.mark.parametrize(
    ("documents", "text", "expected"),
    [
        ("whole", "one\n\ntwo", ["one\n\ntwo"]),
        ("lines", "one\n\n two \n \t\nthree", ["one\n", " two \n", "three\n"]),
        ("lines", "one\n", ["one\n"]),
        ("lines", "a\x0bb\u2028c\x85d\re\n", ["a\x0bb\u2028c\x85d\re\n"]),
        ("paragraphs", "one\ntwo\n\n \n\nthree", ["one\ntwo\n\n", "three\n\n"]),
        ("paragraphs", "\n\none\n", ["one\n\n"]),
        ("lines", "\n \n", []),
        ("paragraphs", "\n \n", []),
    ],
)
def test_documents(documents, text, expected):
    assert split(make_corpus(text), documents, 0.0) == (expected, [])


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.1, 0.5])
def test_whole_documents_are_held_out_in_order(documents, fraction):
    end = DOCUMENTS[documents].terminator
    pieces = [f"document {n} " + "x" * (n % 17) + end for n in range(60)]
    train, valid = split(make_corpus("".join(pieces)), documents, fraction)
    assert train + valid == pieces
    length = len("".join(pieces))
    assert len("".join(valid)) == pytest.approx(length * fraction, abs=20)
    assert (valid == []) == (fraction == 0)


def test_each_of_several_files_gives_whole_documents():
    texts = ["".join(f"{name}{n}\n" for n in range(10)) for name in "ab"]
    train, valid = split(make_corpus(*texts), "lines")
    assert valid == ["a9\n", "b9\n"]
    assert len(train) == 18


def test_a_document_is_never_divided():
    assert split(make_corpus("one line\n"), "lines", 0.4) == (["one line\n"], [])
    assert split(make_corpus("one line\n"), "lines", 0.6) == ([], ["one line\n"])


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_share_out_of_range_is_refused(fraction):
    with pytest.raises(ConfigError, match="valid_fraction"):
        split(make_corpus("text"), "whole", fraction)


def test_unknown_documents_are_refused_with_the_choices():
    with pytest.raises(ConfigError, match="'words': choose one of whole, lines, paragraphs"):
        split(make_corpus("text"), "words")
    assert list(DOCUMENTS) == ["whole", "lines", "paragraphs", "tunes"]


def as_plain_python_splits(text, documents):
    lines = [line + "\n" for line in text.split("\n")]
    if documents == "lines":
        return [line for line in lines if line.strip()]
    paragraphs = [""]
    for line in lines:
        if line.strip():
            paragraphs[-1] += line
        elif paragraphs[-1]:
            paragraphs.append("")
    return [paragraph + "\n" for paragraph in paragraphs if paragraph]


@pytest.mark.parametrize("documents", ["lines", "paragraphs"])
@pytest.mark.parametrize("block", [1, 2, 3, 5, 100])
def test_documents_are_found_whatever_the_blocks(monkeypatch, documents, block):
    monkeypatch.setattr("charrnn.text.spool.BLOCK", block)
    rng = random.Random(block)
    for _ in range(60):
        texts = ["".join(rng.choices("ab \n\n\t", k=rng.randrange(1, 30))) for _ in "123"]
        expected = [piece for text in texts for piece in as_plain_python_splits(text, documents)]
        assert split(make_corpus(*texts), documents, 0.0) == (expected, [])
        train, valid = split(make_corpus(*texts), documents, 0.3)
        assert sorted(train + valid) == sorted(expected)


@pytest.mark.skipif("CHARRNN_DATA" not in os.environ, reason="CHARRNN_DATA names no corpora")
def test_tiny_shakespeare_is_split_as_everybody_does():
    (train,), (valid,) = split(read(Path(os.environ["CHARRNN_DATA"]) / "tinyshakespeare.txt"))
    assert (len(train), len(valid)) == (1_003_854, 111_540)
    assert len(set(train + valid)) == 65


def test_the_examples_in_the_docstrings_run():
    results = doctest.testmod(charrnn.text.corpus)
    assert results.attempted > 0
    assert results.failed == 0
