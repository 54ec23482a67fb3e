"""What a run writes: the model file, and the resume file beside it.

Everything that could keep a run from saving is looked for before it starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charrnn.checkpoints.atomic import temporary_path
from charrnn.checkpoints.container import Reader
from charrnn.checkpoints.lock import SUFFIX, locked
from charrnn.errors import CheckpointError


def resume_path(path: str | Path) -> Path:
    """Return where the resume file of the model at `path` lies.

    >>> resume_path("novel.safetensors").name
    'novel.resume.safetensors'
    """
    path = Path(path)
    return path.with_name(path.name.removesuffix(SUFFIX) + ".resume" + SUFFIX)


class Output:
    """The files of a run that writes the model at `path`.

    Raises CheckpointError if they could not be written, or if another run is writing them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        _check_writable(self.path)
        self.digest = description(self.path).get("digest")  # of the model that is there

    @classmethod
    def new(cls, path: str | Path, overwrite: bool = False) -> Output:
        """Return the files of a new run.

        Raises CheckpointError also if a file would be lost: the model, or its resume file, unless
        `overwrite`; and in any case what charrnn did not write.
        """
        output = cls(path)
        _check_free(output.path, overwrite)
        return output

    @classmethod
    def of_run(cls, path: str | Path) -> Output:
        """Return the files of a run to resume; raises CheckpointError also if there is none."""
        if not os.path.exists(resume_path(path)):  # noqa: PTH110 (Path's raises for some names)
            if not os.path.exists(path):  # noqa: PTH110 (likewise)
                raise CheckpointError(
                    f"there is no run of {path} to go on with: leave `resume` out"
                )
            raise CheckpointError(
                f"{resume_path(path)} is missing, without which the run of {path} cannot go on: "
                "start another from its weights with `init_from` and a new `out`"
            )
        return cls(path)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the one run that writes these files; raises CheckpointError if another run does, or
        has done so since this was made.
        """
        with locked(self.path):
            if description(self.path).get("digest") not in (self.digest, None):
                raise CheckpointError(
                    f"another run has written {self.path} since this one was made: go on with that "
                    "by `resume`, or give another place with `out`"
                )
            yield

    def save(self, write: Callable[[Path], str]) -> str:
        """Have the model written by `write`, a function of its path; return its digest."""
        try:
            self.digest = write(self.path)
        except BaseException:  # the new file may be in its place all the same
            self.digest = description(self.path).get("digest")
            raise
        return str(self.digest)

    def check_space(self, model: int, resume: int) -> None:
        """Raise CheckpointError if there is no room to keep a model and a resume file of so many
        bytes, and to write the latter anew beside the old one.
        """
        files = [file for file in (self.path, resume_path(self.path)) if file.is_file()]
        needed = model + 2 * resume - sum(file.stat().st_size for file in files)
        folder = Path(os.path.realpath(self.path)).parent
        disk = shutil.disk_usage(folder)
        if disk.total and disk.free < needed:  # some network shares know neither
            raise CheckpointError(
                f"the disk of {folder} has {disk.free / 1e6:,.1f} MB free and the run's files need "
                f"{needed / 1e6:,.1f} MB more: make room, or give another place with `out`"
            )


def description(path: str | Path, kind: str = "model") -> dict[str, Any]:
    """Return what the file at `path` says of itself; nothing if there is none of this kind."""
    try:
        with Reader(path, kind) as reader:
            return dict(reader.document)
    except CheckpointError:
        return {}


def _check_free(path: Path, overwrite: bool) -> None:
    if path.name.endswith(".resume" + SUFFIX) or str(path) == "-":
        raise CheckpointError(f"{path} cannot be a model's name: give another one with `out`")
    for file, kind in ((path, "model"), (resume_path(path), "resume")):
        if not os.path.isfile(file):  # noqa: PTH113 (Path's raises for some names)
            continue
        if not overwrite:
            raise CheckpointError(
                f"{file} exists: go on with its run by `resume`, start another from its weights "
                "with `init_from` and a new `out`, or replace it with `overwrite=True`"
            )
        with Reader(file, kind):
            pass


def _check_writable(path: Path) -> None:
    """Also sweep what an interrupted write left there."""
    files = path, resume_path(path)
    targets = [Path(os.path.realpath(file)) for file in files]
    try:
        for file, target in zip(files, targets, strict=True):
            if target.exists() and not target.is_file():
                what = "a folder" if target.is_dir() else "no file"
                raise CheckpointError(f"{file} is {what}: give the model file's name with `out`")
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
            f"{target.parent} cannot be written to: {error.strerror}; give another place with `out`"
        ) from None
