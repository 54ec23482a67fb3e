"""Options made from registries and from the fields of settings dataclasses.

They are made when a command needs them: the modules that define them import NumPy, and
`charrnn --help` should not wait for it.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
from click.core import ParameterSource

from charrnn.cli.terminal import quoted
from charrnn.errors import ConfigError, counted
from charrnn.text.fold import UNKNOWN_CHOICES

METAVARS: dict[type, str] = {int: "N", float: "X"}
OTHERS = "Options"  # heading of the options that belong to no group
NAME_WIDTH = 26  # columns; longer option names push their help to the next line

Groups = Mapping[str, list[click.Option]]


class Command(click.Command):
    """A command whose help lists its options by group.

    `groups` maps headings to names of options, in the order of the help. `settings` returns further
    options by heading, which follow those of `groups`. Options without a group come last.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Sequence[str]] | None = None,
        settings: Callable[[], Groups] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._groups = {heading: list(names) for heading, names in (groups or {}).items()}
        self._settings = settings

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return all parameters, including the settings."""
        if self._settings is not None:
            for heading, options in self._settings().items():
                self.params += options
                named = {name for names in self._groups.values() for name in names}
                names = [str(option.name) for option in options if option.name not in named]
                self._groups.setdefault(heading, []).extend(names)
            self._settings = None
        return super().get_params(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; raises ConfigError where a shell has expanded a pattern."""
        for option in self.get_params(ctx):
            if option.multiple:
                self._require_one_value(ctx, option, args)
        return super().parse_args(ctx, args)

    def _require_one_value(
        self, ctx: click.Context, option: click.Parameter, args: list[str]
    ) -> None:
        """Refuse `NEW.abc --against A.abc B.abc`: the user meant B.abc as a value of --against.

        All arguments may follow the option, as in `--against A.abc NEW.abc`.
        """
        values, rest, _ = self.make_parser(ctx).parse_args(list(args))
        for each in self.params:
            if isinstance(each, click.Argument):
                value = values[str(each.name)]
                rest += value if isinstance(value, tuple) else [value]  # missing: no word of args
        ends = [n + 2 for n, word in enumerate(args) if word in option.opts]
        following = sum(len(list(takewhile(_is_word, args[end:]))) for end in ends)
        if 0 < following < len(rest):
            name, path = option.opts[0], Path(args[ends[-1] - 1])
            raise ConfigError(
                f"{name} takes one path, but {counted(following, 'more file')} "
                f"follow{'s' if following == 1 else ''} {quoted(str(path))}; name the "
                f"folder ({name} {quoted(str(path.parent))}) or quote the pattern "
                f"({name} '{path.parent / '*'}{path.suffix}')"
            )

    def sections(self, ctx: click.Context) -> dict[str, list[click.Option]]:
        """Return the options by heading, in the order of the help."""
        options = {str(option.name): option for option in self.get_params(ctx)}
        sections = {
            heading: [options.pop(name) for name in names]
            for heading, names in self._groups.items()
        }
        sections[OTHERS] = list(options.values())
        return {
            heading: [option for option in section if isinstance(option, click.Option)]
            for heading, section in sections.items()
        }

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group, their descriptions in one column."""
        records = {
            heading: [record for each in options if (record := each.get_help_record(ctx))]
            for heading, options in self.sections(ctx).items()
        }
        names = [name for rows in records.values() for name, _ in rows]
        width = max(len(name) for name in names if len(name) <= NAME_WIDTH)
        for heading, rows in records.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), help) for name, help in rows], width)


def _is_word(argument: str) -> bool:
    return argument == "-" or not argument.startswith("-")


def options_of(settings: type, chosen: Collection[str] = ()) -> list[click.Option]:
    """Return an option for each field of a settings dataclass.

    Those `chosen` have no default: it depends on the corpus.
    """
    hints = get_type_hints(settings)
    options = []
    for field in dataclasses.fields(settings):
        hint = hints[field.name]
        kind = get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
        choices = field.metadata["choices"]
        options.append(
            click.Option(
                ["--" + field.name.replace("_", "-")],
                type=click.Choice(list(choices)) if choices else kind,
                metavar=METAVARS.get(kind),
                is_flag=kind is bool,
                default=None if field.name in chosen else field.default,
                help=field.metadata["help"],
                show_default="automatic"
                if field.name in chosen
                else field.default is not None and field.default is not False,
            )
        )
    return options


def stated(ctx: click.Context, settings: type) -> dict[str, Any]:
    """Return the fields of `settings` that the user gave, by name."""
    return {
        field.name: ctx.params[field.name]
        for field in dataclasses.fields(settings)
        if ctx.get_parameter_source(field.name) is not ParameterSource.DEFAULT
    }


def filter_options() -> Groups:
    """Return an option for each of the filters."""
    from charrnn.inference.filters import FILTERS

    return {
        "Sampling": [
            click.Option(
                ["--" + name.replace("_", "-")],
                type=filter.kind,
                metavar=METAVARS[filter.kind],
                help=filter.help,
            )
            for name, filter in FILTERS.items()
        ]
    }


def numbers(ctx: click.Context, param: click.Parameter, value: str) -> list[float]:
    """Return the numbers in an option's value, which are separated by commas."""
    return [click.FLOAT(part, param, ctx) for part in value.split(",")]


def given(filters: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the filters whose options were given."""
    return {name: value for name, value in filters.items() if value is not None}


def unknown_option(help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --unknown with this help text."""
    return click.option(
        "--unknown",
        type=click.Choice(UNKNOWN_CHOICES),
        default="error",
        show_default=True,
        help=help,
    )


ENCODING = click.option(
    "--encoding",
    metavar="NAME",
    default="utf-8",
    show_default=True,
    help="Decode text files with this encoding.",
)
UNKNOWN = unknown_option(
    "Stop at characters missing from the model's alphabet (error), skip them (skip), or replace "
    "them with similar ones, such as straight quotes and unaccented letters (fold)."
)
EXISTING_MODEL = click.argument("model", type=click.Path())
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
