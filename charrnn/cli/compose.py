"""charrnn compose."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import EXISTING_MODEL, SettingsCommand, filter_options, given
from charrnn.cli.terminal import show, tell
from charrnn.cli.tunes import tell_notices, tunes_in
from charrnn.errors import ConfigError, counted

if TYPE_CHECKING:
    from charrnn.music.tune import Tune

FILES = ("abc", "mid", "wav", "svg")


@click.command(cls=SettingsCommand, settings=filter_options)
@EXISTING_MODEL
@click.option("-n", "--count", default=1, show_default=True, help="How many tunes.")
@click.option("--meter", help="The metre, such as 6/8; by default the model decides.")
@click.option(
    "--key",
    help="The key, such as Dmaj, Em or Ador; by default the model decides, if it knows several.",
)
@click.option("--bars", type=int, help="Bars as written, each repeat once.")
@click.option("--form", default="", help="Sections as they are played, such as AABB or ABA.")
@click.option(
    "-t", "--temperature", default=0.9, show_default=True, help="Below 1 safer, above 1 bolder."
)
@click.option("--prompt", default="", help="ABC that the tunes begin with, its M: and K: included.")
@click.option("--prompt-file", type=click.Path(), help="A file of a tune to go on from.")
@click.option(
    "--rewrite",
    metavar="BARS",
    help="Bars of --prompt-file, such as 5-8, to compose anew; all else is kept byte for byte. "
    "They are counted as written, each repeat once and endings one by one; a pick-up at the "
    "beginning is 0, and a bar that a repeat sign parts is one.",
)
@click.option("--unconstrained", is_flag=True, help="Leave the grammar out.")
@click.option("--against", type=click.Path(), multiple=True, help="Tunes to compare with.")
@click.option(
    "--max-copy", type=int, help="Most notes in a row that a tune may share with one of --against."
)
@click.option("--seed", type=int, help="Seed of the draw; drawn and told if not given.")
@click.option(
    "-o", "--out", type=click.Path(), help="Folder for the files; without it ABC is printed."
)
@click.option(
    "--formats",
    default=",".join(FILES),
    show_default=True,
    help="Files to write for each tune; index.html shows and plays them all.",
)
def compose(
    model: str,
    count: int,
    meter: str | None,
    key: str | None,
    bars: int | None,
    form: str,
    temperature: float,
    prompt: str,
    prompt_file: str | None,
    rewrite: str | None,
    unconstrained: bool,
    against: tuple[str, ...],
    max_copy: int | None,
    seed: int | None,
    out: str | None,
    formats: str,
    **filters: float | None,
) -> None:
    """Compose tunes with MODEL, which `charrnn train` made from .abc or .mid files.

    \b
    Examples:
      charrnn compose fiddle.safetensors
      charrnn compose fiddle.safetensors -n 8 --meter 6/8 --key Dmaj --bars 16 --form AABB -o tunes/
      charrnn compose fiddle.safetensors --prompt-file begun.abc --seed 1
      charrnn compose fiddle.safetensors --prompt-file reel.abc --rewrite 5-8 -n 4 -o tries/

    Every tune parses, and its bars add up, unless --unconstrained is given.
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.music.abc_parser import read_abc
    from charrnn.music.abc_writer import write_abc
    from charrnn.music.compose import compose as composed
    from charrnn.music.folder import write_folder
    from charrnn.music.formats import read_text
    from charrnn.music.infill import parse_bars
    from charrnn.music.infill import rewrite as rewritten
    from charrnn.music.metrics import Sample

    if prompt and prompt_file:
        raise click.UsageError("give --prompt or --prompt-file, not both")
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    for name in wanted:
        if name not in FILES:
            raise ConfigError(f"formats has {name!r}: choose among {', '.join(FILES)}")
    if rewrite is not None:
        options = {"--prompt": prompt, "--meter": meter, "--key": key, "--bars": bars}
        options |= {"--form": form, "--unconstrained": unconstrained, "--max-copy": max_copy}
        if against_it := ", ".join(name for name, value in options.items() if value):
            raise ConfigError(f"--rewrite keeps to the tune that is given: leave out {against_it}")
        if not prompt_file:
            raise ConfigError(f"rewrite is {rewrite}: name the file of the tune with --prompt-file")
        parse_bars(rewrite)  # a mistake is found before anything is read
    drawn = given(filters)
    checkpoint = load(model)
    begun: tuple[Tune, ...] = ()
    if rewrite is not None and prompt_file:
        found, text, encoding = read_text(prompt_file)
        tell_notices(found)
    elif prompt_file:
        begun = tunes_in((prompt_file,))
    if seed is None:
        seed = secrets.randbits(32)
        tell(f"seed {seed}")
    others = tunes_in(against)
    corpus = Sample(others) if others else None
    if rewrite is not None:
        texts = rewritten(
            checkpoint, text, bars=rewrite, count=count, temperature=temperature, seed=seed, **drawn
        )
        tunes = [read_abc(text).tunes[0] for text in texts]
        if len(tunes) < count:
            tell(f"the model writes no more than {len(tunes)} of {count} versions that differ")
    else:
        tunes = composed(
            checkpoint,
            count,
            meter=meter,
            key=key,
            bars=bars,
            form=form,
            prompt=write_abc(begun[:1]) or prompt,
            constrained=not unconstrained,
            against=corpus,
            max_copy=max_copy,
            temperature=temperature,
            seed=seed,
            **drawn,
        )
        texts, encoding = None, "utf-8"
        if len(tunes) < count:
            tell(f"{count - len(tunes)} of {count} could not be read as tunes, and are left out")
    if not out:
        printed = write_abc(tunes) if texts is None else "\n\n".join(texts)
        click.echo(printed.encode(encoding), nl=False)
        return
    name, what = Path(model).name, f"bars {rewrite} composed anew, " if rewrite else ""
    settings = f"{name}, {what}seed {seed}, temperature {temperature:g}"
    index = write_folder(
        out,
        tunes,
        formats=wanted,
        texts=texts,
        encoding=encoding,
        against=corpus,
        title=f"Tunes from {name}",
        settings=settings,
    )
    show(f"{index}: open it to see and hear {counted(len(tunes), 'tune')}")
