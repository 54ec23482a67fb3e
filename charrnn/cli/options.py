"""Options made from registries and the fields of settings dataclasses, when a command needs them.

The modules that hold those import NumPy, which `charrnn --help` should not wait for.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args, get_type_hints

import click
from click.core import ParameterSource


class SettingsCommand(click.Command):
    """A command whose further options `settings` gives when they are needed."""

    def __init__(
        self, *args: Any, settings: Callable[[], list[click.Parameter]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._settings: Callable[[], list[click.Parameter]] | None = settings

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return all parameters, the settings included."""
        if self._settings is not None:
            self.params += self._settings()
            self._settings = None
        return super().get_params(ctx)


def options_of(settings: type, chosen: Collection[str] = ()) -> list[click.Parameter]:
    """Return an option for each field of a settings dataclass; those `chosen` have no default, as
    that depends on the corpus.
    """
    hints = get_type_hints(settings)
    options: list[click.Parameter] = []
    for field in dataclasses.fields(settings):
        hint = hints[field.name]
        kind = get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
        choices = field.metadata["choices"]
        options.append(
            click.Option(
                ["--" + field.name.replace("_", "-")],
                type=click.Choice(list(choices)) if choices else kind,
                is_flag=kind is bool,
                default=None if field.name in chosen else field.default,
                help=field.metadata["help"],
                show_default="chosen"
                if field.name in chosen
                else field.default is not None and field.default is not False,
            )
        )
    return options


def stated(ctx: click.Context, settings: type) -> dict[str, Any]:
    """Return those fields of `settings` that the person gave, by name."""
    return {
        field.name: ctx.params[field.name]
        for field in dataclasses.fields(settings)
        if ctx.get_parameter_source(field.name) is not ParameterSource.DEFAULT
    }


def filter_options() -> list[click.Parameter]:
    """Return an option for each of the filters."""
    from charrnn.inference.filters import FILTERS

    return [
        click.Option(["--" + name.replace("_", "-")], type=filter.kind, help=filter.help)
        for name, filter in FILTERS.items()
    ]


def given(filters: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the filters whose options were given."""
    return {name: value for name, value in filters.items() if value is not None}


ENCODING = click.option(
    "--encoding", default="utf-8", show_default=True, help="Encoding of the text files."
)
UNKNOWN = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with characters that the model has never seen.",
)
EXISTING_MODEL = click.argument("model", type=click.Path())
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
