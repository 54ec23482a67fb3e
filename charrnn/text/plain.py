"""Plain text: each file is one text, read in pieces and never in memory as a whole."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import CorpusError, counted
from charrnn.progress import report
from charrnn.text.documents import Contents, File, Reading
from charrnn.text.formats import format_of, opened

STDIN = "-"
SOME = 3  # names of skipped files in a notice
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
SHORTEST_LIST = 20  # lines
LONG_LINE = 40  # characters
OTHER_LINES = 0.03  # share of lines in a list that don't look like one
ZEROS = 1 << 12  # consecutive NUL characters that no text has


@dataclass(frozen=True)
class PlainText(Reading):
    """Plain text, without a byte order mark and with CRLF read as LF; it has no settings."""

    def read(
        self, files: Sequence[File], encoding: str, add: Callable[[Iterable[str]], int]
    ) -> Contents:
        """Add each file as one text; in a folder, skip files that aren't text, with a notice."""
        names, notices = list[str](), list[str]()
        not_read: list[tuple[str, str]] = []
        crlf, crlf_read = set[str](), False
        for path, in_folder in files:
            try:
                length = add(_pieces(path, encoding, in_folder, crlf))
            except CorpusError as error:
                if not in_folder:
                    raise
                not_read.append((str(path), error.args[0]))
                continue
            crlf_read |= str(path) in crlf
            if length:
                names.append("standard input" if str(path) == STDIN else str(path))
            elif not in_folder:
                notices.append(f"{path} is empty")
        notices += skipped("file", not_read)
        if crlf_read:
            notices.append("read CRLF line endings as LF")
        return Contents(names, notices)


PLAIN_TEXT = PlainText()


def skipped(noun: str, errors: Sequence[tuple[str, str]]) -> list[str]:
    """Return the notice that files or folders were skipped, given their names and errors.

    >>> skipped("file", [("a.png", "a.png is not text"), ("b.png", "b.png is not text")])
    ['skipped 2 files (a.png, b.png); the first: a.png is not text']
    """
    if len(errors) < 2:
        return [f"skipped 1 {noun}: {error}" for _, error in errors]
    names = some([name for name, _ in errors])
    return [f"skipped {counted(len(errors), noun)} ({names}); the first: {errors[0][1]}"]


def some(names: Sequence[str]) -> str:
    """Return the first few of some names.

    >>> some(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return ", ".join([*names[:SOME], *["..."] * (len(names) > SOME)])


def is_list(text: str) -> bool:
    """Return whether a text is a list, such as of names: short lines, nearly none of them blank,
    indented, or ended by punctuation, as many lines of prose, verse and source code are.

    >>> is_list("Ada\\nGrace\\nJoan Clarke\\n" * 10)
    True
    >>> is_list("If I were you,\\nI would.\\n\\n" * 10)
    False
    """
    lines = text.split("\n")[:-1]
    others = sum(
        not line.strip()
        or len(line) > LONG_LINE
        or line[0].isspace()
        or unicodedata.category(line.rstrip()[-1])[0] in "PS"
        for line in lines
    )
    return len(lines) >= SHORTEST_LIST and others <= OTHER_LINES * len(lines)


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
        if not text.isascii() and (found := LONE_SURROGATE.search(text)):
            raise CorpusError(f"{path} is not text: lone surrogate U+{ord(found[0]):04X}")
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
        size = 0 if stdin else os.fstat(file.fileno()).st_size
        for piece in format_of(path).read(file, str(path), encoding):
            if size:
                report(f"reading {path}", min(1.0, file.tell() / size))
            yield piece
