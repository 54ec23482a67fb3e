"""Registry entries that are imported on first use.

A registry is a dict. An entry is either an object or its address, "package.module:name".
Registering an address imports nothing, and deleting an entry removes the feature.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve(entry: Any) -> Any:
    """Return the object that `entry` refers to: import an address, return anything else as it is.

    >>> resolve("math:tau") == resolve(2 * resolve("math:pi"))
    True
    """
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)
