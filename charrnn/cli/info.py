"""The command `charrnn info`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli.options import EXISTING_MODEL, JSON, Command
from charrnn.cli.terminal import show
from charrnn.errors import counted

if TYPE_CHECKING:
    from charrnn.checkpoints.records import Selection, TrainingRecord


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
    from charrnn.checkpoints.records import Selection

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
        f"{model}: {counted(content['bytes'], 'byte')}, "
        f"{counted(content['parameters'], 'parameter')}",
        f"model     {config.cell}, {config.num_layers} x {config.hidden_size}, {source}, "
        f"dropout {config.dropout:g}, weight dropout {config.weight_dropout:g}",
        f"written   by charrnn {checkpoint.version}",
        f"alphabet  {len(checkpoint.tokenizer)} characters: "
        + "".join(repr(character)[1:-1] for character in checkpoint.tokenizer.alphabet[:200])
        + (" ..." if len(checkpoint.tokenizer) > 200 else ""),
    ]
    record = _record(checkpoint.training)
    selection = checkpoint.training.selection or Selection()
    lines += _selection(selection, asdict(config) | record)
    if checkpoint.training.steps:
        shown = {*selection.stated, *selection.selected}
        lines.append("training")
        lines += [
            f"  {name:18} {_shown(name, value)}"
            for name, value in sorted(record.items())
            if value != "" and name not in shown
        ]
    else:
        lines.append("training  unknown: the model was not trained with charrnn")
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
    others = {
        "steps": training.steps,
        "characters": training.characters,
        "corpus digest": training.corpus,
        "validation digest": training.valid,
    }
    return asdict(training.config) | others | dict(training.reading.settings)


def _selection(selection: Selection, settings: Mapping[str, Any]) -> list[str]:
    """Return lines with the settings that charrnn selected and those that the user stated."""
    lines = []
    for heading, names in (("selected", selection.selected), ("given", selection.stated)):
        if values := [
            f"{name} {_shown(name, settings[name])}" for name in names if name in settings
        ]:
            lines.append(f"{heading:9} {', '.join(values)}")
    return lines


def _shown(name: str, value: object) -> str:
    """Return a setting's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
