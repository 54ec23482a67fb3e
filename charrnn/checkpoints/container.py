"""The container of model and resume files: safetensors with one JSON object, checked when read.

The one metadata entry, `charrnn`, is canonical JSON with a SHA-256 over everything else in the
file. Nothing is allocated before names, shapes and types have been checked against the file.
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
from charrnn.checkpoints.atomic import write_atomically
from charrnn.checkpoints.migrate import FORMAT, migrated, migrated_shape, migrated_tensor
from charrnn.errors import CharRNNError, CheckpointError, ConfigError, UnknownFieldError
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array, Shapes
from charrnn.settings import from_dict, require_known
from charrnn.text.tokenizer import Tokenizer

# A file must not take more memory than twice its size and this (SECURITY.md).
SPARE = 64 << 20
# Bytes that Python takes at most for an object, a list, and each value of JSON.
OBJECT, LIST, VALUE = 240, 64, 40

# What may stand in a description, by the kind of file.
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
    """Write `tensors` and `document` atomically as a file of this kind, and return its digest."""
    # safetensors writes other layouts wrongly, without a word.
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    content = {"format": FORMAT, "kind": kind, "version": __version__, **document}
    content["digest"] = digest(contiguous, content)
    data = save(contiguous, {"charrnn": canonical_json(content)})
    write_atomically(Path(path), data)
    return str(content["digest"])


def digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    """Return a SHA-256 over names, shapes, types and bytes of `tensors`, and over `document`."""
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
    """Return the one way to write `content` as JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def open_tensors(path: str | Path, what: str, remedy: str) -> tuple[Any, int]:
    """Open a safetensors file, which is a context manager; return it and its size in bytes.

    Raises CheckpointError, which asks for `what`, for a path that is not a file, and with the
    `remedy` for another kind of file.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: give a {what}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path} cannot be read: {reason}") from None
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a file: give a {what}")
    try:
        return cast(Any, safe_open(path, framework="np")), status.st_size
    except Exception as error:  # half a dozen types, by what is wrong with the file
        raise CheckpointError(
            f"{path} is no {what}, or a damaged one ({error}): {remedy}"
        ) from None


class Reader:
    """A file being read: nothing is allocated before names, shapes and types have been checked.

    `document` is its description as the current format has it.
    """

    def __init__(self, path: str | Path, kind: str) -> None:
        self.path = path
        self.kind = kind

    def __enter__(self) -> Reader:
        self._file, size = open_tensors(
            self.path, f"{self.kind} file", "give a file that charrnn train wrote"
        )
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
            raise CheckpointError(f"{self.path} was not written by charrnn: give a charrnn model")
        text = metadata["charrnn"]
        needed = OBJECT * text.count("{") + LIST * text.count("[") + VALUE * text.count(",")
        if needed > 2 * size + SPARE:
            raise CheckpointError(
                f"{self.path} has a description that would take {needed / 1e6:,.0f} MB of memory: "
                "use another copy of it"
            )
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self.damaged("its description cannot be read")
        format = document.get("format")
        if type(format) is not int or format < 1:
            raise self.damaged("it has no format number")
        self._written: dict[str, Any] = document
        self._format = format
        if format > FORMAT:
            raise self._newer()
        if document.get("kind") != self.kind:
            other = "a resume file; give the model beside it" if self.kind == "model" else "a model"
            raise CheckpointError(f"{self.path} is {other}")
        self.document: dict[str, Any] = migrated(document, format)
        try:
            require_known(self.document, ENTRIES[self.kind] | COMMON, "the description")
        except UnknownFieldError as error:
            raise self.refused(error) from None

    def damaged(self, what: str) -> CheckpointError:
        """Return the error that says that the file is damaged."""
        return CheckpointError(f"{self.path} is damaged: {what}; use another copy of it")

    def refused(self, error: ConfigError) -> CheckpointError:
        """Return the error that says why a description is refused: a sound file with unknown fields
        comes from a newer version, all else is damage.
        """
        if isinstance(error, UnknownFieldError) and self._is_sound():
            return self._newer()
        return self.damaged(str(error))

    def _newer(self) -> CheckpointError:
        version = self._written.get("version")
        version = version[:20] if isinstance(version, str) else "unknown version"
        return CheckpointError(f"{self.path} was written by a newer charrnn ({version}): upgrade")

    def _is_sound(self) -> bool:
        """Return whether the file's digest is that of its content, whatever that is."""
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
            raise self.damaged("it has no vocabulary")
        try:
            return from_dict(ModelConfig, self.document.get("config")), Tokenizer(alphabet)
        except ConfigError as error:
            raise self.refused(error) from None
        except CharRNNError as error:
            raise self.damaged(str(error)) from None

    def tensors(self, shapes: Shapes) -> Iterator[tuple[str, Array]]:
        """Yield the float32 tensors of these shapes, which must be all that the file has.

        Raises CheckpointError before anything is read for other names, shapes or types; for numbers
        that are not finite; and, having yielded the last tensor, for a wrong digest.
        """
        if (names := sorted(shapes)) != self.names:
            odd = sorted(set(names) ^ set(self.names))
            raise self.damaged(f"missing or unknown tensors, {', '.join(odd)[:200]}")
        for name in names:
            part = self._file.get_slice(name)
            shape = migrated_shape(name, tuple(part.get_shape()), self._format)
            if shape != shapes[name] or part.get_dtype() != "F32":
                raise self.damaged(
                    f"{name} is {part.get_dtype()} {list(shape)} instead of F32 {shapes[name]}"
                )
        sha = hashlib.sha256()
        for name in names:
            values: Array = self._file.get_tensor(name)
            if not np.isfinite(values).all():
                raise self.damaged(f"{name} has numbers that are not finite")
            _add_tensor(sha, name, values)
            yield name, migrated_tensor(name, values, self._format)
        if not self._is_digest(sha):
            raise self.damaged("its content does not match its digest")
