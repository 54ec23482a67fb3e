"""Files and folders to a corpus; each file is read once. Formats are listed in formats.py."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path

from charrnn.errors import CorpusError, counted, reason, require
from charrnn.text.corpus import Builder, Corpus
from charrnn.text.documents import File, Reading, reading_of
from charrnn.text.formats import format_of
from charrnn.text.plain import STDIN, skipped, some


def read(
    paths: str | Path | Sequence[str | Path],
    encoding: str = "utf-8",
    *,
    reading: Reading | None = None,
) -> Corpus:
    """Read files, folders and "-" (standard input) as one corpus.

    A folder stands for all text files in it, sorted by path, except hidden files and models, and a
    pattern such as "letters/*.txt" for the files that match it. Files in a folder that cannot be
    read or aren't text are skipped with a notice. A byte order mark is removed, and CRLF is read as
    LF. `reading` has the settings of formats that have any, such as tunes (`charrnn.TuneReading`);
    that of a model is `checkpoint.reading`.

    Raises CorpusError for input that is missing, unreadable, not text, or empty.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    require(len(paths) > 0, "no corpus given; name at least one text file")
    require(all(map(str, paths)), "the path of the corpus is empty")
    unreadable: list[tuple[str, str]] = []
    files = [found for path in paths for found in files_of(path, unreadable)]
    kinds = (format_of(file.path).documents for file in files)
    kind = next((kind for kind in kinds if kind != "whole"), "whole")
    its_reading = reading_of(kind)
    if not isinstance(reading, its_reading):
        reading = its_reading()
    builder = Builder()
    wanted, others = _of_kind(kind, files)
    names, notices, facts = reading.read(wanted, encoding, builder.add)
    notices = [*skipped("folder", unreadable), *others, *notices]
    if not names:
        what = "standard input" if str(paths[0]) == STDIN else str(paths[0])
        nothing = "contains no text files" if os.path.isdir(paths[0]) else "is empty"  # noqa: PTH112 (as below)
        raise CorpusError("; ".join(dict.fromkeys([f"{what} {nothing}", *notices])))
    return builder.corpus(names, notices, reading, facts)


def files_of(path: str | Path, unreadable: list[tuple[str, str]] | None = None) -> Iterator[File]:
    """Yield the files that a path stands for: itself, those in a folder, or those that match a
    pattern such as "tunes/*.abc".

    Folders in a folder that cannot be read are added to `unreadable`, each with the reason. Raises
    CorpusError if `path` itself is one.
    """
    if str(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112 (Path's raises)
        matches = [] if os.path.lexists(path) else sorted(glob(str(path), recursive=True))  # noqa: PTH207 (absolute patterns, too)
        for match in matches:
            yield from files_of(match, unreadable)
        if not matches:
            yield File(path, in_folder=False)
        return

    def failed(error: OSError) -> None:
        message = f"{error.filename} cannot be read: {reason(error)}"
        if str(error.filename) == str(path):
            raise CorpusError(message)
        if unreadable is not None:
            unreadable.append((str(error.filename), message))

    for folder, folders, names in os.walk(path, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.suffix != ".safetensors" and _is_regular(file):
                yield File(file, in_folder=True)


def _is_regular(file: Path) -> bool:
    """Return whether this may be a regular file; if that is unknown, opening it tells why."""
    try:
        return file.is_file()
    except OSError:
        return True


def _of_kind(kind: str, files: Sequence[File]) -> tuple[list[File], list[str]]:
    """Return the files with this kind of document, and a notice about others that were found in a
    folder.
    """
    wanted, others = list[File](), list[str]()
    for file in files:
        if format_of(file.path).documents == kind:
            wanted.append(file)
        elif file.in_folder:
            others.append(str(file.path))
        else:
            raise CorpusError(
                f"{file.path} does not contain {kind}, but other files do; use them separately"
            )
    if not others:
        return wanted, []
    files_of_others = f"{counted(len(others), 'file')} without {kind} ({some(others)})"
    return wanted, [f"skipped {files_of_others}; to use text files, name them"]
