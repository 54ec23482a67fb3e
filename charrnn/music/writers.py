"""Tunes to files, by suffix. To add a format, write a function from tunes, and the style in which
they are played, to the parts of a file, and list it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from charrnn.errors import ConfigError, require
from charrnn.music.abc_writer import write_abc
from charrnn.music.facts import facts_of, figures_of
from charrnn.music.metrics import Sample
from charrnn.music.midi_io import write_midi
from charrnn.music.musicxml import require_music21, write_musicxml, write_mxl
from charrnn.music.page import PageTune, page
from charrnn.music.performance import PLAIN, Style
from charrnn.music.piano_roll import piano_roll
from charrnn.music.sheet_music import engraved
from charrnn.music.synth import wav_parts
from charrnn.music.tune import Tune


def drawing(tune: Tune, *, narrow: bool = False, chords: bool = False) -> str:
    """Return an SVG of the tune: sheet music if verovio is installed, otherwise a piano roll.

    A `narrow` drawing is for phones. With `chords`, it has their symbols.
    """
    draw = engraved if find_spec("verovio") else piano_roll
    return draw(tune, narrow=narrow, chords=chords)


def shown(
    number: int,
    tune: Tune,
    abc: str = "",
    against: Sample | None = None,
    settings: str = "",
    style: Style = PLAIN,
) -> PageTune:
    """Return the tune with this number as a page shows it; `abc` is by default that of a file."""
    try:
        midi = write_midi(tune, style=style)
    except ConfigError:  # MIDI does not have its pitches
        midi = b""
    return PageTune(
        tune.title or f"Tune {number}",
        tune,
        abc or write_abc([tune], chords=style.chords),
        facts_of(tune, against),
        figures_of(Sample([tune], against)),
        settings,
        (
            drawing(tune, chords=style.chords),
            drawing(tune, narrow=True, chords=style.chords),
        ),
        midi,
        style,
    )


def plain_page(tunes: Sequence[Tune], style: Style) -> str:
    """Return an HTML page of the tunes."""
    return page([shown(number, tune, style=style) for number, tune in enumerate(tunes, 1)])


@dataclass(frozen=True)
class Writer:
    """The function that writes a format, whether a file can hold several tunes, whether it says how
    they are played, and a function that raises ConfigError if a library is missing.
    """

    write: Callable[[Sequence[Tune], Style], Iterable[bytes]]  # yields the parts of the file
    several: bool
    plays: bool = False
    require_library: Callable[[], None] = lambda: None


WRITERS = {
    "abc": Writer(lambda tunes, _: [write_abc(tunes).encode()], several=True),
    "mid": Writer(lambda tunes, style: [write_midi(tunes[0], style=style)], False, plays=True),
    "wav": Writer(lambda tunes, style: wav_parts(tunes, style=style), True, plays=True),
    "svg": Writer(lambda tunes, _: [drawing(tunes[0]).encode()], several=False),
    "musicxml": Writer(
        lambda tunes, _: [write_musicxml(tunes[0])], False, require_library=require_music21
    ),
    "mxl": Writer(lambda tunes, _: [write_mxl(tunes[0])], False, require_library=require_music21),
    "html": Writer(lambda tunes, style: [plain_page(tunes, style).encode()], True, plays=True),
}


def require_format(format: str) -> None:
    """Raise ConfigError unless `format` is one of WRITERS and its library is installed."""
    suffix = f".{format}" if format else ""
    require(format in WRITERS, f"unknown format {suffix!r}; known formats: .{', .'.join(WRITERS)}")
    WRITERS[format].require_library()


def written(tunes: Sequence[Tune], format: str, style: Style = PLAIN) -> Iterable[bytes]:
    """Return the parts of a file of `tunes` in one of WRITERS; raises ConfigError for an unknown
    format, and for several tunes in a format that holds one.
    """
    require_format(format)
    if len(tunes) > 1 and not WRITERS[format].several:
        raise ConfigError(
            f".{format} files hold one tune, but there are {len(tunes):,}; select one with `tune`"
        )
    return WRITERS[format].write(tunes, style)
