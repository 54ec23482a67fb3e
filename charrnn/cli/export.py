"""charrnn export."""

from __future__ import annotations

import click

from charrnn.cli.options import ENCODING, EXISTING_MODEL
from charrnn.cli.terminal import show, tell


@click.command()
@EXISTING_MODEL
@click.argument("target", type=click.Path())
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
@click.option(
    "--weights",
    type=click.Choice(["f32", "f16", "i8"]),
    help="How a page stores the weights: exact, or in a half or a quarter of the size.  "
    "[default: f16]",
)
@click.option(
    "--corpus", type=click.Path(), help="Measure on this text what the stored weights cost."
)
@ENCODING
def export(
    model: str, target: str, overwrite: bool, weights: str | None, corpus: str | None, encoding: str
) -> None:
    """Export MODEL to TARGET: .html, a web page that writes and reads, without a network, or .onnx.

    \b
    Examples:
      charrnn export novel.safetensors novel.html
      charrnn export novel.safetensors novel.html --weights i8 --corpus novel.txt
      charrnn export novel.safetensors novel.onnx
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.interop.export import export as exported
    from charrnn.interop.export import target_format
    from charrnn.text.loading import read

    target_format(target, overwrite)  # a mistake is found before anything is read
    checkpoint = load(model)
    text = read(corpus, encoding, reading=checkpoint.reading) if corpus else None
    result = exported(checkpoint, target, overwrite=overwrite, weights=weights, corpus=text)
    for notice in result.notices:
        tell(notice)
    show(f"{result.path}: {result.size / 1e6:,.1f} MB")
