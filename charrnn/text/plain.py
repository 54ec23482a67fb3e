"""Plain text: each file is one text, read piece by piece and never held as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.text.documents import File, Reading
from charrnn.text.formats import format_of, opened

STDIN = "-"
ZEROS = 1 << 12  # NUL characters, and nothing else, that no text has


@dataclass(frozen=True)
class PlainText(Reading):
    """Text as it is, without a byte order mark, CRLF read as LF; it has no settings."""

    def read(
        self, files: Sequence[File], encoding: str, add: Callable[[Iterable[str]], int]
    ) -> tuple[list[str], list[str]]:
        """Add each file as one text; in a folder, what is not text is left out with a notice."""
        names, notices, left_out = [], [], []
        crlf, crlf_read = set[str](), False
        for path, in_folder in files:
            try:
                length = add(_pieces(path, encoding, in_folder, crlf))
            except CorpusError as error:
                if not in_folder:
                    raise
                left_out.append(str(error))
                continue
            crlf_read |= str(path) in crlf
            if length:
                names.append("standard input" if str(path) == STDIN else str(path))
            elif not in_folder:
                notices.append(f"{path} is empty")
        if left_out:
            notices.append(f"files left out: {len(left_out)}, such as: {left_out[0]}")
        if crlf_read:
            notices.append("CRLF line ends were read as LF")
        return names, notices


PLAIN_TEXT = PlainText()


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
    stdin = str(path) == STDIN
    with nullcontext(sys.stdin.buffer) if stdin else opened(path, "a text file") as file:
        yield from format_of(path).read(file, str(path), encoding)
