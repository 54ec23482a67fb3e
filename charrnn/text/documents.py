"""Kinds of documents: what ends a document, and how files of that kind are read.

The recurrent state is reset at the start of each document, and a sample ends with a document.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from charrnn.errors import require
from charrnn.registry import resolve
from charrnn.settings import from_dict


@dataclass(frozen=True)
class Documents:
    """A kind of document: the terminator of each document ("" if there is none), the address of its
    `Reading`, and whether random documents can be held out (tunes are already in random order).
    """

    terminator: str
    reading: str = "charrnn.text.plain:PlainText"
    random_split: bool = False


HOLD_OUT = ("random", "last")
DOCUMENTS = {
    "whole": Documents(""),
    "lines": Documents("\n", random_split=True),
    "paragraphs": Documents("\n\n", random_split=True),
    "tunes": Documents("\n\n", reading="charrnn.music.dataset:TuneReading"),
}


class File(NamedTuple):
    """A file to read, and whether it was found in a folder rather than named."""

    path: str | Path
    in_folder: bool


class Contents(NamedTuple):
    """What a Reading found: the files that it read, notices for the user, and facts about the
    corpus for commands that use a model of it, fit for JSON.
    """

    names: Sequence[str]
    notices: Sequence[str]
    facts: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Reading(ABC):
    """How files become text.

    The fields of a subclass are settings: they become options of `charrnn train` and are stored
    in the model file, so that later files are read in the same way.
    """

    documents: ClassVar[str] = "whole"  # the kind of document that it reads

    @property
    def copies(self) -> int:
        """How many variants of each document training uses (data augmentation)."""
        return 1

    @property
    def relative_loss(self) -> float:
        """The expected loss of a network, relative to plain text with the same trigram loss."""
        return 1.0

    @abstractmethod
    def read(
        self, files: Sequence[File], encoding: str, add: Callable[[Iterable[str]], int]
    ) -> Contents:
        """Pass the pieces of each text to `add`, which returns its length; return the names of the
        files read and notices for the user. Raises CorpusError.
        """

    def augmented(self, documents: Iterable[str]) -> Iterable[str]:
        """Return all variants of the training documents, `copies` per document."""
        return documents

    def preview(self, text: str) -> str:
        """Return the beginning of a document without what only the model needs."""
        return text


def reading_of(documents: str) -> type[Reading]:
    """Return the Reading class for this kind of document."""
    reading: type[Reading] = resolve(DOCUMENTS[documents].reading)
    return reading


def readings() -> list[type[Reading]]:
    """Return all registered Reading classes."""
    return list(dict.fromkeys(map(reading_of, DOCUMENTS)))


def stored_reading(documents: str, settings: Mapping[str, Any]) -> Reading:
    """Return the Reading of a kind of document with settings from a model file. Raises ConfigError
    for an unknown kind or settings out of range.
    """
    require(
        documents in DOCUMENTS,
        f"unknown kind of document {documents!r}; known kinds: {', '.join(DOCUMENTS)}",
    )
    return from_dict(reading_of(documents), settings)
