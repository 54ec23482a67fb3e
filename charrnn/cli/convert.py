"""The command `charrnn convert`."""

from __future__ import annotations

import click

from charrnn.cli.options import Command
from charrnn.cli.tunes import SWING, tell_notices


@click.command(cls=Command)
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--tune", "number", metavar="N", type=int, help="Convert only tune N, counted from 1."
)
@SWING
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
def convert(source: str, target: str, number: int | None, swing: float, overwrite: bool) -> None:
    """Convert tunes to ABC, MIDI, audio, score or web page.

    Read the tunes of SOURCE (.abc, .mid or a folder) and write them to TARGET, in the format of its
    suffix: .abc, .mid, .wav, .svg or .html.

    \b
    Examples:
      charrnn convert reel.abc reel.mid
      charrnn convert session.abc session.html
      charrnn convert session.abc third.mid --tune 3
      charrnn convert hornpipes.abc hornpipes.wav --swing 1.5

    A .mid or .svg file holds one tune; .abc and .html files hold any number, and a .wav file plays
    them one after another.
    """
    from charrnn.music.convert import convert as converted

    tell_notices(converted(source, target, tune=number, swing=swing, overwrite=overwrite))
