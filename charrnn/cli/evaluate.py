"""The command `charrnn evaluate`."""

from __future__ import annotations

import json
import sys

import click

from charrnn.cli.options import ENCODING, EXISTING_MODEL, JSON, UNKNOWN, Command
from charrnn.cli.terminal import tell
from charrnn.errors import as_options


@click.command(cls=Command)
@EXISTING_MODEL
@click.argument("corpus", nargs=-1, required=True, type=click.Path())
@click.option(
    "--split",
    "part",
    type=click.Choice(["valid", "train", "all"]),
    default="all",
    show_default=True,
    help="Evaluate the held-out part (valid), the rest (train) or all of CORPUS, split as "
    "it was for training.",
)
@click.option(
    "--streams",
    metavar="N",
    default=1,
    show_default=True,
    help="Read CORPUS in this many streams at once: faster, but approximate.",
)
@click.option(
    "--block-size",
    metavar="N",
    type=int,
    help="Score blocks of N characters independently, each from a zero state.",
)
@click.option(
    "--dynamic",
    is_flag=True,
    help="Let a copy of the model learn from each segment after scoring it (dynamic evaluation).",
)
@ENCODING
@UNKNOWN
@JSON
def evaluate(
    model: str,
    corpus: tuple[str, ...],
    part: str,
    streams: int,
    block_size: int | None,
    dynamic: bool,
    encoding: str,
    unknown: str,
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text.

    MODEL is a model file. CORPUS can be text files, folders of them, or - for standard input.

    \b
    Examples:
      charrnn evaluate novel.safetensors novel.txt --split valid
      charrnn evaluate novel.safetensors another.txt --json

    The text is read in one pass with the state carried over, unless --streams or --block-size is
    given.
    """
    if "" in corpus:
        raise click.UsageError("CORPUS must not be empty")
    if sys.stderr.isatty():
        tell(f"reading {', '.join(corpus[:3])}{' ...' if len(corpus) > 3 else ''}")
    from charrnn.checkpoints.checkpoint import load
    from charrnn.inference.evaluate import evaluate as measure
    from charrnn.text.loading import read

    checkpoint = load(model)
    texts = read(corpus, encoding, reading=checkpoint.reading)
    for notice in texts.notices:
        tell(as_options(notice))
    is_split = part != "all" and checkpoint.training.config.valid_fraction > 0
    if is_split and texts.digest != checkpoint.training.corpus:
        doubt = "; some of its held-out part may have been used in training"
        tell(
            "this corpus is not the one that the model was trained on"
            + (doubt if part == "valid" else "")
        )
    for notice in texts.replaced(checkpoint.tokenizer, unknown):
        tell(notice)
    result = measure(
        checkpoint,
        texts,
        part=part,
        streams=streams,
        block_size=block_size,
        unknown=unknown,
        dynamic=dynamic,
    )
    figures = {
        "nats_per_char": result.nats_per_char,
        "bits_per_char": result.bits_per_char,
        "perplexity": result.perplexity,
        "accuracy": result.accuracy,
        "characters": result.characters,
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo(f"nats per character  {result.nats_per_char:.4f}")
    click.echo(f"bits per character  {result.bits_per_char:.4f}")
    click.echo(f"perplexity          {result.perplexity:.3f}")
    click.echo(f"accuracy            {result.accuracy:.1%}")
    click.echo(f"characters scored   {result.characters:,}")
