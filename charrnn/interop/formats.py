"""Formats to export to, by suffix.

To add one, write a function from a model and a name to a `Content`, and list its Format in FORMATS.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from charrnn.errors import CharRNNError, ConfigError
from charrnn.registry import resolve

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Content:
    """The content of an exported file, and notices for the user."""

    data: bytes
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format to export to.

    `write(checkpoint, name, **options)` returns the content of the file; `name` is the file's, and
    `options` are the arguments of `charrnn.export` that apply, with the `encoding` of a `corpus`
    that is given as files. `extra` is the extra of charrnn that
    installs the module `needs`.
    """

    write: Callable[..., Content]
    options: Collection[str] = ()
    needs: str = ""
    extra: str = ""


FORMATS: dict[str, Format | str] = {
    ".html": "charrnn.interop.page:PAGE",
    ".onnx": "charrnn.interop.onnx:ONNX",
}


def format_of(path: str | Path) -> Format:
    """Return the format of a file to export, by its suffix.

    Raises ConfigError for an unknown suffix, and CharRNNError where the format's extra is missing.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(f"unknown format {suffix!r}; known formats: {', '.join(FORMATS)}")
    format: Format = resolve(FORMATS[suffix])
    if format.needs and not find_spec(format.needs):
        raise CharRNNError(
            f"{suffix} files need the package {format.needs}; "
            f"install it with: pip install 'charrnn[{format.extra}]'"
        )
    return format
