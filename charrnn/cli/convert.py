"""The command `charrnn convert`."""

from __future__ import annotations

import click

from charrnn.cli.options import Command
from charrnn.cli.tunes import tell_notices


@click.command(cls=Command)
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--tune", "number", metavar="N", type=int, help="Convert only tune N, counted from 1."
)
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
def convert(source: str, target: str, number: int | None, overwrite: bool) -> None:
    """Convert tunes to ABC, MIDI, MusicXML, audio, score or web page.

    Read the tunes of SOURCE (.abc, .mid, .musicxml, .mxl or a folder) and write them to TARGET, in
    the format of its suffix: .abc, .mid, .musicxml, .mxl, .wav, .svg or .html.

    \b
    Examples:
      charrnn convert reel.abc reel.mid
      charrnn convert session.abc session.html
      charrnn convert session.abc third.wav --tune 3

    A .abc or .html file holds any number of tunes; the others hold one.
    """
    from charrnn.music.convert import convert as converted

    tell_notices(converted(source, target, tune=number, overwrite=overwrite))
