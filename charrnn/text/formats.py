"""File formats by suffix. Files with any other suffix are plain text.

To add a text format, write a function that turns an open file, its name and an encoding into
pieces of text, and list it in FORMATS. For another kind of document (documents.py), the function
returns what the `Reading` of that kind expects.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charrnn.errors import CharRNNError, ConfigError, CorpusError, reason
from charrnn.registry import resolve
from charrnn.text.spool import BLOCK


@dataclass(frozen=True)
class Format:
    """A file format: its reader, and the kind of document in its files."""

    read: Callable[[BinaryIO, str, str], Any]
    documents: str = "whole"


def read_text(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Decode a text file. Raises CorpusError with the byte and its offset if it isn't in this
    encoding, and ConfigError for an unknown encoding.
    """
    head, offset, ended = b"", 0, False
    try:
        "".encode(encoding)  # raises LookupError for codecs that don't encode text, such as rot13
        decoder = codecs.getincrementaldecoder(encoding)()
        while not ended:
            data = file.read(BLOCK)
            head, offset, ended = head or data[:2], offset + len(data), len(data) < BLOCK
            yield decoder.decode(data, ended)
    except UnicodeDecodeError as error:
        hint = "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        if codecs.lookup(encoding).name == "utf-16":  # Python 3.13, without a byte order mark
            hint = "utf-16-le"
        raise CorpusError(
            f"{name} is not valid {encoding.upper()}: byte 0x{error.object[error.start]:02X} at "
            f"offset {offset - len(error.object) + error.start:,}; specify its encoding, for "
            f"example with `encoding='{hint}'`"
        ) from None
    except LookupError:
        raise ConfigError(
            f"unknown `encoding` {encoding!r}; use a name such as utf-8 or latin-1"
        ) from None
    except UnicodeError as error:
        raise CorpusError(
            f"{name} is not valid {encoding.upper()}: {error}; specify its encoding, for example "
            "with `encoding='utf-16-le'`"
        ) from None


TEXT = Format(read_text)
FORMATS: dict[str, Format | str] = {
    ".abc": "charrnn.music.formats:ABC",
    ".mid": "charrnn.music.formats:MIDI",
    ".midi": "charrnn.music.formats:MIDI",
    ".musicxml": "charrnn.music.formats:MUSICXML",
    ".mxl": "charrnn.music.formats:MUSICXML",
}


def format_of(path: str | Path) -> Format:
    """Return the format of a file by its suffix."""
    found: Format = resolve(FORMATS.get(Path(path).suffix.lower(), TEXT))
    return found


def suffixes_of(documents: str) -> list[str]:
    """Return the suffixes of formats with this kind of document."""
    return [suffix for suffix, entry in FORMATS.items() if resolve(entry).documents == documents]


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading; raises CorpusError if that fails."""
    try:
        with Path(path).open("rb") as file:
            yield file
    except CharRNNError:
        raise
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {reason(error)}") from None
    except ValueError as error:  # a NUL character in the path
        raise CorpusError(f"{path} cannot be read: {error}") from None
