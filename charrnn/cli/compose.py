"""The command `charrnn compose`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import EXISTING_MODEL, Command, filter_options, given, numbers
from charrnn.cli.terminal import show, tell, write_text
from charrnn.cli.tunes import CHORDS, SWING, tell_notices, tunes_in
from charrnn.errors import ConfigError, counted, require

if TYPE_CHECKING:
    from charrnn.music.tune import Tune

FILES = ("abc", "mid", "wav", "svg", "musicxml", "mxl")


GROUPS = {
    "Tune": [
        "meter",
        "key",
        "bars",
        "form",
        "pitches",
        "prompt",
        "prompt_file",
        "number",
        "rewrite",
    ],
    "Originality": ["against", "max_copy"],
    "Sampling": ["temperatures", "seed", "unconstrained"],
    "Output": ["count", "out", "overwrite", "formats", "chords", "swing"],
}


@click.command(cls=Command, groups=GROUPS, settings=filter_options)
@EXISTING_MODEL
@click.option(
    "-n", "--count", metavar="N", default=1, show_default=True, help="Compose this many tunes."
)
@click.option("--meter", metavar="METER", help="Set the meter, such as 6/8, C or C|.")
@click.option("--key", metavar="KEY", help="Set the key, such as Dmaj, Em or Ador.")
@click.option(
    "--bars",
    metavar="N",
    type=int,
    help="Set the number of bars as written; a repeated section counts once.",
)
@click.option(
    "--form",
    metavar="LETTERS",
    default="",
    help="Set the sections in playing order, such as AABB or ABA.",
)
@click.option(
    "--range",
    "pitches",
    metavar="RANGE",
    help="Set the range of the notes: fiddle, whistle-D, flute, mandolin, accordion, voice, or two "
    "pitches such as D4-B5; by default, the range of 99% of the training notes.",
)
@click.option(
    "-t",
    "--temperature",
    "temperatures",
    metavar="X,...",
    callback=numbers,
    default="0.9",
    show_default=True,
    help="Set the temperature: below 1 is safer, above 1 bolder. Several values (0.7,1.0,1.2) are "
    "used in turn, --count tunes for each.",
)
@click.option(
    "--prompt",
    metavar="ABC",
    default="",
    help="Begin each tune with this ABC, in lines or in one line such as 'M:6/8 K:D |:A2d'.",
)
@click.option(
    "--prompt-file",
    metavar="FILE",
    type=click.Path(),
    help="Begin each tune with a tune in this file: the first one, unless --tune selects another.",
)
@click.option(
    "--tune",
    "number",
    metavar="N",
    type=int,
    help="Select tune N of --prompt-file, counted from 1.",
)
@click.option(
    "--rewrite",
    metavar="BARS",
    help="Rewrite these bars of the tune in --prompt-file, such as 5-8, and keep the rest of its "
    "text byte for byte.",
)
@click.option(
    "--unconstrained",
    is_flag=True,
    help="Compose without the grammar; tunes may be invalid or irregular.",
)
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(),
    multiple=True,
    help="Compare the tunes with those in this file or folder; may be repeated.",
)
@click.option(
    "--max-copy",
    metavar="N",
    type=int,
    help="Reject tunes that share more than N consecutive notes with a tune in --against; runs of "
    "fewer than 6 notes are not counted.",
)
@click.option(
    "--seed", metavar="N", type=int, help="Set the random seed; chosen and printed if omitted."
)
@click.option(
    "-o",
    "--out",
    metavar="FOLDER",
    type=click.Path(),
    help="Write the files and index.html, which shows and plays the tunes, to this folder; "
    "if omitted, print ABC.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace the tunes that compose previously wrote to the folder.",
)
@click.option(
    "--chords",
    is_flag=True,
    help="Add chord symbols and an accompaniment: chords of the key that fit the notes, selected "
    "by rule.",
)
@SWING
@click.option(
    "--formats",
    metavar="LIST",
    default="abc,mid,wav,svg",
    show_default=True,
    help="Write each tune in these formats; musicxml and mxl are also available.",
)
def compose(
    model: str,
    count: int,
    meter: str | None,
    key: str | None,
    bars: int | None,
    form: str,
    pitches: str | None,
    temperatures: list[float],
    prompt: str,
    prompt_file: str | None,
    number: int | None,
    rewrite: str | None,
    unconstrained: bool,
    against: tuple[str, ...],
    max_copy: int | None,
    seed: int | None,
    out: str | None,
    overwrite: bool,
    chords: bool,
    swing: float,
    formats: str,
    **filters: float | None,
) -> None:
    """Compose tunes with a model trained on tunes.

    MODEL is a model file that `charrnn train` made from .abc, .mid or .musicxml files.

    \b
    Examples:
      charrnn compose fiddle.safetensors
      charrnn compose fiddle.safetensors -n 8 --key Dmaj --form AABB -o tunes
      charrnn compose fiddle.safetensors -n 4 -t 0.7,1.0,1.2 -o tunes
      charrnn compose fiddle.safetensors --prompt-file begun.abc --seed 1
      charrnn compose fiddle.safetensors --prompt-file reel.abc --rewrite 5-8 -n 4
      charrnn compose fiddle.safetensors --prompt-file book.abc --tune 3

    A grammar guarantees valid tunes whose bars add up, and follows --meter, --key, --bars and
    --form; the model chooses those that you omit. --rewrite counts bars as written: a repeated
    section once, each ending separately, a pick-up as bar 0, and a bar split by a repeat sign as
    one.
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.inference.sampling import SamplingOptions
    from charrnn.music.abc_parser import read_abc
    from charrnn.music.abc_writer import write_abc
    from charrnn.music.compose import compose as composed
    from charrnn.music.folder import require_folder, write_folder
    from charrnn.music.formats import read_text, selected
    from charrnn.music.infill import lost, parse_bars, tune_text
    from charrnn.music.infill import rewrite as rewritten
    from charrnn.music.metrics import Sample
    from charrnn.music.performance import Style

    if prompt and prompt_file:
        raise ConfigError("`prompt` and `prompt_file` cannot be combined")
    require(
        number is None or bool(prompt_file),
        "`tune` needs a file of tunes; name it with `prompt_file`",
    )
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    for name in wanted:
        if name not in FILES:
            raise ConfigError(f"unknown format {name!r}; known formats: {', '.join(FILES)}")
    if rewrite is not None:
        options = {"prompt": prompt, "meter": meter, "key": key, "bars": bars, "form": form}
        options |= {"unconstrained": unconstrained, "max_copy": max_copy, "chords": chords}
        conflicts = ", ".join(f"`{name}`" for name, value in options.items() if value)
        require(not conflicts, f"`rewrite` cannot be combined with {conflicts}")
        require(bool(prompt_file), "`rewrite` needs a tune; name its file with `prompt_file`")
        parse_bars(rewrite)  # fails before the model is read
    Style(swing)  # fails before the model is read
    require(swing == 1 or out is not None, "`swing` needs a folder; name one with `out`")
    if out is not None:
        require_folder(out, count * len(temperatures), wanted, overwrite)
    is_chosen = seed is None
    drawn = given(filters)
    for temperature in temperatures:
        SamplingOptions.of("compose", temperature, seed or 0, drawn)
    checkpoint = load(model)
    begun: Sequence[Tune] = ()
    encoding = "utf-8"
    if rewrite is not None and prompt_file:
        found, text, encoding = read_text(prompt_file)
    elif prompt_file:
        begun = selected(tunes_in((prompt_file,)), number, prompt_file)
    if seed is None:
        seed = secrets.randbits(32)
    others = tunes_in(against)
    corpus = Sample(others) if others else None
    tunes: list[Tune] = []
    texts: list[str] = []  # of rewritten tunes
    for temperature in temperatures:
        if rewrite is not None:
            versions = rewritten(
                checkpoint,
                text,
                bars=rewrite,
                tune=number,
                count=count,
                temperature=temperature,
                seed=seed,
                **drawn,
            )
            if not texts:
                tell_notices(replace(found, ignored=lost(tune_text(text, number), versions[0])))
            texts += versions
            new = [read_abc(version).tunes[0] for version in versions]
            missing = f"only {len(new)} of {counted(count, 'distinct version')} were found"
        else:
            new = composed(
                checkpoint,
                count,
                meter=meter,
                key=key,
                bars=bars,
                form=form,
                pitches=pitches,
                prompt=write_abc(begun[:1]) or prompt,
                constrained=not unconstrained,
                against=corpus,
                max_copy=max_copy,
                temperature=temperature,
                seed=seed,
                **drawn,
            )
            missing = f"skipped {count - len(new):,} of {counted(count, 'tune')}: not valid ABC"
        if len(new) < count:
            tell(missing)
        several = len(temperatures) > 1
        tunes += _titled(new, len(tunes) + 1, temperature) if several else new
    if chords:
        tell(CHORDS)
    if is_chosen:
        tell(f"seed {seed}")
    if out is None:
        write_text("\n\n".join(texts) or write_abc(tunes, chords=chords), encoding)
        return
    name, what = Path(model).name, f"bars {rewrite} rewritten, " if rewrite else ""
    shown = ", ".join(f"{temperature:g}" for temperature in temperatures)
    settings = f"{name}, {what}seed {seed}, temperature {shown}"
    settings += ", chords by rule" if chords else ""
    index = write_folder(
        out,
        tunes,
        formats=wanted,
        texts=texts or None,
        encoding=encoding,
        against=corpus,
        title=f"Tunes from {name}",
        settings=settings,
        swing=swing,
        chords=chords,
        overwrite=overwrite,
    )
    tell(f"wrote {counted(len(tunes), 'tune')}; to view and play them, open:")
    show(index.resolve().as_uri())


def _titled(tunes: list[Tune], first: int, temperature: float) -> list[Tune]:
    """Return the tunes with titles that say at which temperature they were written."""
    return [
        replace(tune, title=f"{tune.title or f'Tune {number}'} (temperature {temperature:g})")
        for number, tune in enumerate(tunes, first)
    ]
