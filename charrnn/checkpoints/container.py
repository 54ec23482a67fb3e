"""The container of model and resume files: safetensors with one JSON object, checked when read.

The one metadata entry, `charrnn`, is canonical JSON with a SHA-256 over everything else in the
file. Nothing is allocated before names, shapes and types have been checked against the file.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from charrnn.checkpoints.atomic import write_atomically
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Array
from charrnn.settings import from_dict
from charrnn.text.tokenizer import Tokenizer

FORMAT = 1


def write(
    path: str | Path, kind: str, tensors: Mapping[str, Array], document: Mapping[str, Any]
) -> str:
    """Write `tensors` and `document` atomically as a file of this kind, and return its digest."""
    # safetensors writes other layouts wrongly, without a word.
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    content = {"format": FORMAT, "kind": kind, **document}
    content["digest"] = digest(contiguous, content)
    data = save(contiguous, {"charrnn": canonical_json(content)})
    write_atomically(Path(path), data)
    return str(content["digest"])


def digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    """Return a SHA-256 over names, shapes, types and bytes of `tensors`, and over `document`."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name]
        sha.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        sha.update(values.data)
    rest = {key: value for key, value in document.items() if key != "digest"}
    sha.update(canonical_json(rest).encode())
    return sha.hexdigest()


def canonical_json(content: Mapping[str, Any]) -> str:
    """Return the one way to write `content` as JSON."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Reader:
    """A file being read: nothing is allocated before names, shapes and types have been checked."""

    def __init__(self, path: str | Path, kind: str) -> None:
        self.path = path
        self.kind = kind

    def __enter__(self) -> Reader:
        try:
            status = Path(self.path).stat()
        except FileNotFoundError:
            raise CheckpointError(f"{self.path} does not exist: give a {self.kind} file") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CheckpointError(f"{self.path} cannot be read: {reason}") from None
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{self.path} is not a file: give a {self.kind} file")
        try:
            self._file = cast(Any, safe_open(self.path, framework="np"))
            metadata = self._file.metadata() or {}
            self.names = set(self._file.keys())
        except Exception as error:  # half a dozen types, by what is wrong with the file
            raise CheckpointError(
                f"{self.path} is no {self.kind} file, or a damaged one ({error}): give a file that "
                "charrnn train wrote"
            ) from None
        try:
            self._take_up(metadata)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__(None, None, None)

    def _take_up(self, metadata: Mapping[str, str]) -> None:
        if "charrnn" not in metadata:
            raise CheckpointError(f"{self.path} was not written by charrnn: give a charrnn model")
        try:
            document = json.loads(metadata["charrnn"])
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self.damaged("its description cannot be read")
        self.document: Any = document
        version = self.document.get("format")
        if type(version) is not int or version < 1:
            raise self.damaged("it has no format number")
        if version > FORMAT:
            raise CheckpointError(
                f"{self.path} has format {version}, this charrnn reads up to {FORMAT}: upgrade it"
            )
        if self.document.get("kind") != self.kind:
            other = "a resume file; give the model beside it" if self.kind == "model" else "a model"
            raise CheckpointError(f"{self.path} is {other}")

    def damaged(self, what: str) -> CheckpointError:
        """Return the error that says that the file is damaged."""
        return CheckpointError(f"{self.path} is damaged: {what}; use another copy of it")

    def config_and_tokenizer(self) -> tuple[ModelConfig, Tokenizer]:
        """Return the model's configuration and alphabet."""
        alphabet = self.document.get("vocabulary")
        if not isinstance(alphabet, str):
            raise self.damaged("it has no vocabulary")
        try:
            return from_dict(ModelConfig, self.document.get("config")), Tokenizer(alphabet)
        except CharRNNError as error:
            raise self.damaged(str(error)) from None

    def expect(
        self, shapes: dict[str, tuple[int, ...]], dtype: type[np.floating[Any]]
    ) -> dict[str, tuple[int, ...]]:
        """Return `shapes` if the file has just such tensors."""
        code = {np.float32: "F32", np.float64: "F64"}[dtype]
        if shapes.keys() != self.names:
            odd = sorted(shapes.keys() ^ self.names)
            raise self.damaged(f"missing or unknown tensors, {', '.join(odd)[:200]}")
        for name, shape in shapes.items():
            part = self._file.get_slice(name)
            if tuple(part.get_shape()) != shape or part.get_dtype() != code:
                raise self.damaged(
                    f"{name} is {part.get_dtype()} {part.get_shape()} instead of {code} {shape}"
                )
        return shapes

    def tensor(self, name: str) -> Array:
        """Return the tensor of this name; raises CheckpointError if it is not finite."""
        values: Array = self._file.get_tensor(name)
        if not np.isfinite(values).all():
            raise self.damaged(f"{name} has numbers that are not finite")
        return values

    def verify(self, tensors: Mapping[str, Array]) -> None:
        """Raise CheckpointError unless the file's digest is that of its content."""
        try:
            genuine = digest(tensors, self.document) == self.document.get("digest")
        except ValueError:
            genuine = False
        if not genuine:
            raise self.damaged("its content does not match its digest")
