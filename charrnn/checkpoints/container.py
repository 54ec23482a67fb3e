"""The format of model and resume files: safetensors with one JSON object, verified when read.

The only metadata entry, `charrnn`, is canonical JSON that includes a SHA-256 digest of everything
else in the file. Names, shapes and types are checked against the file before memory is allocated.
"""

from __future__ import annotations

import hashlib
import json
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from charrnn import __version__
from charrnn.checkpoints.atomic import described, write_atomically
from charrnn.checkpoints.migrate import FORMAT, migrated, migrated_shape, migrated_tensor
from charrnn.errors import (
    CharRNNError,
    CheckpointError,
    ConfigError,
    UnknownFieldError,
    reason,
)
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array, Shapes
from charrnn.settings import from_dict, require_known
from charrnn.text.tokenizer import Tokenizer

# Reading a file takes at most twice its size plus this many bytes of memory (SECURITY.md).
SPARE = 64 << 20
# Upper bounds, in bytes, of what Python allocates for a JSON object, a list and each value.
OBJECT, LIST, VALUE = 240, 64, 40

# The entries of the JSON object, by kind of file.
ENTRIES = {
    "model": {"config", "vocabulary", "training", "history"},
    "resume": {
        *("config", "vocabulary", "training", "limits", "selection", "reading", "corpus", "valid"),
        *("counters", "history", "fingerprint", "good"),
    },
}
COMMON = {"format", "kind", "version", "digest"}


def write(
    path: str | Path, kind: str, tensors: Mapping[str, Array], document: Mapping[str, Any]
) -> str:
    """Write `tensors` and `document` atomically as a file of this kind; return its digest."""
    # safetensors silently writes other layouts wrong.
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    content = {"format": FORMAT, "kind": kind, "version": __version__, **document}
    content["digest"] = digest(contiguous, content)
    data = save(contiguous, {"charrnn": canonical_json(content)})
    write_atomically(Path(path), data)
    return str(content["digest"])


def digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the names, shapes, types and bytes of `tensors`, and of `document`."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        _add_tensor(sha, name, tensors[name])
    return _with_document(sha, document)


def _add_tensor(sha: Any, name: str, values: Array) -> None:
    sha.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
    sha.update(values.data)


def _with_document(sha: Any, document: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "digest"}
    sha.update(canonical_json(rest).encode())
    return str(sha.hexdigest())


