"""Model and resume files: safetensors with one JSON object, checked in full when read.

A file's tensors are named and shaped as the model's configuration says; its one metadata entry,
`charrnn`, is canonical JSON, with a SHA-256 over all the rest. Writing is atomic: what is on disk
is the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from charrnn.checkpoints.lock import SUFFIX, locked
from charrnn.errors import CharRNNError, CheckpointError, ConfigError, CorpusError
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.parameters import Array, Parameters
from charrnn.settings import from_dict
from charrnn.text.batches import Encoded
from charrnn.text.corpus import Corpus
from charrnn.text.documents import DOCUMENTS, Reading, recorded_reading
from charrnn.text.split import split
from charrnn.text.tokenizer import Tokenizer

FORMAT = 1


@dataclass
class Checkpoint:
    """A model as its file holds it: all that sampling, evaluating and training on need."""

    config: ModelConfig
    tokenizer: Tokenizer
    parameters: Parameters
    training: dict[str, Any] = field(default_factory=dict)  # how it was trained
    history: list[dict[str, Any]] = field(default_factory=list)  # its evaluations while training

    @property
    def reading(self) -> Reading:
        """How it reads files: as it did in training."""
        return recorded_reading(self.training)

    def model(self) -> CharRNN:
        """Return the network, for use without training; it shares the parameters."""
        return CharRNN(self.config, len(self.tokenizer), parameters=self.parameters, training=False)

    def save(self, path: str | Path) -> str:
        """Write the model file and return its digest; raises CheckpointError if that fails."""
        return write(path, "model", self.parameters, self._document())

    def describe(self) -> dict[str, Any]:
        """Return what the model is and how it was trained, all of it fit for JSON."""
        return {"parameters": self.parameters.flat.size, **self._document()}

    def _document(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "vocabulary": self.tokenizer.alphabet,
            "training": self.training,
            "history": self.history,
        }


def load(path: str | Path) -> Checkpoint:
    """Read a model file; raises CheckpointError, in one line, for whatever is not one."""
    with Reader(path, "model") as reader:
        config, tokenizer = reader.config_and_tokenizer()
        parameters = Parameters(reader.expect(config.shapes(len(tokenizer)), np.float32))
        for name, values in parameters.items():
            values[...] = reader.tensor(name)
        document = reader.document
        training, history = document.get("training"), document.get("history")
        if not (_is_record(training) and is_history(history)):
            raise reader.damaged("the record of its training is none")
        try:
            recorded_reading(training)
        except ConfigError as error:
            raise reader.damaged(str(error)) from None
        reader.verify(parameters)
    return Checkpoint(config, tokenizer, parameters, training, history)


def part_of(
    model: Checkpoint, corpus: Corpus, part: str = "all", unknown: str = "error"
) -> Encoded:
    """Return the "train" or "valid" part of `corpus` as the training of `model` divided it, or
    "all" of it, encoded.
    """
    documents = str(model.training.get("documents", "whole"))
    fraction = float(model.training.get("valid_fraction", 0.1)) if part != "all" else 0.0
    if part == "valid" and fraction == 0:
        raise CorpusError(
            "the model's training held out no part of its corpus: evaluate another text, with "
            "--split all"
        )
    train, valid = split(corpus, documents, fraction)
    return (valid if part == "valid" else train).encode(model.tokenizer, unknown)


def _is_record(training: Any) -> bool:
    return (
        isinstance(training, dict)
        and training.get("documents", "whole") in list(DOCUMENTS)
        and _is_number(training.get("valid_fraction", 0.0))
    )


def is_history(history: Any) -> bool:
    """Return whether this is a list of evaluations while training, as a file should have it."""
    return isinstance(history, list) and all(
        isinstance(entry, dict)
        and all(_is_number(entry.get(key)) for key in ("step", "train", "valid"))
        for entry in history
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 10**18  # no JSON integer has a limit


def resume_path(path: str | Path) -> Path:
    """Return where the resume file of the model at `path` lies.

    >>> resume_path("novel.safetensors").name
    'novel.resume.safetensors'
    """
    path = Path(path)
    return path.with_name(path.name.removesuffix(SUFFIX) + ".resume" + SUFFIX)


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


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, or leave it as it is and raise CheckpointError.

    The data are on the disk before they get the file's name, and the name is before we return.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    temporary = temporary_path(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from None


def temporary_path(path: Path) -> Path:
    """Return where the new content of `path` is gathered."""
    return path.with_name(f".{path.name}.tmp")


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can do that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise CheckpointError if a new run that writes `path` would lose a file: the model, or the
    resume file beside it, unless `overwrite`; and in any case what charrnn did not write.
    """
    if path.name.endswith(".resume" + SUFFIX) or str(path) == "-":
        raise CheckpointError(f"{path} cannot be a model's name: give another one with --out")
    for file, kind in ((path, "model"), (resume_path(path), "resume")):
        if not os.path.isfile(file):  # noqa: PTH113 (Path's raises for some names)
            continue
        if not overwrite:
            raise CheckpointError(
                f"{file} exists: go on with its run by --resume, start another from its weights "
                "with --init-from and a new --out, or replace it with --overwrite"
            )
        with Reader(file, kind):
            pass


def check_writable(path: str | Path) -> None:
    """Raise CheckpointError if a model and its resume file could not be written to `path`, or if
    another run is writing them; sweep what an interrupted write left there.
    """
    files = Path(path), resume_path(path)
    targets = [Path(os.path.realpath(file)) for file in files]
    try:
        for file, target in zip(files, targets, strict=True):
            if target.exists() and not target.is_file():
                what = "a folder" if target.is_dir() else "no file"
                raise CheckpointError(f"{file} is {what}: give the model file's name with --out")
            if not target.parent.is_dir():
                raise CheckpointError(f"the folder {target.parent} does not exist: make it first")
        with locked(path):  # what another run is writing is not ours to sweep
            for target in targets:
                temporary = temporary_path(target)
                temporary.unlink(missing_ok=True)
                temporary.touch(exist_ok=False)
                temporary.unlink()
    except OSError as error:
        raise CheckpointError(
            f"{target.parent} cannot be written to: {error.strerror}; give another place with --out"
        ) from None


def check_space(path: Path, model: int, resume: int) -> None:
    """Raise CheckpointError if there is no room to keep a model and a resume file of so many bytes,
    and to write the latter anew beside the old one.
    """
    files = [file for file in (path, resume_path(path)) if file.is_file()]
    needed = model + 2 * resume - sum(file.stat().st_size for file in files)
    folder = Path(os.path.realpath(path)).parent
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < needed:  # some network shares know neither
        raise CheckpointError(
            f"the disk of {folder} has {disk.free / 1e6:,.1f} MB free and the run's files need "
            f"{needed / 1e6:,.1f} MB more: make room, or give another place with --out"
        )


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
