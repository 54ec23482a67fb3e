"""Tunes to files, by suffix. To add a format, write a function from tunes to bytes and list it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from charrnn.errors import ConfigError, require
from charrnn.music.abc_writer import write_abc
from charrnn.music.midi_io import write_midi
from charrnn.music.musicxml import require_music21, write_musicxml, write_mxl
from charrnn.music.page import PageTune, page
from charrnn.music.piano_roll import piano_roll
from charrnn.music.sheet_music import engraved
from charrnn.music.synth import wav_bytes
from charrnn.music.tune import Tune


def drawing(tune: Tune) -> str:
    """Return an SVG of the tune: sheet music if verovio is installed, otherwise a piano roll."""
    return engraved(tune) if find_spec("verovio") else piano_roll(tune)


def plain_page(tunes: Sequence[Tune]) -> str:
    """Return an HTML page of the tunes, without figures."""
    return page(
        [
            PageTune(tune.title or f"Tune {number}", tune, write_abc([tune]), svg=drawing(tune))
            for number, tune in enumerate(tunes, 1)
        ]
    )


@dataclass(frozen=True)
class Writer:
    """The function that writes a format, whether a file can hold several tunes, and a function that
    raises ConfigError if a library is missing.
    """

    write: Callable[[Sequence[Tune]], bytes]
    several: bool
    require_library: Callable[[], None] = lambda: None


WRITERS = {
    "abc": Writer(lambda tunes: write_abc(tunes).encode(), several=True),
    "mid": Writer(lambda tunes: write_midi(tunes[0]), several=False),
    "wav": Writer(lambda tunes: wav_bytes(tunes[0]), several=False),
    "svg": Writer(lambda tunes: drawing(tunes[0]).encode(), several=False),
    "musicxml": Writer(lambda tunes: write_musicxml(tunes[0]), False, require_music21),
    "mxl": Writer(lambda tunes: write_mxl(tunes[0]), False, require_music21),
    "html": Writer(lambda tunes: plain_page(tunes).encode(), several=True),
}


def require_format(format: str) -> None:
    """Raise ConfigError unless `format` is one of WRITERS and its library is installed."""
    suffix = f".{format}" if format else ""
    require(format in WRITERS, f"unknown format {suffix!r}; known formats: .{', .'.join(WRITERS)}")
    WRITERS[format].require_library()


def written(tunes: Sequence[Tune], format: str) -> bytes:
    """Return a file of `tunes` in one of WRITERS; raises ConfigError for an unknown format, and for
    several tunes in a format that holds one.
    """
    require_format(format)
    if len(tunes) > 1 and not WRITERS[format].several:
        raise ConfigError(
            f".{format} files hold one tune, got {len(tunes):,}; select one with `tune`"
        )
    return WRITERS[format].write(tunes)
