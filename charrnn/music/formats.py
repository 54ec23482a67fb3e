"""Tunes in files: how each format is read and written.

To add one, write a function from bytes to tunes, or from tunes to bytes, and list it here.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from charrnn.errors import ConfigError, CorpusError, counted, require
from charrnn.music.abc import read_abc, write_abc
from charrnn.music.audio import wav_bytes
from charrnn.music.engraving import engraved
from charrnn.music.midi import read_midi, write_midi
from charrnn.music.page import PageTune, page
from charrnn.music.score import piano_roll
from charrnn.music.tune import Tune, tempo_of

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


def _encoding_of(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"  # of old collections; in titles and words alone
    return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"


def _read_abc(data: bytes, name: str) -> Found:
    text = data.decode(_encoding_of(data))
    parsed = read_abc(text.replace("\r\n", "\n"), name)
    return Found((name,), parsed.tunes, parsed.skipped, parsed.dropped)


def _read_midi(data: bytes, name: str) -> Found:
    tune, remarks = read_midi(data, name)
    return Found((name,), (tune,), remarks=Counter(remarks))


READERS: dict[str, Callable[[bytes, str], Found]] = {
    ".abc": _read_abc,
    ".mid": _read_midi,
    ".midi": _read_midi,
}


def read_tunes(path: str | Path) -> Found:
    """Read the tunes of a file; raises CorpusError if there are none, or no such format is known,
    or the file cannot be read.
    """
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise CorpusError(f"{path} is no file of tunes: its name must end in {', '.join(READERS)}")
    return reader(_bytes_of(path), str(path))


def abc_of(path: str | Path) -> tuple[str, str]:
    """Return the ABC text of a file of tunes, and its encoding: an .abc file's own, which gives the
    same bytes again, or what a file in another format is converted to.
    """
    if Path(path).suffix.lower() != ".abc":
        return write_abc(read_tunes(path).tunes), "utf-8"
    data = _bytes_of(path)
    encoding = _encoding_of(data)
    return data.decode(encoding), encoding


def _bytes_of(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist: give the path of a file of tunes") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path} cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise CorpusError(
            f"{path} has more than {LARGEST >> 20} MB, as no file of tunes: divide it"
        )
    return data


def drawing(tune: Tune) -> str:
    """Return an SVG of the tune: its score where the extra for that is installed, or else a piano
    roll.
    """
    return engraved(tune) if find_spec("verovio") else piano_roll(tune)


def on_page(
    tune: Tune, title: str, abc: str, figures: Mapping[str, str] | None = None, settings: str = ""
) -> PageTune:
    """Return the tune as a page shows it, with its drawing and its tempo."""
    return PageTune(title, tune, abc, figures or {}, settings, drawing(tune), tempo_of(tune.meter))


def plain_page(tunes: Sequence[Tune]) -> str:
    """Return an HTML page of tunes, without figures."""
    titles = [tune.title or f"Tune {number}" for number, tune in enumerate(tunes, 1)]
    abc = [write_abc([tune]) for tune in tunes]
    return page([on_page(*shown) for shown in zip(tunes, titles, abc, strict=True)])


@dataclass(frozen=True)
class Format:
    """How a format is written, and whether a file of it holds several tunes."""

    write: Callable[[Sequence[Tune]], bytes]
    several: bool


FORMATS = {
    "abc": Format(lambda tunes: write_abc(tunes).encode(), several=True),
    "mid": Format(lambda tunes: write_midi(tunes[0]), several=False),
    "wav": Format(lambda tunes: wav_bytes(tunes[0]), several=False),
    "svg": Format(lambda tunes: drawing(tunes[0]).encode(), several=False),
    "html": Format(lambda tunes: plain_page(tunes).encode(), several=True),
}


def written(tunes: Sequence[Tune], format: str) -> bytes:
    """Return the file of `tunes` in one of FORMATS; raises ConfigError for another one, and for
    several tunes where a file holds one.
    """
    require(format in FORMATS, f"the format is {format!r}: choose one of {', '.join(FORMATS)}")
    if len(tunes) > 1 and not FORMATS[format].several:
        raise ConfigError(
            f"there are {len(tunes)} tunes, and a .{format} file holds one: choose it"
        )
    return FORMATS[format].write(tunes)
