"""Registry entries that are imported on use.

A registry is a dict. An entry is either the thing itself or its address, "package.module:name", so
that listing something costs nothing until somebody asks for it, and deleting an entry removes the
feature.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve(entry: Any) -> Any:
    """Return what `entry` stands for: an address is imported, anything else is returned as it is.

    >>> resolve("math:tau") == resolve(2 * resolve("math:pi"))
    True
    """
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)
