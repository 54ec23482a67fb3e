"""The command `charrnn import`."""

from __future__ import annotations

import click

from charrnn.cli.options import ENCODING, Command
from charrnn.cli.terminal import tell
from charrnn.errors import counted


@click.command("import", cls=Command)
@click.argument("torch", type=click.Path())
@click.argument("corpus", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    required=True,
    type=click.Path(),
    help="Write the model to this file.",
)
@click.option(
    "--alphabet",
    metavar="FILE",
    type=click.Path(),
    help="Read the alphabet from this file, which lists the characters in the order of their ids.",
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
    """Import a model from PyTorch.

    TORCH is a state dict in a safetensors file. CORPUS is the text that the model was trained on.

    \b
    Examples:
      charrnn import lstm.safetensors novel.txt -o novel.safetensors
      charrnn import lstm.safetensors --alphabet letters.txt -o novel.safetensors

    The alphabet is that of CORPUS, sorted by code point, unless --alphabet is given. To check the
    result, compare the loss that `charrnn evaluate` prints with the one in PyTorch.
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
        f"wrote {out}: {model.config.describe()}, "
        f"{counted(model.parameters.flat.size, 'parameter')}, alphabet of {len(model.tokenizer)}"
    )
