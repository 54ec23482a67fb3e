"""Settings that live beside what they configure: frozen dataclasses whose fields bear a help text.

The command line is built from these fields, and a model file's settings are checked against them,
so a new setting is one line in its dataclass.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from charrnn.errors import ConfigError, require

T = TypeVar("T")


def setting(default: Any, help: str, choices: Collection[str] = ()) -> Any:
    """Declare a dataclass field with its default, help text and, for names, the choices."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def require_range(
    config: Any, name: str, low: float, high: float = 10**12, open_end: bool = False
) -> None:
    """Raise ConfigError unless the field `name` is None or a number from low to high."""
    value = getattr(config, name)
    if value is None:
        return
    inside = low <= value <= high and not (open_end and value == high)
    limits = f"at least {low} and below {high}" if open_end else f"{low} to {high:,}"
    require(inside, f"{name} is {str(value)[:20]}: it must be {limits}")


def check_fields(config: Any) -> None:
    """Raise ConfigError unless every field is of its type and, if it has choices, one of them.

    A whole number given for a float becomes one, so that equal settings make equal files.
    """
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = getattr(hints[field.name], "__name__", str(hints[field.name]))
        require(_fits(value, hints[field.name]), f"{field.name} is {value!r}: it must be {kind}")
        if type(value) is int and kind.startswith("float") and abs(value) < 2**53:
            object.__setattr__(config, field.name, float(value))
        choices = field.metadata.get("choices")
        if choices:
            value = getattr(config, field.name)
            require(
                value in choices,
                f"{field.name} is {value!r}: choose one of {', '.join(choices)}",
            )


def from_dict(cls: type[T], values: object) -> T:
    """Make the dataclass `cls`, which checks its fields, from a JSON object; raises ConfigError
    unless that has exactly the fields of `cls`.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{cls.__name__} is not an object")
    if values.keys() != (names := _hints(cls).keys()):
        odd = sorted(str(name) for name in values.keys() ^ names)
        raise ConfigError(f"{cls.__name__} has missing or unknown fields: {', '.join(odd)[:200]}")
    return cls(**values)


_hints: Callable[[type], dict[str, Any]] = cache(get_type_hints)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
