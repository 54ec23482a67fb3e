"""The files that a run writes: the model file and the resume file next to it.

Everything that could prevent a run from saving is checked before it starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charrnn.checkpoints.atomic import require_writable
from charrnn.checkpoints.container import Reader
from charrnn.checkpoints.lock import SUFFIX, locked
from charrnn.errors import CheckpointError


def resume_path(path: str | Path) -> Path:
    """Return the path of the resume file for the model at `path`.

    >>> resume_path("novel.safetensors").name
    'novel.resume.safetensors'
    """
    path = Path(path)
    return path.with_name(path.name.removesuffix(SUFFIX) + ".resume" + SUFFIX)


class Output:
    """The files of a run that writes the model at `path`.

    Raises CheckpointError if they cannot be written, or if another run is writing them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        _check_name(self.path)
        _check_writable(self.path)
        self.digest = description(self.path).get("digest")  # of the existing model

    @classmethod
    def new(cls, path: str | Path, overwrite: bool = False) -> Output:
        """Return the files of a new run.

        Also raises CheckpointError if it would replace a model or resume file without `overwrite`,
        or a file that charrnn did not write in any case.
        """
        output = cls(path)
        _check_free(output.path, overwrite)
        return output

    @classmethod
    def of_run(cls, path: str | Path) -> Output:
        """Return the files of a run to resume; also raises CheckpointError if there is none."""
        _check_name(Path(path))
        if not os.path.exists(resume_path(path)):  # noqa: PTH110 (Path.exists raises for some names)
            if not os.path.exists(path):  # noqa: PTH110 (as above)
                raise CheckpointError(f"{path} does not exist; omit `resume` to start a new run")
            raise CheckpointError(
                f"{resume_path(path)} does not exist, so the run of {path} cannot be resumed; use "
                "`init_from` and another `out` to start a new run from its weights"
            )
        return cls(path)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the lock on these files; raises CheckpointError if another run holds it, or has
        written the model since this object was created.
        """
        with locked(self.path):
            if description(self.path).get("digest") not in (self.digest, None):
                raise CheckpointError(
                    f"another run has written {self.path} in the meantime; continue that run with "
                    "`resume`, or choose another `out`"
                )
            yield

    def save(self, write: Callable[[Path], str]) -> str:
        """Call `write` with the model's path; return the digest that it returns."""
        try:
            self.digest = write(self.path)
        except BaseException:  # the new file may be in place anyway
            self.digest = description(self.path).get("digest")
            raise
        return str(self.digest)

    def check_space(self, model: int, resume: int) -> None:
        """Raise CheckpointError unless the disk has room for a model and a resume file of these
        sizes in bytes, and for a second copy of the latter while it is being replaced.
        """
        files = [file for file in (self.path, resume_path(self.path)) if file.is_file()]
        needed = model + 2 * resume - sum(file.stat().st_size for file in files)
        folder = Path(os.path.realpath(self.path)).parent
        disk = shutil.disk_usage(folder)
        if disk.total and disk.free < needed:  # some network shares report neither
            raise CheckpointError(
                f"not enough disk space in {folder}: the run needs {needed / 1e6:,.1f} MB, "
                f"but only {disk.free / 1e6:,.1f} MB is free; free some space or choose another "
                "`out`"
            )


def description(path: str | Path, kind: str = "model") -> dict[str, Any]:
    """Return the JSON object of the file at `path`; {} if there is no such file of this kind."""
    try:
        with Reader(path, kind) as reader:
            return dict(reader.document)
    except CheckpointError:
        return {}


def _check_name(path: Path) -> None:
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises for some names)
        raise CheckpointError(f"{path} is a folder; choose another `out`")
    if path.name.endswith(".resume" + SUFFIX) or str(path) == "-":
        raise CheckpointError(f"a model file cannot be named {path}; choose another `out`")


def _check_writable(path: Path) -> None:
    try:
        for file in (path, resume_path(path)):
            require_writable(file)
    except CheckpointError as error:
        raise CheckpointError(f"{error.args[0]}; choose another `out`") from None
    with locked(path):
        pass


def _check_free(path: Path, overwrite: bool) -> None:
    for file, kind in ((path, "model"), (resume_path(path), "resume")):
        if not os.path.isfile(file):  # noqa: PTH113 (Path.is_file raises for some names)
            continue
        try:
            with Reader(file, kind):
                pass
        except CheckpointError as error:
            raise CheckpointError(f"{error.args[0]}; choose another `out`") from None
        if not overwrite:
            raise CheckpointError(
                f"{file} already exists; continue its run with `resume`, pass `overwrite=True` to "
                "replace it, or choose another `out`"
            )
