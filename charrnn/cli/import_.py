"""charrnn import."""

from __future__ import annotations

import click

from charrnn.cli.options import ENCODING
from charrnn.cli.terminal import tell
from charrnn.errors import counted


@click.command("import")
@click.argument("torch", type=click.Path())
@click.argument("corpus", nargs=-1, type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(), help="Model file to write.")
@click.option(
    "--alphabet",
    type=click.Path(),
    help="Take the alphabet from this file, its characters in the order of their ids.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing model.")
@ENCODING
def import_(
    torch: str,
    corpus: tuple[str, ...],
    out: str,
    alphabet: str | None,
    overwrite: bool,
    encoding: str,
) -> None:
    """Make a model of TORCH, a PyTorch state dict in a safetensors file.

    \b
    Examples:
      charrnn import lstm.safetensors novel.txt -o novel.safetensors
      charrnn import lstm.safetensors --alphabet characters.txt -o novel.safetensors

    The alphabet is that of CORPUS, sorted by code point, or that of --alphabet. To check the
    result, compare the loss that charrnn evaluate prints with that in PyTorch.
    """
    from charrnn.checkpoints.atomic import require_new
    from charrnn.checkpoints.output import Output
    from charrnn.interop.pytorch import from_torch, read_alphabet

    require_new(out, overwrite)
    output = Output.new(out, overwrite)
    characters = read_alphabet(alphabet, encoding) if alphabet else None
    model = from_torch(torch, corpus or None, alphabet=characters, encoding=encoding)
    with output.claimed():
        output.save(model.save)
    tell(
        f"{out}: {model.config.describe()}, {counted(model.parameters.flat.size, 'parameter')}, "
        f"alphabet of {len(model.tokenizer)}"
    )
