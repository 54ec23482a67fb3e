"""The command `charrnn export`."""

from __future__ import annotations

import click

from charrnn.cli.options import ENCODING, EXISTING_MODEL, Command
from charrnn.cli.terminal import show, tell


@click.command(cls=Command)
@EXISTING_MODEL
@click.argument("target", type=click.Path())
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
@click.option(
    "--weights",
    type=click.Choice(["f32", "f16", "i8"]),
    help="Store the weights in a page exactly (f32), at half the size (f16, the default) or at a "
    "quarter (i8).",
)
@click.option(
    "--corpus",
    metavar="FILE",
    type=click.Path(),
    help="Measure on this text how much the smaller weights increase the loss.",
)
@ENCODING
def export(
    model: str, target: str, overwrite: bool, weights: str | None, corpus: str | None, encoding: str
) -> None:
    """Export a model as a web page or an ONNX graph.

    TARGET is an .html file (a page that generates text offline in any browser) or an .onnx file.

    \b
    Examples:
      charrnn export novel.safetensors novel.html
      charrnn export novel.safetensors novel.html --weights i8 --corpus novel.txt
      charrnn export novel.safetensors novel.onnx
    """
    from charrnn.checkpoints.checkpoint import load
    from charrnn.interop.export import export as exported
    from charrnn.interop.export import target_format

    target_format(target, overwrite)  # before reading the model
    result = exported(
        load(model), target, overwrite=overwrite, weights=weights, corpus=corpus, encoding=encoding
    )
    for notice in result.notices:
        tell(notice)
    show(f"wrote {result.path} ({result.size / 1e6:,.1f} MB)")
