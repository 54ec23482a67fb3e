"""charrnn assess."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from charrnn.cli.options import JSON
from charrnn.cli.terminal import show
from charrnn.cli.tunes import tunes_in


@click.command()
@click.argument("tunes", nargs=-1, required=True, type=click.Path())
@click.option(
    "--against", type=click.Path(), multiple=True, help="Tunes to compare with, as of training."
)
@JSON
def assess(tunes: tuple[str, ...], against: tuple[str, ...], as_json: bool) -> None:
    """Measure TUNES, files of .abc or .mid: are they well made, alike to others, and new?

    \b
    Examples:
      charrnn assess tunes/*.abc --against corpus.abc
      charrnn assess tunes/*.abc --json
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
            show(f"tune {number}: {match.notes} notes as in {match.title or 'an untitled tune'}")
