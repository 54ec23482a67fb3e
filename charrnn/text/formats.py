"""File formats, by suffix. All files that are not listed here are plain text.

To add a format of text, write a function that turns an open file, its name and an encoding into
pieces of text, and list it in FORMATS. A format with another kind of document (documents.py) gives
what that kind's `Reading` takes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.registry import resolve
from charrnn.text.spool import BLOCK


@dataclass(frozen=True)
class Format:
    """A file format: how it is read, and the kind of document that its files hold."""

    read: Callable[[BinaryIO, str, str], Any]
    documents: str = "whole"


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
            f"`encoding='{hint}'`"
        ) from None
    except LookupError:
        raise ConfigError(
            f"`encoding` is {encoding!r}: Python knows no such text encoding"
        ) from None
    except UnicodeError as error:
        raise CorpusError(
            f"{name} is not {encoding}: {error}; name its encoding, as with `encoding='utf-16-le'`"
        ) from None


TEXT = Format(read_text)
FORMATS: dict[str, Format | str] = {
    ".abc": "charrnn.music.formats:ABC",
    ".mid": "charrnn.music.formats:MIDI",
    ".midi": "charrnn.music.formats:MIDI",
}


def format_of(path: str | Path) -> Format:
    """Return the format of a file, by its suffix."""
    found: Format = resolve(FORMATS.get(Path(path).suffix.lower(), TEXT))
    return found


def suffixes_of(documents: str) -> list[str]:
    """Return the suffixes of files with this kind of document."""
    return [suffix for suffix, entry in FORMATS.items() if resolve(entry).documents == documents]


@contextmanager
def opened(path: str | Path, what: str) -> Iterator[BinaryIO]:
    """Open a file to read; raises CorpusError, which asks for `what`, if that fails."""
    try:
        with Path(path).open("rb") as file:
            yield file
    except CharRNNError:
        raise
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist: give the path of {what}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path} cannot be read: {reason}") from None
