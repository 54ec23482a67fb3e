"""Files of tunes converted in one call: what `charrnn convert` does, for Python."""

from __future__ import annotations

from pathlib import Path

from charrnn.checkpoints.atomic import write_atomically
from charrnn.errors import require
from charrnn.music.formats import Found, read_tunes
from charrnn.music.writers import written


def convert(source: str | Path, target: str | Path, *, tune: int | None = None) -> Found:
    """Write the tunes of `source` as `target`, in the format of its suffix; return what was found.

    `tune` picks one of several, counted from 1. Raises CorpusError for a source that cannot be
    read, ConfigError for a tune or a format that there isn't, and CheckpointError for a target that
    cannot be written.
    """
    found = read_tunes(source)
    tunes = found.tunes
    if tune is not None:
        require(1 <= tune <= len(tunes), f"`tune` is {tune}: {source} has {len(tunes)}")
        tunes = tunes[tune - 1 : tune]
    write_atomically(Path(target), written(tunes, Path(target).suffix.removeprefix(".").lower()))
    return found
