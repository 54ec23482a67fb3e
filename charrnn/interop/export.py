"""A model exported in one call: what `charrnn export` does, for Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from charrnn.checkpoints.atomic import require_new, require_writable, write_atomically
from charrnn.checkpoints.checkpoint import Checkpoint, require_checkpoint
from charrnn.errors import ConfigError
from charrnn.interop.formats import Format, Paths, format_of
from charrnn.text.corpus import Corpus

MEMORIZED = (
    "a model may have memorized parts of its training text; check what it generates before you "
    "share the model"
)


@dataclass(frozen=True)
class Exported:
    """An exported file."""

    path: Path
    size: int  # bytes
    notices: tuple[str, ...]  # for the user


def export(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    overwrite: bool = False,
    weights: str | None = None,
    corpus: Corpus | Paths | None = None,
    encoding: str = "utf-8",
) -> Exported:
    """Write a model in the format of the suffix of `path`: `.html`, a web page, or `.onnx`.

    `weights` is how a page stores them: "f32", "f16" (the default) or "i8". With a `corpus`, or
    files in an `encoding`, the loss that this costs is measured and shown in the page. An existing
    file is replaced only with `overwrite`.

    Raises ConfigError for an unknown suffix and for an option that does not apply to the format,
    CharRNNError where the format needs an extra that is not installed or would be too large, and
    CheckpointError for a file that exists or cannot be written: all before any work.
    """
    require_checkpoint(checkpoint)
    format = target_format(path, overwrite)
    given = {"weights": weights, "corpus": corpus}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in format.options:
            raise ConfigError(f"`{name}` does not apply to {Path(path).suffix} files; omit it")
    if "corpus" in options:
        options["encoding"] = encoding
    content = format.write(checkpoint, Path(path).stem, **options)
    write_atomically(Path(path), content.data)
    return Exported(Path(path), len(content.data), (*content.notices, MEMORIZED))


def target_format(path: str | Path, overwrite: bool = False) -> Format:
    """Return the format of a file to export; raises what `export` raises for its path."""
    format = format_of(path)
    require_new(path, overwrite)
    require_writable(Path(path))
    return format
