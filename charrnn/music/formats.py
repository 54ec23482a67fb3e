"""Files of tunes: ABC and MIDI to tunes, and what to tell the user about a file.

The formats are registered by suffix in charrnn/text/formats.py.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from charrnn.errors import CorpusError, counted
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import write_abc
from charrnn.music.tune import Tune
from charrnn.text.formats import Format, format_of, opened, suffixes_of

LARGEST = 64 << 20  # bytes of a file, which is held as a whole
UNREAD = 5  # tunes or files that are named, of those that cannot be read


@dataclass(frozen=True)
class Found:
    """What was found in a file of tunes, or in several."""

    names: tuple[str, ...] = ()  # of the files that were read
    tunes: tuple[Tune, ...] = ()
    unread: tuple[str, ...] = ()  # a line for each tune or file that cannot be read
    beside: Counter[str] = field(default_factory=Counter)  # what is there and is no melody
    remarks: Counter[str] = field(default_factory=Counter)  # of how many files each is true

    def notices(self) -> list[str]:
        """Return what a person should be told, a few lines for any number of files."""
        lines = list(self.unread[:UNREAD])
        if len(self.unread) > UNREAD:
            lines.append(f"{len(self.unread) - UNREAD:,} more cannot be read")
        files = self.names[0] if len(self.names) == 1 else counted(len(self.names), "file")
        if self.beside:
            kinds = ", ".join(f"{count:,} {what}" for what, count in self.beside.most_common())
            lines.append(f"{files}: left aside, being no melody: {kinds}")
        for remark, count in self.remarks.items():
            some = files if count == len(self.names) else f"{count:,} of {files}"
            lines.append(f"{some}: {remark}")
        return lines


def together(parts: Sequence[Found]) -> Found:
    """Return what was found in several files as one."""
    return Found(
        tuple(chain.from_iterable(part.names for part in parts)),
        tuple(chain.from_iterable(part.tunes for part in parts)),
        tuple(chain.from_iterable(part.unread for part in parts)),
        sum((part.beside for part in parts), Counter()),
        sum((part.remarks for part in parts), Counter()),
    )


def _found_in(text: str, name: str) -> Found:
    parsed = read_abc(text.replace("\r\n", "\n"), name)
    return Found((name,), parsed.tunes, parsed.skipped, parsed.dropped)


def _text_of(file: BinaryIO, name: str) -> tuple[str, str]:
    """Return the text of an .abc file and its encoding, which gives the same bytes again."""
    data = _bytes_of(file, name)
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:  # old collections have Latin-1, in titles and words alone
        return data.decode("latin-1"), "latin-1"


def _read_abc(file: BinaryIO, name: str, _: str) -> Found:
    return _found_in(_text_of(file, name)[0], name)


def _read_midi(file: BinaryIO, name: str, _: str) -> Found:
    from charrnn.music.midi_io import (
        read_midi,
    )  # on use: ABC, and the options of train, need no mido

    tune, remarks = read_midi(_bytes_of(file, name), name)
    return Found((name,), (tune,), remarks=Counter(remarks))


ABC = Format(_read_abc, documents="tunes")
MIDI = Format(_read_midi, documents="tunes")


def read_tunes(path: str | Path) -> Found:
    """Read the tunes of a file; raises CorpusError if there are none, or no such format is known,
    or the file cannot be read.
    """
    format = format_of(path)
    if format.documents != "tunes":
        suffixes = ", ".join(suffixes_of("tunes"))
        raise CorpusError(f"{path} is no file of tunes: its name must end in {suffixes}")
    with opened(path) as file:
        found: Found = format.read(file, str(path), "utf-8")
    return found


def read_all(paths: Iterable[str | Path]) -> Found:
    """Read the tunes of several files as one; raises what `read_tunes` raises."""
    return together([read_tunes(path) for path in paths])


def read_text(path: str | Path) -> tuple[Found, str, str]:
    """Return what `read_tunes` does, and the file's ABC text with its encoding: an .abc file's own
    text, or what the tunes of a file in another format are converted to.
    """
    if Path(path).suffix.lower() != ".abc":
        found = read_tunes(path)
        return found, write_abc(found.tunes), "utf-8"
    with opened(path) as file:
        text, encoding = _text_of(file, str(path))
        return _found_in(text, str(path)), text, encoding


def _bytes_of(file: BinaryIO, name: str) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CorpusError(
            f"{name} has more than {LARGEST >> 20} MB, as no file of tunes: divide it"
        )
    return data
