"""What the user sees: escaped text, and messages on standard error."""

from __future__ import annotations

import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # they move the cursor, or hide


def tell(message: str) -> None:
    """Write a message for the user to standard error, wrapped on a terminal."""
    write_line(wrapped(f"charrnn: {one_line(message)}", columns()))


def write_line(line: str) -> None:
    """Write a line to standard error; nobody need be there to read it."""
    try:
        click.echo(line, err=True)
    except OSError:
        give_up(sys.stderr)


def columns() -> int | None:
    """Return the width of the terminal that shows standard error, or None if it is no terminal."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except (OSError, ValueError):  # a file, a pipe, or a stream without a descriptor
        return None


# A word with the spaces before it; an option keeps its value, and a number its unit.
_WORD = re.compile(
    r" *(?:--?[a-z][\w-]* (?=[^ -])"
    r"|(?:(?:of|=) (?=\d))?(?:\(?\d[\d.,]* (?:x \d+ )?(?=[a-z]))?)[^ ]+"
)


def wrapped(line: str, width: int | None, indent: str = "    ", cut: bool = False) -> str:
    """Return `line` in rows narrower than `width` columns; all but the first are indented.

    Rows break between words; a no-break space keeps two words together. A word that is wider than a
    row gets a row to itself, or is `cut`.

    >>> print(wrapped("lower the rate with --learning-rate 0.001, or train on", 40))
    lower the rate with
        --learning-rate 0.001, or train on
    """
    if width is None:
        return line.replace("\xa0", " ")
    width = max(width - 1, 2 * len(indent))  # a full row would make some terminals add an empty one
    rows = [""]
    for word in _WORD.findall(line):
        if rows[-1].strip() and _width(rows[-1] + word) > width:
            rows.append(indent)
            word = word.lstrip()
        while cut and _width(rows[-1] + word) > width:
            fits = max(n for n in range(len(word)) if _width(rows[-1] + word[:n]) <= width)
            rows[-1] += word[:fits]
            rows.append(indent)
            word = word[fits:]
        rows[-1] += word
    return "\n".join(rows).replace("\xa0", " ")


def _width(text: str) -> int:
    """Return how many columns a terminal gives to `text`: East Asian characters take two."""
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def show(text: str) -> None:
    """Write a line to standard output, and no more than one; what that cannot encode is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    text = printable(text).replace("\n", "\\n").replace("\t", "\\t")
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def give_up(stream: TextIO) -> None:
    """Let nothing more be written to `stream`, by Python's last flush either."""
    with suppress(OSError):  # it may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def sparkline(values: Sequence[float]) -> str:
    """Return a small drawing of `values`, from their lowest to their highest.

    >>> sparkline([2.0, 1.6, 1.5, 1.5])
    '█▂▁▁'
    """
    low, high = min(values), max(values)
    steps = "▁▂▃▄▅▆▇█"
    return "".join(
        steps[round((value - low) / max(high - low, 1e-9) * (len(steps) - 1))] for value in values
    )


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped, but for newline and tab.

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
    r"""Return `word` as a shell reads it, without a control character in it.

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


def pasted(path: str | Path) -> str:
    """Return a path to paste into a shell, where it cannot be taken for an option.

    >>> pasted("my novel.txt"), pasted("-novel.txt")
    ("'my novel.txt'", './-novel.txt')
    """
    name = str(path)
    return quoted(f"./{name}" if name.startswith("-") and name != "-" else name)


def write_text(text: str, encoding: str) -> None:
    """Write a text to standard output: escaped on a terminal, else as the bytes of `encoding`."""
    if sys.stdout.isatty():
        Output().write(text)
    else:
        click.echo(text.encode(encoding), nl=False)


class Output:
    """Standard output for text: escaped on a terminal, raw in a pipe."""

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self.is_terminal = self.stream.isatty()
        self._told = False

    def write(self, text: str) -> None:
        """Write `text` at once; what the stream cannot encode is replaced, and told once."""
        if self.is_terminal:
            text = printable(text)
        encoding = self.stream.encoding or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.encode(encoding, "replace").decode(encoding)
            if not self._told:
                tell(
                    f"standard output is {encoding}; characters that it cannot encode were "
                    "replaced with '?'"
                )
                self._told = True
        self.stream.write(text)
        self.stream.flush()
