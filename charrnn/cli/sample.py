"""The command `charrnn sample`."""

from __future__ import annotations

import json
import secrets

import click

from charrnn.cli.options import (
    ENCODING,
    EXISTING_MODEL,
    JSON,
    UNKNOWN,
    Command,
    filter_options,
    given,
)
from charrnn.cli.terminal import Output, tell

GROUPS = {
    "Prompt": ["prompt", "prompt_file", "adapt"],
    "Output": ["length", "num_samples", "stop", "as_json"],
    "Sampling": ["temperature", "seed"],
}


@click.command(cls=Command, groups=GROUPS, settings=filter_options)
@EXISTING_MODEL
@click.option(
    "-p", "--prompt", metavar="TEXT", default="", help="Continue this text; it is printed first."
)
@click.option(
    "--prompt-file", metavar="FILE", type=click.Path(), help="Continue the text in this file."
)
@click.option(
    "-n",
    "--length",
    metavar="N",
    default=500,
    show_default=True,
    help="Generate this many characters.",
)
@click.option(
    "-t",
    "--temperature",
    metavar="X",
    default=1.0,
    show_default=True,
    help="Set the temperature: below 1 is safer, above 1 bolder; 0 always takes the most likely "
    "character.",
)
@click.option("--stop", metavar="TEXT", default="", help="Stop before this text.")
@click.option(
    "--num-samples", metavar="N", default=1, show_default=True, help="Generate this many texts."
)
@click.option(
    "--adapt",
    metavar="FILE",
    type=click.Path(),
    help="Adapt a copy of the model to this text first.",
)
@click.option(
    "--seed", metavar="N", type=int, help="Set the random seed; chosen and printed if omitted."
)
@ENCODING
@UNKNOWN
@JSON
def sample(
    model: str,
    prompt: str,
    prompt_file: str | None,
    length: int,
    temperature: float,
    stop: str,
    num_samples: int,
    adapt: str | None,
    seed: int | None,
    encoding: str,
    unknown: str,
    as_json: bool,
    **filters: float | None,
) -> None:
    """Generate text with a model.

    MODEL is a model file that `charrnn train` wrote.

    \b
    Examples:
      charrnn sample novel.safetensors
      charrnn sample novel.safetensors --prompt "Once upon a time" -t 0.7
      charrnn sample names.safetensors --num-samples 20 --seed 1

    The same model, seed and options give the same text. If the model was trained on lines,
    paragraphs or tunes (--documents), a sample ends where a document ends.
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.inference.sampling import stream, terminator
    from charrnn.text.loading import read

    if prompt and prompt_file:
        raise click.UsageError("--prompt and --prompt-file cannot be combined")
    checkpoint = load(model)
    if adapt:
        from charrnn.inference.dynamic import adapt as adapted

        tell(f"adapting to {adapt}")
        corpus = read(adapt, encoding, reading=checkpoint.reading)
        checkpoint = adapted(checkpoint, corpus, unknown=unknown)
    if prompt_file:
        corpus = read(prompt_file, encoding, reading=checkpoint.reading)
        prompt = "".join(corpus.texts)
        for notice in corpus.notices:
            tell(notice)
    if seed is None:
        seed = secrets.randbits(32)
        tell(f"seed {seed}")
    pieces = stream(
        checkpoint,
        prompt,
        length=length,
        num_samples=num_samples,
        temperature=temperature,
        seed=seed,
        stop=stop,
        unknown=unknown,
        **given(filters),
    )
    texts = [""] * num_samples
    if as_json:
        for index, text in pieces:
            texts[index] += text
        result = {"model": model, "prompt": prompt, "seed": seed, "samples": texts}
        click.echo(json.dumps(result))
        return

    # The first sample is printed as it is generated; the others, of the same batch, after it.
    output = Output()
    output.write(prompt)
    for index, text in pieces:
        texts[index] += text
        if index == 0:
            output.write(text)
    end = terminator(checkpoint)
    for text in texts[1:]:
        output.write((end or "\n\n----\n\n") + prompt + text)
    if end or output.is_terminal:
        output.write("\n")
