"""Compressed MusicXML (.mxl): a ZIP archive with a score and a container that names it.

This is the only module that opens an archive. It reads members into memory, up to a limit, and
never extracts files.
"""

from __future__ import annotations

import html
import io
import re
import zipfile

CONTAINER = "META-INF/container.xml"
_LONGEST = 1 << 16  # bytes of a container that are read
_SCORE = "score.musicxml"
_CONTAINER_TEXT = f"""<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="{_SCORE}"/></rootfiles></container>
"""
_PATH = re.compile(r"""<rootfile\b[^<>]*\sfull-path\s*=\s*["']([^"'<>]+)["']""")


def packed(score: bytes) -> bytes:
    """Return an .mxl file with a score; the same score gives the same bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in ((CONTAINER, _CONTAINER_TEXT.encode()), (_SCORE, score)):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def unpacked(data: bytes, most: int) -> bytes:
    """Return the score in an .mxl file: at most `most` + 1 bytes, whatever the archive says.

    Raises ValueError for data that is not such an archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _member(archive, CONTAINER, _LONGEST).decode()
            path = _PATH.search(container)
            if path is None:
                raise ValueError("the container names no score")
            return _member(archive, html.unescape(path[1]), most)
    except Exception as error:  # zipfile raises errors of many types
        raise ValueError(str(error)) from None


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return the first `most` + 1 bytes of a file in an archive."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("other methods can allocate more than they unpack")
    with archive.open(info) as file:
        return file.read(most + 1)
