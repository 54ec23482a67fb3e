"""Read tunes from ABC, MIDI and MusicXML files, and report what was skipped or ignored.

The formats are registered by suffix in charrnn/text/formats.py.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar

from charrnn.errors import CorpusError, counted, require
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import write_abc
from charrnn.music.tune import Tune
from charrnn.text.documents import File
from charrnn.text.formats import Format, format_of, opened, suffixes_of
from charrnn.text.loading import files_of
from charrnn.text.plain import some

_T = TypeVar("_T")
LARGEST = 64 << 20  # bytes in a file, which is held in memory
UNREAD = 5  # number of unreadable tunes or files to name


def listed(kinds: Counter[str]) -> str:
    """Return the numbers of each kind of notation in words.

    >>> listed(Counter({"slur": 3, "chord symbol": 2, "ornament": 1}))
    '3 slurs, 2 chord symbols and 1 ornament'
    """
    *others, last = (counted(number, kind) for kind, number in kinds.most_common())
    return f"{', '.join(others)} and {last}" if others else last


@dataclass(frozen=True)
class Found:
    """The tunes in one or more files, and what was skipped or ignored there."""

    names: tuple[str, ...] = ()  # files that were read
    tunes: tuple[Tune, ...] = ()
    texts: tuple[str, ...] = ()  # of the tunes in ABC, as written; empty for other formats
    unread: tuple[str, ...] = ()  # a line for each tune or file that was skipped
    ignored: Counter[str] = field(default_factory=Counter)  # notation outside the melody, by kind
    remarks: Counter[str] = field(default_factory=Counter)  # remark: number of files it applies to

    def notices(self) -> list[str]:
        """Return lines for the user, a few for any number of files."""
        lines = list(self.unread[:UNREAD])
        if len(self.unread) > UNREAD:
            lines.append(f"skipped {len(self.unread) - UNREAD:,} more tunes or files")
        files = self.names[0] if len(self.names) == 1 else counted(len(self.names), "file")
        if self.ignored:
            lines.append(f"{files}: ignored {listed(self.ignored)} (not part of the melody)")
        for remark, count in self.remarks.items():
            which = files if count == len(self.names) else f"{count:,} of {files}"
            lines.append(f"{which}: {remark}")
        return lines


def together(parts: Sequence[Found]) -> Found:
    """Return the contents of several files as one."""
    return Found(
        tuple(chain.from_iterable(part.names for part in parts)),
        tuple(chain.from_iterable(part.tunes for part in parts)),
        tuple(chain.from_iterable(part.texts for part in parts)),
        tuple(chain.from_iterable(part.unread for part in parts)),
        sum((part.ignored for part in parts), Counter()),
        sum((part.remarks for part in parts), Counter()),
    )


def _found_in(text: str, name: str) -> Found:
    parsed = read_abc(text, name)
    return Found((name,), parsed.tunes, parsed.texts, parsed.skipped, parsed.ignored)


def _text_of(file: BinaryIO, name: str) -> tuple[str, str]:
    """Return the text of an .abc file, and the encoding that turns it back into the same bytes."""
    data = _bytes_of(file, name)
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:  # old collections are Latin-1
        return data.decode("latin-1"), "latin-1"


def _read_abc(file: BinaryIO, name: str, _: str) -> Found:
    return _found_in(_text_of(file, name)[0], name)


def _read_midi(file: BinaryIO, name: str, _: str) -> Found:
    # Imported on use, since ABC files and the options of `train` need no mido.
    from charrnn.music.midi_io import read_midi

    tune, remarks = read_midi(_bytes_of(file, name), name)
    return Found((name,), (tune,), ("",), remarks=Counter(remarks))


def _read_musicxml(file: BinaryIO, name: str, _: str) -> Found:
    from charrnn.music.musicxml import read_musicxml  # on use, as above

    tune, ignored = read_musicxml(_bytes_of(file, name), name)
    return Found((name,), (tune,), ("",), ignored=ignored)


ABC = Format(_read_abc, documents="tunes")
MIDI = Format(_read_midi, documents="tunes")
MUSICXML = Format(_read_musicxml, documents="tunes")


def read_tunes(path: str | Path) -> Found:
    """Return the tunes in a file.

    Raises CorpusError if the file cannot be read, has no tunes, or has an unknown suffix.
    """
    format = format_of(path)
    with opened(path) as file:
        if format.documents != "tunes":
            suffixes = ", ".join(suffixes_of("tunes"))
            raise CorpusError(f"{path} is not a tune file; known suffixes: {suffixes}")
        found: Found = format.read(file, str(path), "utf-8")
    return found


def selected(tunes: Sequence[_T], tune: int | None, name: str | Path) -> Sequence[_T]:
    """Return tunes, or only the one with the number `tune`, counted from 1; raises ConfigError
    if there is none in the file `name`.
    """
    if tune is None:
        return tunes
    require(tune >= 1, f"`tune` must be at least 1, got {tune}")
    require(
        tune <= len(tunes), f"`tune` is {tune}, but {name} has only {counted(len(tunes), 'tune')}"
    )
    return tunes[tune - 1 : tune]


def read_all(paths: Iterable[str | Path]) -> Found:
    """Return the tunes in files, folders and files that match patterns such as "tunes/*.abc".

    Raises CorpusError as `read_tunes` does, except for files in folders.
    """
    files, repeated = without_repeated(file for path in paths for file in _tune_files(path))
    return together([Found(unread=repeated), *map(_read, files)])


def without_repeated(files: Iterable[File]) -> tuple[list[File], tuple[str, ...]]:
    """Return the files without those that `compose` and others write beside an .abc file of the
    same name, as long as both are in a folder rather than named; and a notice about them, if any.
    """
    files = list(files)
    in_abc = {Path(path).with_suffix("") for path, found in files if found and _is_abc(path)}
    repeated = [
        str(path)
        for path, found in files
        if found and not _is_abc(path) and Path(path).with_suffix("") in in_abc
    ]
    if not repeated:
        return files, ()
    what = f"{counted(len(repeated), 'file')} that repeat{'s' if len(repeated) == 1 else ''}"
    notice = f"skipped {what} an .abc file of the same name ({some(repeated)})"
    skipped = set(repeated)
    return [file for file in files if str(file.path) not in skipped], (notice,)


def _is_abc(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".abc"


def _tune_files(path: str | Path) -> list[File]:
    """Return the files that a path stands for, for a folder only those with tunes."""
    files = [
        file
        for file in files_of(path)
        if not file.in_folder or format_of(file.path).documents == "tunes"
    ]
    if not files:
        raise CorpusError(f"{path} contains no tune files")
    return files


def _read(file: File) -> Found:
    """Return the tunes in a file; report, but don't raise, that one in a folder is unreadable."""
    try:
        return read_tunes(file.path)
    except CorpusError as error:
        if not file.in_folder:
            raise
        return Found(unread=(str(error),))


def read_text(path: str | Path) -> tuple[Found, str, str]:
    """Return the tunes in a file, its text in ABC, and the encoding of that text.

    The text of an .abc file is its own; tunes in other formats are converted to ABC. Raises
    CorpusError as `read_tunes` does.
    """
    if not _is_abc(path):
        found = read_tunes(path)
        return found, write_abc(found.tunes), "utf-8"
    with opened(path) as file:
        text, encoding = _text_of(file, str(path))
        return _found_in(text, str(path)), text, encoding


def _bytes_of(file: BinaryIO, name: str) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CorpusError(f"{name} is larger than {LARGEST >> 20} MB; split it into smaller files")
    return data
