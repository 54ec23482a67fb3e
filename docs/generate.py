"""Write docs/python.md and docs/cli.md, from docstrings and help: python docs/generate.py."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import click

import charrnn
from charrnn.cli import COMMANDS, cli
from charrnn.registry import resolve

DOCS = Path(__file__).parent
SECTIONS = {
    "Train": ["train", "resume", "Trainer", "Report", "Limits", "TrainConfig"],
    "Models": ["load", "Checkpoint", "TrainingRecord", "HistoryEntry", "ModelConfig", "CharRNN"],
    "Generate": ["generate", "stream", "stream_documents", "adapt", "SamplingOptions"],
    "Evaluate": ["evaluate", "Evaluation"],
    "Text": ["read", "Corpus", "Tokenizer"],
    "Tunes": [
        *("compose", "rewrite", "assess", "convert", "read_abc", "write_abc", "write_folder"),
        *("Tune", "Key", "TuneReading"),
    ],
    "Export and import": ["export", "Exported", "from_torch"],
    "Exceptions": [
        *("CharRNNError", "ConfigError", "CorpusError", "UnknownCharacterError"),
        *("CheckpointError", "DivergedError", "WorkerError"),
    ],
}
INTRODUCTION = """# Python

This page is generated from the docstrings by `python docs/generate.py`; a test checks that it is
current. Every command has one call with the same result:

| command | Python |
|---|---|
| `charrnn train` | `charrnn.train(...)`, then `.fit()` or a loop over its reports |
| `charrnn train --resume` | `charrnn.resume(...)` |
| `charrnn sample` | `charrnn.generate(...)`, or `charrnn.stream(...)` as the characters come |
| `charrnn sample -t 0.5,0.8` | a call of `charrnn.generate(...)` for each temperature |
| `charrnn sample --unique`, `--new-against FILE`, ... | `charrnn.stream_documents(...)` |
| `charrnn sample --adapt FILE` | `charrnn.generate(charrnn.adapt(model, corpus), ...)` |
| `charrnn evaluate` | `charrnn.evaluate(...)` |
| `charrnn info` | `charrnn.load(...).describe()` |
| `charrnn compose` | `charrnn.compose(...)`, then `charrnn.write_abc` or `charrnn.write_folder` |
| `charrnn compose -t 0.7,1.0` | a call of `charrnn.compose(...)` for each temperature |
| `charrnn compose --rewrite` | `charrnn.rewrite(...)` |
| `charrnn assess` | `charrnn.assess(...)` |
| `charrnn convert` | `charrnn.convert(...)` |
| `charrnn export` | `charrnn.export(...)` |
| `charrnn import` | `charrnn.from_torch(...)`, then `.save(...)` |

A history loads directly into a data frame: `pandas.DataFrame(model.history)`.
"""

CLI_INTRODUCTION = """# Command line

This page is generated from the help by `python docs/generate.py`; a test checks that it is current.
`charrnn COMMAND --help` shows the same text.
"""
CLI_CONCLUSION = """
## Shell completion

| shell | command |
|---|---|
| bash | `eval "$(_CHARRNN_COMPLETE=bash_source charrnn)"` |
| zsh | `eval "$(_CHARRNN_COMPLETE=zsh_source charrnn)"` |
| fish | `_CHARRNN_COMPLETE=fish_source charrnn \\| source` |
"""


# ---- Python --------------------------------------------------------------------------------------


def python_page() -> str:
    """Return the page of all public names."""
    listed = sorted(name for names in SECTIONS.values() for name in names)
    assert listed == sorted(charrnn.__all__), set(listed) ^ set(charrnn.__all__)
    parts = [INTRODUCTION]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name, getattr(charrnn, name)) for name in names]
    return "\n".join(parts)


def _entry(name: str, thing: Any) -> str:
    """Return the section of a name: its signature and docstring, and a class's members."""
    if not inspect.isclass(thing):
        return f"### {name}\n\n{_call(name, thing)}\n\n{_text(thing)}\n"
    if issubclass(thing, Exception):
        return f"**`{name}`**: {_text(thing)}\n"
    lines = [f"### {name}\n", _text(thing) + "\n"]
    fields = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    for field in fields:
        help = field.metadata.get("help", "")
        default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
        note = f": {help}" if help else ""
        lines.append(f"- `{field.name}: {field.type}{default}`{note}")
    if fields:
        lines.append("")
    for member, value in _members(thing):
        if isinstance(value, property):
            lines.append(f"`.{member}`: {_summary(value)}\n")
        else:
            lines.append(f"{_call('.' + member, value)}\n\n{_text(value)}\n")
    return "\n".join(lines)


