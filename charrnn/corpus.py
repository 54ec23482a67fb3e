"""Files and folders to text, and text to documents for training and validation.

To read another format, write a function from a file's bytes to text and list it in READERS.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn.errors import ConfigError, CorpusError, require

STDIN = "-"


@dataclass(frozen=True)
class Corpus:
    """The texts of the files that were read, and what a person should be told about them."""

    texts: tuple[str, ...]
    names: tuple[str, ...]
    notices: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a SHA-256 over the texts and their borders, names left aside."""
        digest = hashlib.sha256()
        for text in self.texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
        return digest.hexdigest()


def read_text(data: bytes, name: str, encoding: str) -> str:
    """Decode a text file; raises CorpusError with the offset and the byte if that cannot be."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        hint = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise CorpusError(
            f"{name} is not {encoding}: byte 0x{data[error.start]:02X} at offset "
            f"{error.start:,}; name its encoding, as with --encoding {hint}"
        ) from None
    except LookupError:
        raise ConfigError(f"encoding is {encoding!r}: Python knows no such text encoding") from None
    except UnicodeError as error:
        raise CorpusError(f"{name} is not {encoding}: {error}") from None


READERS: dict[str, Callable[[bytes, str, str], str]] = {".txt": read_text}


def read(paths: str | Path | Sequence[str | Path], encoding: str = "utf-8") -> Corpus:
    """Read a file, or several: files, folders (all text files in them, sorted, hidden ones and
    models left out) and "-", standard input. A byte order mark is dropped, and CRLF read as LF.

    Raises CorpusError for what is missing, unreadable, not text, or empty.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    require(len(paths) > 0, "no corpus was given: name a text file")
    texts, names, notices, left_out = [], [], [], []
    crlf = False
    for path in paths:
        for file, in_folder in _files(path):
            try:
                text = _read_file(file, encoding)
            except CorpusError as error:
                if not in_folder:
                    raise
                left_out.append(str(error))
                continue
            if in_folder and "\0" in text:
                left_out.append(f"{file} is no text")
                continue
            if "\r\n" in text:
                text = text.replace("\r\n", "\n")
                crlf = True
            if text:
                texts.append(text)
                names.append("standard input" if str(file) == STDIN else str(file))
            elif not in_folder:
                notices.append(f"{file} is empty")
    if not texts:
        what = "standard input" if str(paths[0]) == STDIN else str(paths[0])
        nothing = "has no text file in it" if os.path.isdir(paths[0]) else "is empty"  # noqa: PTH112 (as below)
        raise CorpusError(f"{what} {nothing}: there is nothing to read")
    if left_out:
        notices.append(f"files left out: {len(left_out)}, such as: {left_out[0]}")
    if crlf:
        notices.append("CRLF line ends were read as LF")
    return Corpus(tuple(texts), tuple(names), tuple(notices))


def _files(path: str | Path) -> Iterator[tuple[str | Path, bool]]:
    """Yield the files of `path`, and whether they were found in a folder."""
    if str(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112 (Path's raises)
        yield path, False
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.suffix != ".safetensors" and file.is_file():
                yield file, True


def _read_file(path: str | Path, encoding: str) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == STDIN else Path(path).read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist: give the path of a text file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path} cannot be read: {reason}") from None
    reader = READERS.get(Path(path).suffix.lower(), read_text)
    return reader(data, str(path), encoding).removeprefix("\ufeff")


def _whole(text: str) -> list[str]:
    return [text]


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n") if line.strip()]


def _paragraphs(text: str) -> list[str]:
    paragraphs: list[str] = []
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            paragraphs.append("\n".join(lines) + "\n\n")
            lines = []
    return paragraphs


@dataclass(frozen=True)
class DocumentKind:
    """How a text falls into documents, and what ends each of them (nothing: never sampled)."""

    split: Callable[[str], list[str]]
    terminator: str


DOCUMENTS = {
    "whole": DocumentKind(_whole, ""),
    "lines": DocumentKind(_lines, "\n"),
    "paragraphs": DocumentKind(_paragraphs, "\n\n"),
}


def split(
    corpus: Corpus, documents: str = "whole", valid_fraction: float = 0.1
) -> tuple[list[str], list[str]]:
    """Return the documents to train on, and those held out: the last part of every file.

    A file that is one document is cut at the character, others between documents. Lines and
    paragraphs end with their terminator, be it there or not.
    """
    require(
        documents in DOCUMENTS, f"documents is {documents!r}: choose one of {', '.join(DOCUMENTS)}"
    )
    require(
        0 <= valid_fraction < 1,
        f"valid_fraction is {valid_fraction}: it must be 0 or more, below 1",
    )
    train: list[str] = []
    valid: list[str] = []
    for text in corpus.texts:
        pieces = DOCUMENTS[documents].split(text)
        cut = int(sum(map(len, pieces)) * (1 - valid_fraction))
        if documents == "whole":
            train.append(text[:cut])
            valid.append(text[cut:])
            continue
        for piece in pieces:
            # A document belongs where its middle lies.
            (train if cut >= len(piece) / 2 or valid_fraction == 0 else valid).append(piece)
            cut -= len(piece)
    return [text for text in train if text], [text for text in valid if text]