def canonical_json(content: Mapping[str, Any]) -> str:
    """Return `content` as canonical JSON: equal contents give equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def open_tensors(path: str | Path, what: str, remedy: str = "") -> tuple[Any, int]:
    """Open a safetensors file, a context manager; return it and its size in bytes.

    Raises CheckpointError if there is no `what` at `path`; the `remedy` is added for a file of
    another kind.
    """
    if not str(path):
        raise CheckpointError(f"the path of the {what} is empty")
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise CheckpointError(f"cannot read {path}: {why}") from None
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is {described(path)}, not a {what}")
    try:
        return cast(Any, safe_open(path, framework="np")), status.st_size
    except Exception as error:  # safetensors raises half a dozen types
        hint = f"; {remedy}" if remedy else ""
        why = str(error).removeprefix("Error while deserializing header: ")
        if "not fully covered" in why:
            why = "it is truncated or incomplete"
        raise CheckpointError(f"{path} is not a {what}, or is damaged: {why}{hint}") from None


class Reader:
    """A file being read; names, shapes and types are checked before memory is allocated.

    `document` is the file's JSON object, migrated to the current format.
    """

    def __init__(self, path: str | Path, kind: str) -> None:
        self.path = path
        self.kind = kind

    def __enter__(self) -> Reader:
        self._file, size = open_tensors(self.path, f"{self.kind} file")
        metadata = self._file.metadata() or {}
        self.names = sorted(self._file.keys())
        try:
            self._take_up(metadata, size)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__(None, None, None)

    def _take_up(self, metadata: Mapping[str, str], size: int) -> None:
        if "charrnn" not in metadata:
            raise CheckpointError(f"{self.path} was not written by charrnn")
        text = metadata["charrnn"]
        needed = OBJECT * text.count("{") + LIST * text.count("[") + VALUE * text.count(",")
        if needed > 2 * size + SPARE:
            raise CheckpointError(
                f"{self.path} is damaged: its metadata would take {needed / 1e6:,.0f} MB of memory"
            )
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self.damaged("its metadata cannot be parsed")
        format = document.get("format")
        if type(format) is not int or format < 1:
            raise self.damaged("the format number is missing")
        self._written: dict[str, Any] = document
        self._format = format
        if format > FORMAT:
            raise self._newer()
        if document.get("kind") != self.kind:
            kinds = ("resume", "model") if self.kind == "model" else ("model", "resume")
            raise CheckpointError(f"{self.path} is a {kinds[0]} file, not a {kinds[1]} file")
        self.document: dict[str, Any] = migrated(document, format)
        try:
            require_known(self.document, ENTRIES[self.kind] | COMMON, "the metadata")
        except UnknownFieldError as error:
            raise self.refused(error) from None

    def damaged(self, what: str) -> CheckpointError:
        """Return the error for a damaged file."""
        return CheckpointError(f"{self.path} is damaged: {what}")

    def refused(self, error: ConfigError) -> CheckpointError:
        """Return the error for invalid metadata: an intact file with unknown fields comes from a
        newer version; anything else is damage.
        """
        if isinstance(error, UnknownFieldError) and self._is_sound():
            return self._newer()
        return self.damaged(str(error))

    def _newer(self) -> CheckpointError:
        version = self._written.get("version")
        version = version[:20] if isinstance(version, str) else "unknown version"
        return CheckpointError(
            f"{self.path} was written by a newer charrnn ({version}): upgrade to open it"
        )

    def _is_sound(self) -> bool:
        """Return whether the file's digest matches its content."""
        sha = hashlib.sha256()
        for name in self.names:
            _add_tensor(sha, name, self._file.get_tensor(name))
        return self._is_digest(sha)

    def _is_digest(self, sha: Any) -> bool:
        try:
            return _with_document(sha, self._written) == self._written.get("digest")
        except (ValueError, RecursionError):
            return False

    def config_and_tokenizer(self) -> tuple[ModelConfig, Tokenizer]:
        """Return the model's configuration and alphabet."""
        alphabet = self.document.get("vocabulary")
        if not isinstance(alphabet, str) or len(alphabet) > sys.maxunicode:
            raise self.damaged("the vocabulary is missing")
        try:
            return from_dict(ModelConfig, self.document.get("config")), Tokenizer(alphabet)
        except ConfigError as error:
            raise self.refused(error) from None
        except CharRNNError as error:
            raise self.damaged(str(error)) from None

    def tensors(self, shapes: Shapes) -> Iterator[tuple[str, Array]]:
        """Yield the file's float32 tensors, which must have exactly these names and shapes.

        Raises CheckpointError for other names, shapes or types, before reading any tensor; for
        values that are not finite; and, after the last tensor, for a wrong digest.
        """
        if (names := sorted(shapes)) != self.names:
            odd = sorted(set(names) ^ set(self.names))
            raise self.damaged(f"missing or unknown tensors: {', '.join(odd)[:200]}")
        for name in names:
            part = self._file.get_slice(name)
            shape = migrated_shape(name, tuple(part.get_shape()), self._format)
            if shape != shapes[name] or part.get_dtype() != "F32":
                raise self.damaged(
                    f"{name} is {part.get_dtype()} {list(shape)}, expected F32 {list(shapes[name])}"
                )
        sha = hashlib.sha256()
        for name in names:
            values: Array = self._file.get_tensor(name)
            if not np.isfinite(values).all():
                raise self.damaged(f"{name} has values that are not finite")
            _add_tensor(sha, name, values)
            yield name, migrated_tensor(name, values, self._format)
        if not self._is_digest(sha):
            raise self.damaged("the content does not match the digest")