def _members(cls: type) -> list[tuple[str, Any]]:
    """Return the public methods and properties that a class defines."""
    members = []
    for name, value in vars(cls).items():
        value = getattr(value, "__func__", value)
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            members.append((name, value))
    return members


def _call(name: str, function: Any) -> str:
    """Return a call with all parameters, as a code block."""
    signature = inspect.signature(function)
    words, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words, starred = [*words, "*"], True
        stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        word = f"{stars}{parameter.name}: {parameter.annotation}"
        if parameter.default is not parameter.empty:
            word += f" = {parameter.default!r}"
        words.append(word)
    returns = f" -> {signature.return_annotation}"
    call = f"{name}({', '.join(words)}){returns}"
    if len(call) > 96:
        lines = "".join(f"    {word},\n" for word in words)
        call = f"{name}(\n{lines}){returns}"
    return f"```python\n{call}\n```"


def _text(thing: Any) -> str:
    """Return a docstring as Markdown, its examples as code."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r"(?ms)^(>>> .*?)(?=\n\n|\Z)", r"```pycon\n\1\n```", text)


def _summary(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# ---- commands ------------------------------------------------------------------------------------


def cli_page() -> str:
    """Return the page of all commands and their options."""
    commands = {name: resolve(command) for name, command in COMMANDS.items()}
    listed = "\n".join(
        f"| [`charrnn {name}`](#charrnn-{name}) | {command.get_short_help_str(99)} |"
        for name, command in commands.items()
    )
    parts = [CLI_INTRODUCTION, _help(cli), f"| command | |\n|---|---|\n{listed}\n"]
    parts += [_command(name, command) for name, command in commands.items()]
    return "\n".join(parts) + CLI_CONCLUSION


def _command(name: str, command: Any) -> str:
    """Return the section of a command: synopsis, description, examples and options."""
    context = click.Context(
        command, info_name=f"charrnn {name}", help_option_names=["-h", "--help"]
    )
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"## charrnn {name}\n\n```\n{usage}\n```\n", _help(command)]
    for heading, options in command.sections(context).items():
        rows = "\n".join(_row(option, context) for option in options if "--help" not in option.opts)
        if rows:
            parts.append(f"**{heading}**\n\n| option | |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(option: click.Option, context: click.Context) -> str:
    """Return the row of an option, with its default."""
    names, help = option.get_help_record(context) or ("", "")
    help = re.sub(r" +\[default: \((.+)\)\]$", r" Default: \1.", help)
    help = re.sub(r" +\[default: (.+)\]$", r" Default: `\1`.", help)
    cells = f"`{names}`".replace(", ", "`, `"), _markdown(help)
    return "| {} | {} |".format(*(cell.replace("|", "\\|") for cell in cells))


def _help(command: click.Command) -> str:
    """Return the description of a command, its examples as a code block."""
    parts = []
    for paragraph in (inspect.cleandoc(command.help or "")).split("\n\n"):
        if paragraph.startswith("\b\nExamples:\n"):
            lines = [line.strip() for line in paragraph.splitlines()[2:]]
            parts.append("```sh\n" + "\n".join(lines) + "\n```\n")
        else:
            parts.append(_markdown(" ".join(paragraph.split())) + "\n")
    return "\n".join(parts)


def _markdown(text: str) -> str:
    """Return a help text with its options and file suffixes as code."""
    return re.sub(r"(?<![\w`-])(--?[a-z][\w-]*|\.[a-z]{3,4})\b(?!`)", r"`\1`", text)


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(cli_page(), "utf-8")
    (DOCS / "python.md").write_text(python_page(), "utf-8")
