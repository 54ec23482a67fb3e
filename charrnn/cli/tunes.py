"""Reading tunes for commands, with notices on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from charrnn.cli.terminal import tell

if TYPE_CHECKING:
    from charrnn.music.formats import Found
    from charrnn.music.tune import Tune

SWING = click.option(
    "--swing",
    metavar="RATIO",
    default=1.0,
    show_default=True,
    help="Play the first eighth note of a quarter RATIO times as long as the second, such as 1.5 "
    "or 2 for hornpipes.",
)

CHORDS = "chords selected by rule, from the key and the notes on strong beats"


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
