"""charrnn convert."""

from __future__ import annotations

import click

from charrnn.cli.tunes import tell_notices


@click.command()
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option("--tune", "number", type=int, help="Which of several tunes, counted from 1.")
def convert(source: str, target: str, number: int | None) -> None:
    """Write the tunes of SOURCE, .abc or .mid, as TARGET: .abc, .mid, .wav, .svg or .html.

    \b
    Examples:
      charrnn convert reel.abc reel.mid
      charrnn convert session.abc session.html
      charrnn convert session.abc third.wav --tune 3
    """
    from charrnn.music.convert import convert as converted

    tell_notices(converted(source, target, tune=number))
