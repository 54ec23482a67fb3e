"""`charrnn convert` as a Python call: convert files of tunes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from charrnn.checkpoints.atomic import require_new, require_writable, write_atomically
from charrnn.errors import ConfigError, require
from charrnn.music.abc_book import write_book
from charrnn.music.formats import Found, read_all, selected
from charrnn.music.performance import Style
from charrnn.music.writers import WRITERS, require_format, written


def convert(
    source: str | Path,
    target: str | Path,
    *,
    tune: int | None = None,
    swing: float = 1.0,
    chords: bool = False,
    overwrite: bool = False,
) -> Found:
    """Convert the tunes of `source` to the format of the suffix of `target`; return what was read,
    with the notation that the target lacks in `ignored`.

    From ABC to ABC, tunes keep their text, with all fields, comments and notation.
    `tune` selects one of several, counted from 1. `swing` is the ratio of the first eighth note of
    a quarter to the second, and `chords` adds an accompaniment (`charrnn.music.harmony`), both in
    formats that play. An existing target is replaced only with `overwrite`, and the source never.

    Raises CorpusError for a source that cannot be read; ConfigError for a tune or a format that
    does not exist, for swing that is out of range, for swing and chords that cannot be heard, for
    chords of a tune without a key, and for a target that is the source; and CheckpointError for a
    target that exists or cannot be written.
    """
    style = Style(swing, chords)
    format = Path(target).suffix.removeprefix(".").lower()
    require_format(format)
    *first, last = (f".{name}" for name, writer in WRITERS.items() if writer.plays)
    for name, given in (("swing", swing != 1), ("chords", chords)):
        require(
            WRITERS[format].plays or not given,
            f"`{name}` has no effect on .{format} files; convert to {', '.join(first)} or {last}",
        )
    _require_different(source, target)
    require_writable(Path(target))
    require_new(target, overwrite)
    found = read_all([source])
    tunes = selected(found.tunes, tune, source)
    if format == "abc":
        text, lost = write_book(tunes, selected(found.texts, tune, source))
        write_atomically(Path(target), text.encode())
        return replace(found, ignored=lost)
    write_atomically(Path(target), written(tunes, format, style))
    return found


def _require_different(source: str | Path, target: str | Path) -> None:
    """Raise ConfigError if both are one file, by whatever path, symbolic or hard link."""
    try:
        same = Path(source).samefile(target)
    except (OSError, ValueError):  # one of them does not exist
        same = False
    if same:
        raise ConfigError(f"{target} is the source itself; choose another target")
