"""The command `charrnn sample`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli.options import (
    ENCODING,
    EXISTING_MODEL,
    JSON,
    UNKNOWN,
    Command,
    filter_options,
    given,
    numbers,
)
from charrnn.cli.terminal import Output, tell
from charrnn.errors import as_options, counted

if TYPE_CHECKING:
    from charrnn.text.corpus import Corpus

GROUPS = {
    "Prompt": ["prompt", "prompt_file", "adapt"],
    "Output": ["length", "num_samples", "stop", "as_json"],
    "Sampling": ["temperatures", "seed"],
    "Documents": ["unique", "new_against", "min_length", "max_length"],
}
BETWEEN = "\n\n----\n\n"  # samples of a model of whole files
LONG_PROMPT = 100_000  # characters; reading them takes more than a second

Samples = Iterator[tuple[int, str]]  # number of the sample, and a piece of its text


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
    "temperatures",
    metavar="X,...",
    callback=numbers,
    default="1.0",
    show_default=True,
    help="Set the temperature: below 1 is safer, above 1 bolder; 0 always takes the most likely "
    "character. Several values (0.5,0.8,1.1) are used in turn.",
)
@click.option(
    "--stop", metavar="TEXT", default="", help="Stop before the first occurrence of this text."
)
@click.option(
    "--num-samples", metavar="N", default=1, show_default=True, help="Generate this many texts."
)
@click.option("--unique", is_flag=True, help="Reject repeated documents.")
@click.option(
    "--new-against",
    metavar="PATH",
    type=click.Path(),
    help="Reject documents that are in this file or folder.",
)
@click.option(
    "--min-length", metavar="N", default=0, help="Reject documents with fewer characters."
)
@click.option("--max-length", metavar="N", type=int, help="Reject documents with more characters.")
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
    temperatures: list[float],
    stop: str,
    num_samples: int,
    unique: bool,
    new_against: str | None,
    min_length: int,
    max_length: int | None,
    adapt: str | None,
    seed: int | None,
    encoding: str,
    unknown: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Generate text with a model.

    MODEL is a model file that `charrnn train` wrote.

    \b
    Examples:
      charrnn sample novel.safetensors
      charrnn sample novel.safetensors --prompt "Once upon a time" -t 0.5,0.8
      charrnn sample names.safetensors --num-samples 20 --seed 1
      charrnn sample names.safetensors --num-samples 20 --new-against names.txt

    The same model, seed and options give the same text. If the model was trained on lines,
    paragraphs or tunes (--documents), a sample is one document, and the options under Documents
    reject unwanted ones.
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.inference.documents import stream_documents
    from charrnn.inference.sampling import stream, terminator
    from charrnn.text.corpus import Corpus
    from charrnn.text.loading import read

    if prompt and prompt_file:
        raise click.UsageError("--prompt and --prompt-file cannot be combined")
    conditions: dict[str, Any] = {
        "unique": unique,
        "min_length": min_length,
        "max_length": max_length,
        "new_against": new_against,
    }
    used = [name.replace("_", "-") for name, value in conditions.items() if value]
    if used and stop:
        raise click.UsageError(f"--stop cannot be combined with --{used[0]}")
    checkpoint = load(model)

    def corpus_in(path: str) -> Corpus:
        corpus = read(path, encoding, reading=checkpoint.reading)
        _tell(corpus.notices)
        return corpus

    if adapt:
        from charrnn.inference.dynamic import adapt as adapted

        tell(f"adapting to {adapt}")
        corpus = corpus_in(adapt)
        _tell(corpus.replaced(checkpoint.tokenizer, unknown))
        checkpoint = adapted(checkpoint, corpus, unknown=unknown)
    start = corpus_in(prompt_file) if prompt_file else Corpus.from_texts(prompt)
    _tell(start.replaced(checkpoint.tokenizer, unknown))
    if len(start.ids) > LONG_PROMPT:
        tell(f"reading a prompt of {counted(len(start.ids), 'character')}")
    if new_against:
        conditions["new_against"] = corpus_in(new_against)
    is_chosen = seed is None
    if seed is None:
        seed = secrets.randbits(32)
    common = {"num_samples": num_samples, "seed": seed, "unknown": unknown, **given(options)}
    runs: list[tuple[float, Samples]] = []
    for each in temperatures:  # each is checked before the first sample
        settings = {"temperature": each, **common}
        if used:
            documents = stream_documents(checkpoint, start, **conditions, **settings)
            runs.append((each, enumerate(documents)))
        else:
            pieces = stream(checkpoint, start, stop=stop, **settings)
            runs.append((each, _in_order(pieces, num_samples)))
    if is_chosen:
        tell(f"seed {seed}")
    if checkpoint.training.config.documents == "tunes" and not as_json:
        tell("this model writes tunes in its training notation; for playable tunes, use compose")
    if as_json:
        _print_json(model, start, seed, runs, num_samples)
    else:
        _print(start, runs, terminator(checkpoint), num_samples)


def _tell(notices: Iterable[str]) -> None:
    for notice in notices:
        tell(as_options(notice))


def _in_order(pieces: Samples, num_samples: int) -> Samples:
    """Yield the first sample as it is generated; the others, of the same batch, after it."""
    texts = [""] * num_samples
    yield 0, ""
    for index, text in pieces:
        if index == 0:
            yield 0, text
        texts[index] += text
    yield from enumerate(texts[1:], 1)


def _tell_missing(found: int, wanted: int) -> None:
    """Tell the user if there are fewer documents than `wanted`."""
    if found < wanted:
        tell(
            f"found {found} of {wanted} documents that meet the conditions; lower --num-samples, "
            "raise --temperature, or relax the conditions"
        )


def _print(
    prompt: Corpus, runs: Sequence[tuple[float, Samples]], end: str, num_samples: int
) -> None:
    output = Output()
    for number, (temperature, samples) in enumerate(runs):
        if len(runs) > 1:
            between = "" if number == 0 else "\n" if end else "\n\n"
            output.write(f"{between}---- temperature {temperature:g} ----\n\n")
        current = -1
        for index, text in samples:
            if index != current:
                output.write((end or BETWEEN) if index else "")
                for piece in prompt.pieces():
                    output.write(piece)
                current = index
            output.write(text)
        if current >= 0 and (end or output.is_terminal):
            output.write("\n")
        _tell_missing(current + 1, num_samples)


def _print_json(
    model: str,
    prompt: Corpus,
    seed: int,
    runs: Sequence[tuple[float, Samples]],
    num_samples: int,
) -> None:
    """Print a JSON object; the prompt, which may be long, piece by piece."""
    results: dict[str, list[Any]] = {"samples": [], "temperatures": []}
    for temperature, samples in runs:
        texts: dict[int, str] = {}
        for index, text in samples:
            texts[index] = texts.get(index, "") + text
        results["samples"] += texts.values()
        results["temperatures"] += [temperature] * len(texts)
        _tell_missing(len(texts), num_samples)
    click.echo(json.dumps({"model": model})[:-1] + ', "prompt": "', nl=False)
    for piece in prompt.pieces():
        click.echo(json.dumps(piece)[1:-1], nl=False)
    click.echo('", ' + json.dumps({"seed": seed, **results})[1:])
