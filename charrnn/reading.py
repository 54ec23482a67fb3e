"""Files and folders to text, piece by piece: each file is read once, and never held as a whole.

To read another format, write a function from an open file to pieces of text and list it in READERS.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.spool import BLOCK

STDIN = "-"


def read_text(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Decode a text file; raises CorpusError with the offset and the byte if that cannot be."""
    head, offset, data = b"", 0, b""
    try:
        "".encode(encoding)  # refuses what encodes no text
        decoder = codecs.getincrementaldecoder(encoding)()
        while offset == 0 or data:
            data = file.read(BLOCK)
            head, offset = head or data[:2], offset + len(data)
            yield decoder.decode(data, len(data) < BLOCK)
    except UnicodeDecodeError as error:
        hint = "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise CorpusError(
            f"{name} is not {encoding}: byte 0x{error.object[error.start]:02X} at offset "
            f"{offset - len(error.object) + error.start:,}; name its encoding, as with "
            f"--encoding {hint}"
        ) from None
    except LookupError:
        raise ConfigError(f"encoding is {encoding!r}: Python knows no such text encoding") from None
    except UnicodeError as error:
        raise CorpusError(f"{name} is not {encoding}: {error}") from None


Reader = Callable[[BinaryIO, str, str], Iterable[str]]  # of an open file, its name, the encoding
READERS: dict[str, Reader] = {".txt": read_text}


def files_of(path: str | Path) -> Iterator[tuple[str | Path, bool]]:
    """Yield the files of `path`, and whether they were found in a folder: in order, hidden ones and
    models left out.
    """
    if str(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112 (Path's raises)
        yield path, False
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.suffix != ".safetensors" and file.is_file():
                yield file, True


def pieces(path: str | Path, encoding: str, in_folder: bool, crlf: set[str]) -> Iterator[str]:
    """Yield a file's text without its byte order mark, CRLF as LF; `crlf` gathers where that was.

    Raises CorpusError for what is missing, unreadable, or not text.
    """
    begun, held = False, ""
    for piece in _read(path, encoding):
        text = held + (piece if begun else piece.removeprefix("\ufeff"))
        begun, held = begun or piece != "", ""
        if in_folder and "\0" in text:
            raise CorpusError(f"{path} is no text")
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
