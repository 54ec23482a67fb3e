"""The command `charrnn convert`."""

from __future__ import annotations

import click

from charrnn.cli.options import Command
from charrnn.cli.terminal import tell
from charrnn.cli.tunes import CHORDS, SWING, tell_notices


@click.command(cls=Command)
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--tune", "number", metavar="N", type=int, help="Convert only tune N, counted from 1."
)
@click.option(
    "--chords",
    is_flag=True,
    help="Add an accompaniment: chords of the key that fit the notes, selected by rule.",
)
@SWING
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
def convert(
    source: str, target: str, number: int | None, swing: float, chords: bool, overwrite: bool
) -> None:
    """Convert tunes to notation, MIDI, audio or a web page.

    Read the tunes in SOURCE (.abc, .mid, .musicxml, .mxl or a folder) and write them to TARGET in
    the format given by its suffix: .abc, .mid, .musicxml, .mxl, .wav, .svg or .html.

    \b
    Examples:
      charrnn convert reel.abc reel.mid
      charrnn convert session.abc session.html
      charrnn convert session.abc third.mid --tune 3
      charrnn convert hornpipes.abc hornpipes.wav --swing 1.5

    A .abc or .html file holds any number of tunes, and a .wav file plays them one after another;
    the others hold one.
    """
    from charrnn.music.convert import convert as converted

    found = converted(source, target, tune=number, swing=swing, chords=chords, overwrite=overwrite)
    tell_notices(found)
    if chords:
        tell(CHORDS)
