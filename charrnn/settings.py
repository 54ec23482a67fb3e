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

from charrnn.errors import ConfigError, UnknownFieldError, require

T = TypeVar("T")


UNSET: Any = object()


def setting(default: Any, help: str, choices: Collection[str] = (), before: Any = UNSET) -> Any:
    """Declare a dataclass field with its default, help text and, for names, the choices.

    `before` is the value that reproduces the behaviour before the field existed, if that isn't the
    default: files from that time are read with it.
    """
    metadata = {"help": help, "choices": choices, "before": before}
    return dataclasses.field(default=default, metadata=metadata)


def require_range(
    config: Any, name: str, low: float, high: float = 10**12, open_end: bool = False
) -> None:
    """Raise ConfigError unless the field `name` is None or a number from low to high."""
    value = getattr(config, name)
    if value is None:
        return
    inside = low <= value <= high and not (open_end and value == high)
    limits = f"at least {low} and below {high}" if open_end else f"{low} to {high:,}"
    require(inside, f"`{name}` is {str(value)[:20]}: it must be {limits}")


def check_fields(config: Any) -> None:
    """Raise ConfigError unless every field is of its type and, if it has choices, one of them.

    A whole number given for a float becomes one, so that equal settings make equal files.
    """
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = getattr(hints[field.name], "__name__", str(hints[field.name]))
        require(_fits(value, hints[field.name]), f"`{field.name}` is {value!r}: it must be {kind}")
        if type(value) is int and kind.startswith("float") and abs(value) < 2**53:
            object.__setattr__(config, field.name, float(value))
        choices = field.metadata.get("choices")
        if choices:
            value = getattr(config, field.name)
            require(
                value in choices,
                f"`{field.name}` is {value!r}: choose one of {', '.join(choices)}",
            )


def from_dict(cls: type[T], values: object) -> T:
    """Make the dataclass `cls`, which checks its fields, from a JSON object.

    A field that is missing gets the value that reproduces the behaviour before it existed. Raises
    UnknownFieldError for a field that `cls` lacks, and ConfigError for anything but an object.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{cls.__name__} is not an object")
    require_known(values, _hints(cls), cls.__name__)
    before = {
        field.name: field.metadata["before"]
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.metadata.get("before", UNSET) is not UNSET
    }
    return cls(**{**before, **values})


def require_known(values: Mapping[str, Any], names: Collection[str], what: str) -> None:
    """Raise UnknownFieldError unless all keys of `values` are among the `names`."""
    unknown = sorted(str(name) for name in values.keys() - set(names))
    if unknown:
        raise UnknownFieldError(f"{what} has unknown fields: {', '.join(unknown)[:200]}")


_hints: Callable[[type], dict[str, Any]] = cache(get_type_hints)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
