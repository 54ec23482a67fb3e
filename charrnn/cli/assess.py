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
@click.option("--each", is_flag=True, help="Print a line for each tune instead of the summary.")
@JSON
def assess(tunes: tuple[str, ...], against: tuple[str, ...], each: bool, as_json: bool) -> None:
    """Measure the quality and originality of tunes.

    TUNES are .abc, .mid or .musicxml files, or folders of them.

    \b
    Examples:
      charrnn assess new --against corpus
      charrnn assess new --against corpus --each
      charrnn assess new/*.abc --against 'corpus/*.abc' --json

    The figures include bars that add up, repeated bars and notes in the key. With --against, they
    also include the difference from the corpus and the longest copy. Alongside, they show the same
    figures for the held-out tenth of the corpus. The JSON object has the longest copy in each tune,
    and with --each the facts and figures of each.
    """
    from charrnn.music.assess import assess as measure
    from charrnn.music.facts import listing
    from charrnn.music.metrics import table

    others = tunes_in(against)
    result = measure(tunes_in(tunes), against=others, each=each)
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    for line in listing(result.each) if each else table(result).splitlines():
        show(line)
