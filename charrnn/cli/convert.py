"""charrnn convert."""

from __future__ import annotations

from pathlib import Path

import click

from charrnn.cli.tunes import tunes_in
from charrnn.errors import ConfigError


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
    from charrnn.checkpoints.atomic import write_atomically
    from charrnn.music.writers import written

    tunes = tunes_in((source,))
    if number is not None:
        if not 1 <= number <= len(tunes):
            raise ConfigError(f"tune is {number}: {source} has {len(tunes)}")
        tunes = tunes[number - 1 : number]
    write_atomically(Path(target), written(tunes, Path(target).suffix.removeprefix(".").lower()))
