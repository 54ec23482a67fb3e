"""Plain text: each file is one text, read in pieces and never in memory as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CorpusError, counted
from charrnn.text.documents import File, Reading
from charrnn.text.formats import format_of, opened

STDIN = "-"
ZEROS = 1 << 12  # consecutive NUL characters that no text has


@dataclass(frozen=True)
class PlainText(Reading):
    """Plain text, without a byte order mark and with CRLF read as LF; it has no settings."""

    def read(
        self, files: Sequence[File], encoding: str, add: Callable[[Iterable[str]], int]
    ) -> tuple[list[str], list[str]]:
        """Add each file as one text; in a folder, skip files that aren't text, with a notice."""
        names, notices, skipped = [], [], []
        crlf, crlf_read = set[str](), False
        for path, in_folder in files:
            try:
                length = add(_pieces(path, encoding, in_folder, crlf))
            except CorpusError as error:
                if not in_folder:
                    raise
                skipped.append(str(error))
                continue
            crlf_read |= str(path) in crlf
            if length:
                names.append("standard input" if str(path) == STDIN else str(path))
            elif not in_folder:
                notices.append(f"{path} is empty")
        if skipped:
            notices.append(f"skipped {counted(len(skipped), 'file')}; the first: {skipped[0]}")
        if crlf_read:
            notices.append("read CRLF line endings as LF")
        return names, notices


PLAIN_TEXT = PlainText()


def _pieces(path: str | Path, encoding: str, in_folder: bool, crlf: set[str]) -> Iterator[str]:
    """Yield a file's text without its byte order mark and with CRLF as LF; add its path to `crlf`
    if it has CRLF.

    Raises CorpusError for a file that is missing, unreadable, or not text.
    """
    begun, held = False, ""
    for piece in _read(path, encoding):
        text = held + (piece if begun else piece.removeprefix("\ufeff"))
        begun, held = begun or piece != "", ""
        if in_folder and "\0" in text:
            raise CorpusError(f"{path} is not text")
        if len(text) >= ZEROS and not text.strip("\0"):  # /dev/zero never ends
            raise CorpusError(f"{path} is not text: {len(text):,} consecutive NUL characters")
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
    with nullcontext(sys.stdin.buffer) if stdin else opened(path) as file:
        yield from format_of(path).read(file, str(path), encoding)
