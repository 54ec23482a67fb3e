"""What the commands for tunes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrnn.cli.terminal import tell

if TYPE_CHECKING:
    from charrnn.music.tune import Tune


def tunes_in(paths: tuple[str, ...]) -> list[Tune]:
    """Return the tunes of some files, and tell what was found."""
    from charrnn.music.formats import read_tunes, together

    found = together([read_tunes(path) for path in paths])
    for notice in found.notices():
        tell(notice)
    return list(found.tunes)
