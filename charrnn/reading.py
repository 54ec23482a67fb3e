"""Files and folders to a corpus: each file is read once, piece by piece, and never held as a whole.

To read another format, write a function from an open file to pieces of text and list it in READERS.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from charrnn.corpus import Builder, Corpus
from charrnn.errors import CharRNNError, ConfigError, CorpusError, counted, require
from charrnn.spool import BLOCK

if TYPE_CHECKING:
    from charrnn.music.collection import TuneReading

STDIN = "-"
ZEROS = 1 << 12  # NUL characters, and nothing else, that no text has
TUNES = (".abc", ".mid", ".midi")  # suffixes of files of tunes (music/formats.py)
KEYS_READ = {  # what is told of them
    "tonic": "all of them put on the tonic C",
    "all": "those to train on in all twelve keys",
    "none": "in their own keys",
}


def read_text(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Decode a text file; raises CorpusError with the offset and the byte if that cannot be."""
    head, offset, ended = b"", 0, False
    try:
        "".encode(encoding)  # refuses what encodes no text
        decoder = codecs.getincrementaldecoder(encoding)()
        while not ended:
            data = file.read(BLOCK)
            head, offset, ended = head or data[:2], offset + len(data), len(data) < BLOCK
            yield decoder.decode(data, ended)
    except UnicodeDecodeError as error:
        hint = "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        if codecs.lookup(encoding).name == "utf-16":  # Python 3.13's way to say that it has no mark
            hint = "utf-16-le"
        raise CorpusError(
            f"{name} is not {encoding}: byte 0x{error.object[error.start]:02X} at offset "
            f"{offset - len(error.object) + error.start:,}; name its encoding, as with "
            f"--encoding {hint}"
        ) from None
    except LookupError:
        raise ConfigError(f"encoding is {encoding!r}: Python knows no such text encoding") from None
    except UnicodeError as error:
        raise CorpusError(
            f"{name} is not {encoding}: {error}; name its encoding, as with --encoding utf-16-le"
        ) from None


Reader = Callable[[BinaryIO, str, str], Iterable[str]]  # of an open file, its name, the encoding
READERS: dict[str, Reader] = {".txt": read_text}


def read(
    paths: str | Path | Sequence[str | Path],
    encoding: str = "utf-8",
    tunes: TuneReading | None = None,
) -> Corpus:
    """Read a file, or several: files, folders (all text files in them, sorted, hidden ones and
    models left out) and "-", standard input. A byte order mark is dropped, and CRLF read as LF.
    `tunes` says how files of tunes are read (`charrnn.music.collection.TuneReading`); a model's is
    `checkpoint.tunes`.

    Raises CorpusError for what is missing, unreadable, not text, or empty.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    require(len(paths) > 0, "no corpus was given: name a text file")
    files = [found for path in paths for found in _files(path)]
    if any(_is_of_tunes(file) for file, _ in files):
        return _read_tunes(files, tunes)
    builder = Builder()
    names, notices, left_out = [], [], []
    crlf, crlf_read = set[str](), False
    for file, in_folder in files:
        try:
            length = builder.add(_pieces(file, encoding, in_folder, crlf))
        except CorpusError as error:
            if not in_folder:
                raise
            left_out.append(str(error))
            continue
        crlf_read |= str(file) in crlf
        if length:
            names.append("standard input" if str(file) == STDIN else str(file))
        elif not in_folder:
            notices.append(f"{file} is empty")
    if not names:
        what = "standard input" if str(paths[0]) == STDIN else str(paths[0])
        nothing = "has no text file in it" if os.path.isdir(paths[0]) else "is empty"  # noqa: PTH112 (as below)
        raise CorpusError(f"{what} {nothing}: there is nothing to read")
    if left_out:
        notices.append(f"files left out: {len(left_out)}, such as: {left_out[0]}")
    if crlf_read:
        notices.append("CRLF line ends were read as LF")
    return builder.corpus(names, notices)


def _is_of_tunes(file: str | Path) -> bool:
    return Path(file).suffix.lower() in TUNES


def _read_tunes(files: Sequence[tuple[str | Path, bool]], reading: TuneReading | None) -> Corpus:
    """Read files of tunes as one text in canonical ABC, in a drawn order."""
    from charrnn.music.collection import TuneReading, collect
    from charrnn.music.formats import Found, read_tunes, together

    reading = reading or TuneReading()
    parts = []
    for file, in_folder in files:
        if not _is_of_tunes(file):
            if in_folder:
                continue
            raise CorpusError(f"{file} is no file of tunes, and others are: learn them separately")
        try:
            parts.append(read_tunes(file))
        except CorpusError as error:
            parts.append(Found(unread=(str(error),)))
    found = together(parts)
    collection, notices = collect(found.tunes, reading.keep_irregular), found.notices()
    if not collection.tunes:
        raise CorpusError(
            "there is no tune to learn from: " + "; ".join([*notices, *collection.notices])
        )
    notices.append(f"{counted(len(collection.tunes), 'tune')}, {KEYS_READ[reading.transpose]}")
    builder = Builder()
    builder.add(map(reading.text, collection.tunes))
    corpus = builder.corpus(found.names, [*notices, *collection.notices])
    return replace(corpus, tunes=reading)


def augmented(training: Corpus, reading: TuneReading | None) -> Corpus:
    """Return the documents to train on: tunes in all twelve keys, if that is the `reading`.

    Raises CorpusError if they are no whole tunes.
    """
    if reading is None or reading.copies == 1:
        return training
    from charrnn.music.collection import in_all_keys

    builder = Builder(training.tokenizer)
    for text in in_all_keys(training.texts):
        builder.add([text])
    return builder.corpus()


def _files(path: str | Path) -> Iterator[tuple[str | Path, bool]]:
    """Yield the files of `path`, and whether they were found in a folder."""
    if str(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112 (Path's raises)
        yield path, False
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.suffix != ".safetensors" and file.is_file():
                yield file, True


def _pieces(path: str | Path, encoding: str, in_folder: bool, crlf: set[str]) -> Iterator[str]:
    """Yield a file's text without its byte order mark, CRLF as LF; `crlf` gathers where that was.

    Raises CorpusError for what is missing, unreadable, or not text.
    """
    begun, held = False, ""
    for piece in _read(path, encoding):
        text = held + (piece if begun else piece.removeprefix("\ufeff"))
        begun, held = begun or piece != "", ""
        if in_folder and "\0" in text:
            raise CorpusError(f"{path} is no text")
        if len(text) >= ZEROS and not text.strip("\0"):  # /dev/zero: it would never end
            raise CorpusError(f"{path} has {len(text):,} NUL characters on end: give a text file")
        if "\r" in text:
            held = "\r" if text.endswith("\r") else ""  # its LF may follow
            text = text.removesuffix(held)
            if "\r\n" in text:
                crlf.add(str(path))
            text = text.replace("\r\n", "\n")
        yield text
    yield held


def _read(path: str | Path, encoding: str) -> Iterator[str]:
    reader = READERS.get(Path(path).suffix.lower(), read_text)
    try:
        stdin = str(path) == STDIN
        with nullcontext(sys.stdin.buffer) if stdin else Path(path).open("rb") as file:
            yield from reader(file, str(path), encoding)
    except CharRNNError:
        raise
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist: give the path of a text file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path} cannot be read: {reason}") from None
