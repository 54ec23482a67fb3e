"""charrnn info."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from charrnn.cli.options import EXISTING_MODEL, JSON
from charrnn.cli.terminal import show

TOLD = {"chosen", "stated", "cores", "minutes"}  # in lines of their own


@click.command()
@EXISTING_MODEL
@JSON
def info(model: str, as_json: bool) -> None:
    """Tell what MODEL is, how it was trained, its history and alphabet.

    \b
    Examples:
      charrnn info novel.safetensors
      charrnn info novel.safetensors --json
    """
    from charrnn.checkpoints.checkpoint import load

    checkpoint = load(model)
    content = {
        "file": model,
        "bytes": Path(model).stat().st_size,
        **checkpoint.describe(),
    }
    if as_json:
        click.echo(json.dumps(content))
        return
    config = checkpoint.config
    source = f"embedding {config.embedding_size}" if config.embedding_size else "one-hot input"
    lines = [
        f"{model}: {content['bytes']:,} bytes, {content['parameters']:,} parameters",
        f"model     {config.cell}, {config.num_layers} x {config.hidden_size}, {source}, "
        f"dropout {config.dropout:g}, of recurrent weights {config.weight_dropout:g}",
        f"alphabet  {len(checkpoint.tokenizer)} characters: "
        + "".join(repr(character)[1:-1] for character in checkpoint.tokenizer.alphabet[:200])
        + (" ..." if len(checkpoint.tokenizer) > 200 else ""),
    ]
    lines += _choice(asdict(config) | checkpoint.training, len(checkpoint.tokenizer))
    lines += [
        f"  {name:16} {value}"
        for name, value in sorted(checkpoint.training.items())
        if name not in TOLD and value != ""
    ]
    if checkpoint.history:
        lines.append("history   step, loss while training, loss in validation (nats/char)")
        lines += [
            f"  {entry.get('step')!s:>8}  {entry.get('train'):.4f}  {entry.get('valid'):.4f}"
            for entry in checkpoint.history
        ]
    for line in lines:
        show(line)


def _choice(record: dict[str, Any], alphabet: int) -> list[str]:
    """Return lines that tell which settings were chosen, for what, and which a person stated."""

    def settings(kind: str) -> str:
        names = str(record.get(kind, "")).split(", ")
        return ", ".join(f"{name} {record[name]}" for name in names if name in record)

    stated = [f"stated    {settings('stated')}"] if settings("stated") else []
    if not settings("chosen"):
        return stated
    cores = record.get("cores")
    return [
        f"chosen    {settings('chosen')}; for {record.get('characters')} characters, an alphabet "
        f"of {alphabet}, {cores} core{'' if cores == 1 else 's'}, {record.get('minutes')} minutes",
        *stated,
    ]
