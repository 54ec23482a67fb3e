"""The command `charrnn assess`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from charrnn.cli.options import JSON, Command
from charrnn.cli.terminal import show
from charrnn.cli.tunes import tunes_in


@click.command(cls=Command)
@click.argument("tunes", nargs=-1, required=True, type=click.Path())
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(),
    multiple=True,
    help="Compare with the tunes in this file or folder, such as the corpus; may be repeated.",
)
@JSON
def assess(tunes: tuple[str, ...], against: tuple[str, ...], as_json: bool) -> None:
    """Measure the quality and originality of tunes.

    TUNES are .abc, .mid or .musicxml files, or folders of them.

    \b
    Examples:
      charrnn assess new --against corpus
      charrnn assess new/*.abc --against 'corpus/*.abc' --json

    The figures include bars that add up, repeated bars and notes in the key. With --against, they
    also include the distance to the corpus and the longest copy in each tune, beside the figures
    of the corpus's last tenth, which training holds out.
    """
    from charrnn.music.assess import assess as measure
    from charrnn.music.metrics import table

    others = tunes_in(against)
    result = measure(tunes_in(tunes), against=others)
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    for line in table(result).splitlines():
        show(line)
    for number, match in enumerate(result.longest, 1):
        if match is not None:
            title = match.title or "an untitled tune"
            show(f"tune {number}: longest copy: {match.notes} notes from {title}")
