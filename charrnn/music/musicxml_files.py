"""MusicXML files, compressed or not, to the few elements that make a melody.

Files come from anywhere, so that nothing in them reaches the library that reads the score before it
was checked: sizes, the archive, entities, and every number. Of the rest, what people would miss is
counted.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from charrnn.errors import CorpusError
from charrnn.music.mxl import unpacked

MAX_PACKED = 4 << 20  # bytes in an .mxl file
MAX_BYTES = 16 << 20  # in a score
MAX_ELEMENTS = 500_000  # kept from a score
# Elements in the part that is read: the library's time grows with the square of some.
LIMITS = {"measure": 1_000, "note": 10_000, "time": 200, "key": 200}
LIMIT = 50_000  # of others

# The elements that are kept, and what their text may be.
_KEPT = {
    name: re.compile(pattern)
    for names, pattern in {
        "score-partwise work part-list score-part part measure attributes key time "
        "senza-misura transpose note grace chord rest unpitched pitch tie dot time-modification "
        "backup forward barline repeat": r"\s*",
        "work-title movement-title part-name ending": r"[\s\S]{0,1000}",
        "divisions": r"[1-9]\d{0,5}",
        "duration": r"\d{1,8}(\.\d{1,8})?",
        "fifths": r"-?[0-7]",
        "mode type normal-type bar-style": r"[\w -]{0,20}",
        "beats": r"\d{1,2}(\s*\+\s*\d){0,5}",
        "beat-type": r"1|2|4|8|16|32|64",
        "step": r"[A-G]",
        "alter": r"[+-]?\d(\.\d{1,4})?",
        "octave staff staves": r"\d",
        "voice": r"[\s\S]{0,20}",
        "actual-notes normal-notes": r"[1-9]\d?",
        "chromatic diatonic": r"-?\d{1,2}",
        "octave-change": r"-?\d",
    }.items()
    for name in names.split()
}
_ATTRIBUTES = {
    "id": re.compile(r"[\s\S]{1,100}"),
    "implicit": re.compile(r"yes|no"),
    "location": re.compile(r"left|right|middle"),
    "direction": re.compile(r"forward|backward"),
    "number": re.compile(r"[\w, -]{0,20}"),
    "type": re.compile(r"start|stop|discontinue|continue|let-ring"),
}
# What is not part of the melody, by the element that shows it.
_COUNTED = {
    "grace": "grace note",
    "chord": "lower chord note",
    "lyric": "syllable",
    "harmony": "chord symbol",
    "ornaments": "ornament",
    "articulations": "ornament",
}


def score_root(data: bytes, name: str) -> tuple[Element, Counter[str]]:
    """Return the score in a MusicXML file, reduced to its melody: the first part with notes and,
    of each element, only what is known to be harmless; count by kind what is ignored.

    Raises CorpusError, which gives the `name`, for data that is not MusicXML, that is too large
    when it is unpacked, and for a score without notes.
    """
    if data[:2] == b"PK" or name.lower().endswith(".mxl"):
        data = _score_of(data, name)
    _require_size(len(data), MAX_BYTES, name)
    parser = _Parser(name)
    root = parser.parsed(data)
    if root is None or root.tag != "score-partwise":
        raise CorpusError(f"{name} is not a score; export it as MusicXML (score-partwise)")
    parts = root.findall("part")
    with_notes = [n for n, part in enumerate(parts) if part.find("measure/note/pitch") is not None]
    if not with_notes:
        raise CorpusError(f"{name} has no notes; use a file with a melody")
    top = with_notes[0]
    for tag, number in Counter(element.tag for element in parts[top].iter()).items():
        limit = LIMITS.get(tag, LIMIT)
        if number > limit:
            raise CorpusError(f"{name} has {number:,} <{tag}> elements; the limit is {limit:,}")
    for part in parts[:top] + parts[top + 1 :]:
        root.remove(part)
    return root, parser.counts[top] + Counter({"other part": len(parts) - 1})


def _score_of(data: bytes, name: str) -> bytes:
    """Return the score in an .mxl file; raises CorpusError."""
    _require_size(len(data), MAX_PACKED, name)
    try:
        return unpacked(data, MAX_BYTES)
    except ValueError:
        _damaged(name)


def _require_size(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise CorpusError(f"{name} is larger than {limit >> 20} MB, the limit for MusicXML")


def _damaged(name: str, reason: str = "") -> NoReturn:
    raise CorpusError(
        f"{name} is damaged or not a MusicXML file{reason}; export it again as MusicXML"
    )


class _Parser:
    """Builds the tree of the elements that are kept, and counts the others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.builder = TreeBuilder()
        self.text: list[str] = []
        self.skipped = 0  # depth within an element that is not kept
        self.kept = 0
        self.counts: list[Counter[str]] = []  # of each part

    def parsed(self, data: bytes) -> Element | None:
        """Return the root; None if it is not kept. Raises CorpusError."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self.declared
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text.append
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError):  # of an encoding
            _damaged(self.name)
        return self.builder.close() if self.kept else None

    def declared(self, *_: object) -> None:
        """Refuse a declaration of an entity: these can expand without end."""
        _damaged(self.name, ": it declares XML entities")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Keep an element with its harmless attributes, or skip it with all it contains."""
        self.text.clear()
        if tag == "part":
            self.counts.append(Counter())
        if self.counts and tag in _COUNTED:
            self.counts[-1][_COUNTED[tag]] += 1
        if self.counts and tag == "slur":
            self.counts[-1]["slur"] += attributes.get("type") == "start"
        if self.skipped or tag not in _KEPT:
            self.skipped += 1
            return
        self.kept += 1
        if self.kept > MAX_ELEMENTS:
            raise CorpusError(f"{self.name} has more than {MAX_ELEMENTS:,} elements, the limit")
        self.builder.start(
            tag,
            {
                key: value
                for key, value in attributes.items()
                if key in _ATTRIBUTES and _ATTRIBUTES[key].fullmatch(value)
            },
        )

    def end(self, tag: str) -> None:
        """End an element; raises CorpusError if its text is unexpected."""
        text = "".join(self.text).strip()
        self.text.clear()
        if self.skipped:
            self.skipped -= 1
            return
        if not _KEPT[tag].fullmatch(text):
            _damaged(self.name, f": its <{tag}> is {text[:20]!r}")
        self.builder.data(text)
        self.builder.end(tag)
