"""A folder of tunes: files for each tune, and a page that shows and plays them all.

The page ends with a comment that lists the files and their digests. Thanks to it, a later call can
replace the folder's content without touching a file that a user wrote or edited.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from charrnn.errors import CheckpointError, reason, require
from charrnn.music.abc_writer import write_abc
from charrnn.music.metrics import Sample
from charrnn.music.page import page
from charrnn.music.performance import Style
from charrnn.music.tune import Tune
from charrnn.music.writers import require_format, shown, written

INDEX = "index.html"
# Names without a folder: a forged page can name no file outside its own.
_LIST = re.compile(rb"<!-- charrnn wrote ((?: ?\w+\.\w+:[0-9a-f]{16})*) -->\n\Z")


def write_folder(
    folder: str | Path,
    tunes: Sequence[Tune],
    *,
    formats: Sequence[str] = ("abc", "mid", "wav", "svg"),
    texts: Sequence[str] | None = None,
    encoding: str = "utf-8",
    against: Sample | None = None,
    title: str = "Tunes",
    settings: str = "",
    swing: float = 1.0,
    chords: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write each tune as 01.abc, 01.mid and so on, and index.html; return the path of that page.

    `formats` are those of `charrnn.music.writers.WRITERS`. `texts` are the tunes in ABC, by default
    the result of `write_abc`, and `encoding` is that of the .abc files. The page has a `title`,
    figures of each tune, compared with `against`, and under each tune a line with the `settings`.
    `swing` is that of `charrnn.convert`, and with `chords` the tunes have chord symbols and an
    accompaniment (`charrnn.music.harmony`).
    With `overwrite`, the files of an earlier call are replaced, and those without a successor are
    removed; other files in the folder are never changed.

    Raises CheckpointError if a file exists that may not be replaced or if one cannot be written,
    and ConfigError for an unknown format and a value out of range; the folder's files are then
    unchanged.
    """
    style = Style(swing, chords)
    before = require_folder(folder, len(tunes), formats, overwrite)
    folder = Path(folder)
    tunes_shown, digests = [], {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".charrnn-", dir=folder) as staging:
            for number, tune in enumerate(tunes, 1):
                abc = texts[number - 1] if texts is not None else write_abc([tune], chords=chords)
                on_page = shown(number, tune, abc, against, settings, style)
                tunes_shown.append(on_page)
                made = {
                    "abc": abc.encode(encoding),
                    "mid": on_page.midi,
                    "svg": on_page.drawings[0].encode(),
                }
                for format in formats:
                    data = made.get(format) or b"".join(written([tune], format, style))
                    name = f"{number:02}.{format}"
                    Path(staging, name).write_bytes(data)
                    digests[name] = _digest(data)
            html = page(tunes_shown, title).encode()
            digests[INDEX] = _digest(html)
            Path(staging, INDEX).write_bytes(html + _list(digests))
            for name in digests:
                Path(staging, name).replace(folder / name)
        for name in before - digests.keys():
            (folder / name).unlink()
    except OSError as error:
        raise CheckpointError(f"cannot write to the folder {folder}: {reason(error)}") from None
    return folder / INDEX


def require_folder(
    folder: str | Path, count: int, formats: Sequence[str], overwrite: bool
) -> set[str]:
    """Return the names of the files in `folder` that writing `count` tunes replaces or removes.

    Raises what `write_folder` raises, so that callers can check before they compose.
    """
    require(str(folder) != "", "the name of the folder is empty")
    for format in formats:
        require_format(format)
    names = {INDEX} | {f"{n:02}.{format}" for n in range(1, count + 1) for format in formats}
    folder = Path(folder)
    if not os.path.lexists(folder):
        return set()
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"cannot write to the folder {folder}: permission denied")
    listed = _listed(folder)
    present = {name for name in names | listed.keys() if os.path.lexists(folder / name)}
    for name in sorted(present):
        path = folder / name
        if not overwrite:
            raise CheckpointError(
                f"{path} already exists; choose another folder, or pass `overwrite=True` to "
                f"replace the tunes in {folder}"
            )
        if _content_digest(path) != listed.get(name):
            raise CheckpointError(
                f"{path} was not written by charrnn or has changed since; move it, or choose "
                "another folder"
            )
    return present


def _list(digests: Mapping[str, str]) -> bytes:
    """Return the comment at the end of a page, which lists files and their digests."""
    entries = " ".join(f"{name}:{digest}" for name, digest in digests.items())
    return f"<!-- charrnn wrote {entries} -->\n".encode()


def _listed(folder: Path) -> dict[str, str]:
    """Return the names and digests of the files that the page in a folder lists."""
    found = _LIST.search(_content(folder / INDEX))
    entries = found[1].decode().split() if found else []
    return dict(entry.split(":") for entry in entries)


def _content_digest(path: Path) -> str:
    """Return the digest of a file's content, without the list of files."""
    return _digest(_LIST.sub(b"", _content(path)))


def _content(path: Path) -> bytes:
    """Return the content of a regular file; nothing for anything else, or if it can't be read."""
    with suppress(OSError):
        if path.is_file() and not path.is_symlink():
            return path.read_bytes()
    return b""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
