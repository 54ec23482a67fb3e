"""`charrnn convert` as a Python call: convert files of tunes."""

from __future__ import annotations

from pathlib import Path

from charrnn.checkpoints.atomic import write_atomically
from charrnn.errors import require
from charrnn.music.formats import Found, read_tunes
from charrnn.music.writers import written


def convert(source: str | Path, target: str | Path, *, tune: int | None = None) -> Found:
    """Convert the tunes of `source` to the format of the suffix of `target`; return what was read.

    `tune` selects one of several, counted from 1. Raises CorpusError for a source that cannot be
    read, ConfigError for a tune or a format that does not exist, and CheckpointError for a target
    that cannot be written.
    """
    found = read_tunes(source)
    tunes = found.tunes
    if tune is not None:
        require(
            1 <= tune <= len(tunes),
            f"`tune` must be 1 to {len(tunes):,}, the number of tunes in {source}, got {tune}",
        )
        tunes = tunes[tune - 1 : tune]
    write_atomically(Path(target), written(tunes, Path(target).suffix.removeprefix(".").lower()))
    return found
