"""Split a text in ABC notation into the lines of its tunes.

Lines end with CR, LF or CRLF. Blocks from `%%begin...` to `%%end...`, such as text for the printed
page, are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")  # not `e:|`, which is music
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLOCK = re.compile(r"%%\s*+begin(\w+)", re.IGNORECASE)
_BLOCK_END = re.compile(r"(?:\A|[\r\n])%%\s*+end(\w+)", re.IGNORECASE)


@dataclass
class Source:
    """The lines of a tune's header and body, each with its offset in the text."""

    line: int  # number of its first line, from 1
    numbered: bool  # has X:, unlike canonical text
    header: list[tuple[int, str]] = field(default_factory=list)
    body: list[tuple[int, str]] = field(default_factory=list)
    has_music: bool = False  # whether a line of the body is not blank
    blocks: int = 0  # skipped within the tune


def sources(text: str) -> Iterator[Source]:
    """Yield the tunes; each header starts with the M: and L: that precede the file's first tune."""
    common: dict[str, tuple[int, str]] = {}
    source: Source | None = None
    for number, offset, line, is_block in _lines(text):
        if is_block:
            if source:
                source.blocks += 1
            continue
        found = FIELD.match(line)
        letter = found[1] if found else ""
        ended = not line.strip() and source and (source.has_music or not source.numbered)
        if source and (letter == "X" or ended):
            if source.numbered or source.has_music:
                yield source
            else:  # a file header, not a tune
                common |= {entry[1][0]: entry for entry in source.header if entry[1][0] in "ML"}
            source = None
        if letter == "X":
            source = Source(number, True, list(common.values()))
        elif source is None and letter and letter in "TMLK":
            source = Source(number, False)
        if source and source.body:
            source.body.append((offset, line))
            source.has_music |= bool(line.strip())
        elif source and letter:
            source.header.append((offset, line))
            if letter == "K":
                source.body.append((offset + len(line), ""))
    if source and (source.numbered or source.has_music):
        yield source


def _lines(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Yield the number and offset of each line outside blocks, the line, and False; for each block,
    its first line and True.

    A block without an end is one line long.
    """
    ends = {found[1].lower(): found.start() for found in _BLOCK_END.finditer(text)}  # the last ones
    inside = ""
    start = 0
    for number, end in enumerate(_line_ends(text), 1):
        line = text[start : end[0]]
        if inside:
            closing = _BLOCK_END.match(line)
            inside = "" if closing and closing[1].lower() == inside else inside
        else:
            opening = _BLOCK.match(line)
            if opening and ends.get(opening[1].lower(), -1) >= end[0]:
                inside = opening[1].lower()
            yield number, start, line, opening is not None
        start = end[1]


def _line_ends(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line ends and where the next one begins."""
    for found in _LINE_END.finditer(text):
        yield found.span()
    yield len(text), len(text)
