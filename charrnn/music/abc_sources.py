"""Split a text in ABC notation into the lines of its tunes, and into a text for each.

Lines end with CR, LF or CRLF. Blocks from `%%begin...` to `%%end...`, such as text for the printed
page, are not music.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")  # not `e:|`, which is music
_SHARED = frozenset("ABCDFGHINORSUZmr")  # fields of a file header, besides M: and L:
_MOST_SHARED = 20  # of these, which are repeated in the text of each tune
_LONGEST = 100  # characters in each
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
    after: int = 0  # offset of the end of the tune before
    begin: int = 0
    end: int = 0
    shared: tuple[str, ...] = ()  # fields of the file header

    def alone(self, text: str) -> str:
        """Return the tune's part of `text`, with a number and with the fields of the file header:
        read alone, it is the same tune. The comments and free text before the tune come first.
        """
        outside = text[self.after : self.begin].splitlines(keepends=True)
        before = [line for line in outside if line.rstrip("\r\n") not in self.shared]
        end = found[0] if (found := _LINE_END.search(text, self.begin)) else "\n"
        stated = {line[0] for offset, line in self.header if offset >= self.begin}
        shared = self.shared if self.numbered else ("L:1/8",)
        key = self.header[-1][0]  # K: ends the header
        parts = [*before, "" if self.numbered else f"X:1{end}", text[self.begin : key]]
        parts += [line + end for line in shared if line[0] not in stated]
        return "".join([*parts, text[key : self.end]]).lstrip("\r\n")


def sources(text: str) -> Iterator[Source]:
    """Yield the tunes; each header starts with the M: and L: that precede the file's first tune."""
    common: dict[str, tuple[int, str]] = {}
    shared: list[str] = []
    after = 0
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
                source.end = after = offset
                yield source
            else:  # a file header, not a tune
                common |= {entry[1][0]: entry for entry in source.header if entry[1][0] in "ML"}
                shared += (line for _, line in source.header if line[0] in _SHARED)
            source = None
        if letter == "X":
            source = Source(number, True, list(common.values()), after=after, begin=offset)
            lines = (*shared[:_MOST_SHARED], *(line for _, line in common.values()))
            source.shared = tuple(line[:_LONGEST] for line in lines)
        elif source is None and letter and letter in "TMLK":
            source = Source(number, False, after=after, begin=offset)
        elif source is None and letter in _SHARED and not after:
            shared.append(line)
        if source and source.body:
            source.body.append((offset, line))
            source.has_music |= bool(line.strip())
        elif source and letter:
            source.header.append((offset, line))
            if letter == "K":
                source.body.append((offset + len(line), ""))
    if source and (source.numbered or source.has_music):
        source.end = len(text)
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
