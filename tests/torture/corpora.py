"""Texts of all kinds train within bounded memory, or fail with a one-line error."""

from __future__ import annotations

import os
import resource
import unicodedata
from collections.abc import Callable
from pathlib import Path

from charrnn.checkpoints.checkpoint import load
from tests.tiny import OPTIONS as TINY
from tests.tiny import TEXT

from .command import OUT, Command, left_over
from .row import FULL, Outcome

MEMORY = 1 << 30  # bytes of address space
LARGE = 100_000_000 if FULL else 6_000_000  # the size of "100 MB"
OPTIONS = [*TINY, "--max-steps=2", "--workers=1", "--eval-every=100"]
PANGRAM = "the quick brown fox jumps over the lazy dog\n" * 20
MANY = "".join(chr(n) for n in range(0x20, 0x1A000) if not 0xD800 <= n < 0xE000)[:100_000]

TRAINS, FAILS, EITHER = "trains", "fails", "either"
Corpus = bytes | Callable[[Path], object]


def repeated(piece: bytes) -> Callable[[Path], None]:
    """Write a large file that repeats a piece."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            for _ in range(LARGE // len(piece)):
                file.write(piece)

    return make


def folder_of(**files: bytes) -> Callable[[Path], None]:
    """Create a folder of files."""

    def make(path: Path) -> None:
        for name, data in files.items():
            file = path / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    return make


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((10 << 30) if FULL else (100 << 20))


def loop(path: Path) -> None:
    path.symlink_to(path)


def folder_with_loop(path: Path) -> None:
    path.mkdir()
    (path / "a.txt").write_text(TEXT)
    (path / "again").symlink_to(path)
    os.mkfifo(path / "pipe.txt")


def device(name: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(name)


CORPORA: dict[str, tuple[str, Corpus]] = {
    "empty": (FAILS, b""),
    "one character": (FAILS, b"a"),
    "two characters": (EITHER, b"ab"),
    "three characters": (EITHER, b"abc"),
    "one character repeated": (TRAINS, b"a" * 5000),
    "one line end": (FAILS, b"\n"),
    "line ends alone": (TRAINS, b"\n" * 3000),
    "spaces alone": (TRAINS, b" " * 3000),
    "UTF-8 with a byte order mark": (TRAINS, b"\xef\xbb\xbf" + PANGRAM.encode()),
    "a byte order mark alone": (FAILS, b"\xef\xbb\xbf"),
    "a byte order mark in the middle": (TRAINS, (PANGRAM + "\ufeff" + PANGRAM).encode()),
    "UTF-16": (FAILS, PANGRAM.encode("utf-16")),
    "UTF-16-LE without a mark": (EITHER, PANGRAM.encode("utf-16-le")),
    "UTF-32": (FAILS, PANGRAM.encode("utf-32")),
    "Latin-1": (FAILS, "déjà vu à la carte\n".encode("latin-1") * 20),
    "Windows-1252": (FAILS, "“quoted” – dash\n".encode("cp1252") * 20),
    "cut UTF-8": (FAILS, PANGRAM.encode() + "é".encode()[:1]),
    "overlong UTF-8": (FAILS, PANGRAM.encode() + b"\xc0\xaf"),
    "past the last code point": (FAILS, PANGRAM.encode() + b"\xf4\x90\x80\x80"),
    "encoded surrogates": (FAILS, PANGRAM.encode() + b"\xed\xa0\xbd\xed\xb8\x80"),
    "NUL": (TRAINS, PANGRAM.encode().replace(b" ", b"\0")),
    "all of ASCII": (TRAINS, bytes(range(128)) * 30),
    "terminal sequences": (TRAINS, b"\x1b[2J\x1b]0;title\x07\r\x08" * 200),
    "CRLF": (TRAINS, PANGRAM.replace("\n", "\r\n").encode()),
    "lone CR": (TRAINS, PANGRAM.replace("\n", "\r").encode()),
    "CR and LF mixed": (TRAINS, b"a\rb\nc\r\nd\n\re\r\r\n" * 100),
    "U+2028, U+2029, U+0085": (TRAINS, "a\u2028b\u2029c\x85d".encode() * 200),
    "NFC": (TRAINS, unicodedata.normalize("NFC", "é à ñ ü Å\n" * 200).encode()),
    "NFD": (TRAINS, unicodedata.normalize("NFD", "é à ñ ü Å\n" * 200).encode()),
    "right to left": (TRAINS, "שלום \u202eעולם\u202c مرحبا\n".encode() * 60),
    "emoji, joined": (TRAINS, "👩‍👩‍👧‍👦🏳️‍🌈🇨🇭\n".encode() * 60),
    "noncharacters and private use": (TRAINS, "\ufffe\uffff\ue000\U0010ffff".encode() * 200),
    "random bytes": (FAILS, bytes((n * n * 31 + 7 * n) % 251 for n in range(9000))),
    "100,000 distinct characters": (TRAINS, MANY.encode()),
    "no line end at all": (TRAINS, PANGRAM.replace("\n", " ").encode()),
    "one line of 100 MB": (EITHER, repeated(b"abcdefghij" * 10_000)),
    "100 MB of short lines": (EITHER, repeated(b"ab\n" * 33_333)),
    "sparse, 10 GB": (EITHER, sparse),
    "missing": (FAILS, Path.exists),
    "an empty folder": (FAILS, lambda path: path.mkdir()),
    "a folder": (TRAINS, folder_of(a=PANGRAM.encode(), b__c=TEXT.encode())),
    "a folder with some binary files": (
        TRAINS,
        folder_of(a=PANGRAM.encode(), b=b"\xff\xfe\x00", c=b"", d=b"\0\1\2"),
    ),
    "a folder of binary files": (FAILS, folder_of(a=b"\xff\xfe\x00", b=b"")),
    "a folder with a loop and a pipe": (TRAINS, folder_with_loop),
    "a link to itself": (FAILS, loop),
    "/dev/null": (FAILS, device("/dev/null")),
    "/dev/zero": (FAILS, device("/dev/zero")),
    "unreadable": (FAILS, lambda path: path.touch(mode=0)),
    "a pipe that is written to": (TRAINS, lambda path: os.mkfifo(path)),
    "a file that grows while it is read": (TRAINS, PANGRAM.encode()),
    "standard input": (TRAINS, PANGRAM.encode()),
}
ALL = list(CORPORA)


def case(index: int, folder: Path) -> Outcome:
    """Train on one of these texts for two steps."""
    outcome = Outcome(1)
    name = ALL[index]
    expected, corpus = CORPORA[name]
    path = folder / "novel.txt"
    corpus(path) if callable(corpus) else path.write_bytes(corpus)

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if name == "/dev/zero":  # endless: a long text continues in a temporary file
            resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY // 4, MEMORY // 4))
        if name == "unreadable" and os.getuid() == 0:
            os.setuid(65534)
        if name == "standard input":
            os.dup2(os.open(path, os.O_RDONLY), 0)

    for each in (folder, *folder.parents) if name == "unreadable" else ():
        if each.stat().st_uid == os.getuid():
            each.chmod(each.stat().st_mode | 0o5)
            each.chmod(0o777) if each == folder else None
    source = "-" if name == "standard input" else "novel.txt"
    options = list(OPTIONS)
    if "distinct" in name:  # a prediction among 100,000 is slow: validate on few
        options.append("--valid-fraction=0.002")
    run = Command("train", source, f"--out={OUT}", *options, folder=folder, before=before)
    if "pipe that" in name:
        path.write_bytes(PANGRAM.encode())
    if "grows" in name:
        for _ in range(100):
            with path.open("ab") as file:
                file.write(PANGRAM.encode())
    ended = run.end()
    fine = ended.code == 0 if expected == TRAINS else ended.one_line_error()
    if expected == EITHER:
        fine = ended.code == 0 or ended.one_line_error()
    outcome.expect(fine, f"{name}: {ended.code}: {ended.err}")
    if ended.code == 0:
        load(folder / OUT)
    plain = ended.err.replace("\n", "").isprintable()
    outcome.expect(plain, f"{name}: unescaped control characters: {ended.err!r}")
    left = left_over(folder, "stdin.safetensors")
    outcome.expect(not left, f"{name}: left behind: {left}")
    return outcome
