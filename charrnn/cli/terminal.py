"""Terminal output: escaped text, and wrapped messages on standard error."""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import click

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # they move the cursor, or hide
_OPTION = re.compile(r"(?<!\S)(--?\w[\w-]*) ")
_GLUE = "\0"  # between an option and its value; no printable text has it


def tell(message: str) -> None:
    """Write a message to standard error, as one line unless a terminal is narrower."""
    write_line(f"charrnn: {one_line(message)}", indent="  ")


def write_line(line: str, indent: str | None = None) -> None:
    """Write a line to standard error; ignore that nobody is there to read it.

    With an `indent`, on a terminal, it is wrapped, and the lines after the first are indented.
    """
    width = _width(sys.stderr) if indent is not None else 0
    try:
        click.echo(wrapped(line, width, indent or "") if width else line, err=True)
    except OSError:
        give_up(sys.stderr)


def wrapped(line: str, width: int, indent: str) -> str:
    r"""Return `line` wrapped at `width` columns, without a break in a word or before a value.

    >>> print(wrapped("out of memory; try --batch-size 16 or --hidden-size 64", 30, "  "))
    out of memory; try
      --batch-size 16 or
      --hidden-size 64
    """
    lines = textwrap.wrap(
        _OPTION.sub(rf"\1{_GLUE}", line),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(_GLUE, " ")


def _width(stream: TextIO) -> int:
    """Return the columns of a terminal; 0 for anything else, and where they aren't known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # it is a file, or closed
        return 0


def show(text: str) -> None:
    """Write exactly one line to standard output; characters it cannot encode are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    text = printable(text).replace("\n", "\\n").replace("\t", "\\t")
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def give_up(stream: TextIO) -> None:
    """Discard all further output to `stream`, including Python's flush at exit."""
    with suppress(OSError):  # it may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def sparkline(values: Sequence[float]) -> str:
    """Return a line of bars, one for each of the `values`, scaled from lowest to highest.

    >>> sparkline([2.0, 1.6, 1.5, 1.5])
    '█▂▁▁'
    """
    low, high = min(values), max(values)
    steps = "▁▂▃▄▅▆▇█"
    return "".join(
        steps[round((value - low) / max(high - low, 1e-9) * (len(steps) - 1))] for value in values
    )


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped, except newline and tab.

    >>> printable("a\x1b[2Jb\n")
    'a\\x1b[2Jb\n'
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSAFE and character not in "\n\t"
        else character
        for character in text
    )


def one_line(text: str) -> str:
    """Return `text` as a single printable line."""
    return " ".join(printable(text).split())


def quoted(word: str) -> str:
    r"""Return `word` quoted for a shell, free of control characters.

    >>> print(quoted("my novel.txt"), quoted("a\x1b[2J.txt"))
    'my novel.txt' $'a\x1b[2J.txt'
    """
    if printable(word) == word and not {"\n", "\t"} & set(word):
        return shlex.quote(word)
    return "$'{}'".format(
        "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}"
            for byte in os.fsencode(word)
        )
    )


class Output:
    """Standard output for text: escaped on a terminal, raw in a pipe."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self.is_terminal = self.stream.isatty()
        self._warned = False

    def write(self, text: str) -> None:
        """Write `text` at once; replace what the stream cannot encode, and warn once."""
        if self.is_terminal:
            text = printable(text)
        encoding = self.stream.encoding or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.encode(encoding, "replace").decode(encoding)
            if not self._warned:
                tell(f"standard output is {encoding}; characters it cannot encode became '?'")
                self._warned = True
        self.stream.write(text)
        self.stream.flush()
