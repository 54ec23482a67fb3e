"""Settings: frozen dataclasses, defined next to what they configure, with a help text per field.

The command-line options are built from these fields, and the settings in a model file are checked
against them, so a new setting is one line in its dataclass.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from charrnn.errors import ConfigError, UnknownFieldError, require, require_choice

T = TypeVar("T")


UNSET: Any = object()


def setting(default: Any, help: str, choices: Collection[str] = (), before: Any = UNSET) -> Any:
    """Declare a dataclass field with a default, a help text and, for names, the valid choices.

    `before` is the value that reproduces the behavior before the field existed, if it is not the
    default; older files are read with it.
    """
    metadata = {"help": help, "choices": choices, "before": before}
    return dataclasses.field(default=default, metadata=metadata)


def require_range(
    config: Any,
    name: str,
    low: float,
    high: float = 10**12,
    open_start: bool = False,
    open_end: bool = False,
) -> None:
    """Raise ConfigError unless the field `name` is None or a number from low to high; an open start
    or end is not included.
    """
    value = getattr(config, name)
    if value is None:
        return
    inside = low <= value <= high
    inside &= not (open_start and value == low) and not (open_end and value == high)
    limits = f"{'above' if open_start else 'at least'} {low}"
    if high < 10**12 or not value <= low:
        limits += f" and {'below' if open_end else 'at most'} {high:,}"
        if not open_start and not open_end:
            limits = f"between {low} and {high:,}"
    given = f"{value:g}" if isinstance(value, float) else value
    require(inside, f"`{name}` must be {limits}, got {str(given)[:20]}")


def check_fields(config: Any) -> None:
    """Raise ConfigError unless every field has its type and, if it has choices, is one of them.

    An integer for a float field is converted, so that equal settings make identical files.
    """
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = getattr(hints[field.name], "__name__", str(hints[field.name]))
        require(
            _fits(value, hints[field.name]),
            f"`{field.name}` must be {_described(hints[field.name])}, got {value!r:.60}",
        )
        if type(value) is int and kind.startswith("float") and abs(value) < 2**53:
            object.__setattr__(config, field.name, float(value))
        if choices := field.metadata.get("choices"):
            require_choice(field.name, getattr(config, field.name), choices)


def from_dict(cls: type[T], values: object) -> T:
    """Create the dataclass `cls`, which checks its fields, from a JSON object.

    A missing field takes the value that reproduces the behavior before it existed. Raises
    UnknownFieldError for a field that `cls` does not have, and ConfigError if `values` is not an
    object.
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
    """Raise UnknownFieldError unless all keys of `values` are in `names`."""
    unknown = sorted(str(name) for name in values.keys() - set(names))
    if unknown:
        raise UnknownFieldError(f"{what} has unknown fields: {', '.join(unknown)[:200]}")


_hints: Callable[[type], dict[str, Any]] = cache(get_type_hints)


_NAMES = {float: "a number", int: "an integer", bool: "true or false", str: "a string"}


def _described(hint: Any) -> str:
    """Return in words what a value of this type is."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not types.NoneType]
    return " or ".join(_NAMES.get(kind, str(kind)) for kind in kinds)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
