"""The command `charrnn info`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli.options import EXISTING_MODEL, JSON, Command
from charrnn.cli.terminal import show
from charrnn.errors import counted

if TYPE_CHECKING:
    from charrnn.checkpoints.checkpoint import Checkpoint
    from charrnn.checkpoints.records import TrainingRecord


@click.command(cls=Command)
@EXISTING_MODEL
@JSON
def info(model: str, as_json: bool) -> None:
    """Show the settings, alphabet and training history of a model.

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
        f"dropout {config.dropout:g}, weight dropout {config.weight_dropout:g}",
        f"written   by charrnn {checkpoint.version}",
        f"alphabet  {len(checkpoint.tokenizer)} characters: "
        + "".join(repr(character)[1:-1] for character in checkpoint.tokenizer.alphabet[:200])
        + (" ..." if len(checkpoint.tokenizer) > 200 else ""),
    ]
    record = _record(checkpoint.training)
    lines += _selected(checkpoint, asdict(config) | record)
    if checkpoint.training.steps:
        lines += [f"  {name:16} {value}" for name, value in sorted(record.items()) if value != ""]
    else:
        lines.append("training  unknown: the model was not trained by charrnn")
    if checkpoint.history:
        lines.append("history   step, training loss, validation loss (nats/char)")
        lines += [
            f"  {entry.step!s:>8}  {entry.train:.4f}  {entry.valid:.4f}"
            for entry in checkpoint.history
        ]
    for line in lines:
        show(line)


def _record(training: TrainingRecord) -> dict[str, Any]:
    """Return a training record, except for the selection, by name."""
    names = ("steps", "characters", "corpus", "valid")
    others = {name: getattr(training, name) for name in names}
    return asdict(training.config) | others | dict(training.reading.settings)


def _selected(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> list[str]:
    """Return lines with the settings that charrnn selected and those that the user stated."""
    selection = checkpoint.training.selection
    if selection is None:
        return []

    def values(names: Iterable[str]) -> str:
        return ", ".join(f"{name} {settings[name]}" for name in names if name in settings)

    stated = [f"given     {values(selection.stated)}"] if selection.stated else []
    if not selection.selected:
        return stated
    return [
        f"selected  {values(selection.selected)}; for "
        f"{counted(checkpoint.training.characters, 'character')} and an alphabet of "
        f"{len(checkpoint.tokenizer)}",
        *stated,
    ]
