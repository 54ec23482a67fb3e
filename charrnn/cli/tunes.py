"""Reading tunes for commands, with notices on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charrnn.cli.terminal import tell

if TYPE_CHECKING:
    from charrnn.music.formats import Found
    from charrnn.music.tune import Tune


def tunes_in(paths: tuple[str, ...]) -> tuple[Tune, ...]:
    """Return the tunes in some files, and print the notices about them."""
    from charrnn.music.formats import read_all

    found = read_all(paths)
    tell_notices(found)
    return found.tunes


def tell_notices(found: Found) -> None:
    """Print what was skipped or ignored in files of tunes."""
    for notice in found.notices():
        tell(notice)
