"""The command `charrnn compose`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import EXISTING_MODEL, Command, filter_options, given
from charrnn.cli.terminal import show, tell, write_text
from charrnn.cli.tunes import tell_notices, tunes_in
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
    "Sampling": ["temperature", "seed", "unconstrained"],
    "Output": ["count", "out", "overwrite", "formats"],
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
    "pitches such as D4-B5; by default, the range of the training tunes.",
)
@click.option(
    "-t",
    "--temperature",
    metavar="X",
    default=0.9,
    show_default=True,
    help="Set the temperature: below 1 is safer, above 1 bolder.",
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
    help="Reject tunes that share more than N consecutive notes with a tune in --against.",
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
    "--formats",
    metavar="LIST",
    default="abc,mid,wav,svg",
    show_default=True,
    help="Write each tune in these formats; others are musicxml and mxl.",
)
def compose(
    model: str,
    count: int,
    meter: str | None,
    key: str | None,
    bars: int | None,
    form: str,
    pitches: str | None,
    temperature: float,
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
    formats: str,
    **filters: float | None,
) -> None:
    """Compose tunes with a model trained on tunes.

    MODEL is a model file that `charrnn train` made from .abc, .mid or .musicxml files.

    \b
    Examples:
      charrnn compose fiddle.safetensors
      charrnn compose fiddle.safetensors -n 8 --key Dmaj --form AABB -o tunes
      charrnn compose fiddle.safetensors --prompt-file begun.abc --seed 1
      charrnn compose fiddle.safetensors --prompt-file reel.abc --rewrite 5-8 -n 4
      charrnn compose fiddle.safetensors --prompt-file book.abc --tune 3

    A grammar guarantees valid tunes whose bars add up, and follows --meter, --key, --bars and
    --form; the model chooses those that you omit. --rewrite counts bars as written: a repeated
    section once, each ending separately, a pick-up as bar 0, and a bar split by a repeat sign as
    one.
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.music.abc_parser import read_abc
    from charrnn.music.abc_writer import write_abc
    from charrnn.music.compose import compose as composed
    from charrnn.music.folder import require_folder, write_folder
    from charrnn.music.formats import read_text, selected
    from charrnn.music.infill import lost, parse_bars, tune_text
    from charrnn.music.infill import rewrite as rewritten
    from charrnn.music.metrics import Sample

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
        options |= {"unconstrained": unconstrained, "max_copy": max_copy}
        conflicts = ", ".join(f"`{name}`" for name, value in options.items() if value)
        require(not conflicts, f"`rewrite` cannot be combined with {conflicts}")
        require(bool(prompt_file), "`rewrite` needs a tune; name its file with `prompt_file`")
        parse_bars(rewrite)  # fails before the model is read
    if out is not None:
        require_folder(out, count, wanted, overwrite)
    drawn = given(filters)
    checkpoint = load(model)
    begun: Sequence[Tune] = ()
    if rewrite is not None and prompt_file:
        found, text, encoding = read_text(prompt_file)
    elif prompt_file:
        begun = selected(tunes_in((prompt_file,)), number, prompt_file)
    if seed is None:
        seed = secrets.randbits(32)
        tell(f"seed {seed}")
    others = tunes_in(against)
    corpus = Sample(others) if others else None
    if rewrite is not None:
        texts = rewritten(
            checkpoint,
            text,
            bars=rewrite,
            tune=number,
            count=count,
            temperature=temperature,
            seed=seed,
            **drawn,
        )
        tell_notices(replace(found, ignored=lost(tune_text(text, number), texts[0])))
        tunes = [read_abc(text).tunes[0] for text in texts]
        if len(tunes) < count:
            tell(f"only {len(tunes)} of {counted(count, 'distinct version')} were found")
    else:
        tunes = composed(
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
        texts, encoding = None, "utf-8"
        if len(tunes) < count:
            tell(f"skipped {count - len(tunes):,} of {counted(count, 'tune')}: not valid ABC")
    if out is None:
        write_text(write_abc(tunes) if texts is None else "\n\n".join(texts), encoding)
        return
    name, what = Path(model).name, f"bars {rewrite} rewritten, " if rewrite else ""
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
        overwrite=overwrite,
    )
    tell(f"wrote {counted(len(tunes), 'tune')}; to view and play, open:")
    show(index.resolve().as_uri())
