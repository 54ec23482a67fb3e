"""Hostile ABC and MIDI files: the work and memory to read them grow no faster than they do."""

from __future__ import annotations

import random
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.errors import CharRNNError
from charrnn.music.abc_parser import read_abc
from charrnn.music.midi_io import MAX_BYTES, read_midi
from charrnn.music.repair import repaired

from .batches import in_a_batch
from .row import FULL, Outcome

SIZES = (15_000, 60_000) if FULL else (2_000, 8_000)  # bytes of the files that are compared
LARGE = 1_000_000 if FULL else 100_000  # bytes of a file that must not hang
BYTES = 2000  # of memory for a byte of the file


# ---- ABC -----------------------------------------------------------------------------------------

HEADER = "X:1\nM:4/4\nL:1/8\nK:C\n"
FREE = HEADER.replace("4/4", "none")


def music(unit: str, begin: str = "", end: str = "|\n") -> Callable[[int], str]:
    """Return a function that makes a text with one bar, and a unit repeated."""
    return lambda size: HEADER + "C|" + begin + unit * (size // len(unit)) + end


def field(name: str, unit: str, begin: str = "", end: str = "") -> Callable[[int], str]:
    """Return a function that makes a tune with a long field in its header."""

    def make(size: int) -> str:
        value = begin + unit * (size // len(unit)) + end
        return f"X:1\n{name}:{value}\nK:C\nC|\n" if name != "K" else f"X:1\nK:{value}\nC|\n"

    return make


def numbered(unit: str, begin: str = HEADER + "C|", end: str = "\n") -> Callable[[int], str]:
    """Return a function that makes a text of units with a running number in place of #."""

    def make(size: int) -> str:
        parts, length = [], 0
        while length < size:
            parts.append(unit.replace("#", str(len(parts))))
            length += len(parts[-1])
        return begin + "".join(parts) + end

    return make


UNITS = [
    *(" ", "\t", "|   ", "|", "|]", "[|", ":", ":a", "::a", "|::::", "|:C", "C:|", "C||", "C||D:|"),
    *("[A:", "[A:\n", "[A:x]", "[M:3/4]C|[M:4/4]C|", "[K:Gdor ^f _b]C|", "[V:2]C", "C|\nK:G\n"),
    *('"', '"a', "{", "{a", "(", "(3", "(3:2:9999999", "!", "!a", "+", "+a", "[", "]", "[a", "[a]"),
    *("^", "^^^^a|", "C,", "C'", "C/", "C//|", "C999999999", "C/999999999", "C<C|", "C<<<<<<<<"),
    *("<", "C-", "C-|", "-", "&", "&|", "y9", "\\", "\\%", "%", "\0", "\ud800", "é", "9", "Z99|"),
    *("\r", "\r\n", "C|\r", "\n", "C\n", "|1C:|2D", "[1C[2D", "|1C|2D", "|1C:|2D:|3E", "H:", "^-C"),
    *("%%begintext\n", "%%begintext\n%%endtext\n", "w:la\n", "+:la\n", "X:1\n", "T:a\n", "V:1 a\n"),
    "CDEF GABc|",
]
ABC: dict[str, Callable[[int], str]] = {
    **{f"{unit!r} repeated": music(unit) for unit in UNITS},
    "a rest of many bars": lambda size: HEADER + f"CZ{size}|\n",
    "tunes of a rest": lambda size: "X:1\nK:C\nCZ99\n\n" * (size // 16),
    "an unclosed ornament": music("a", "!"),
    "an unclosed chord": music("a", "["),
    "a long chord": music("a", "[", "]\n"),
    "ornaments in a chord": music("!a", "[", "]\n"),
    "strings in a chord": music('"', "[", "]\n"),
    "a long number": music("9", "("),
    "a long length": music("9", "C"),
    "many slashes": music("/", "C"),
    "many octaves": music(",", "C"),
    "bars that do not add up": music("C3|D5|E8F8|G2|"),
    "misprinted bars": music("CDEFGA|B2c2d2e2|"),
    "keys within bars": music("C4|[K:G]D4|"),
    "sections without room": music("|:C|DEFGABcd:|"),
    "a long first ending": music("F|", "|:C|1 D:|2 E|"),
    "blank lines after music": music("\n"),
    "blank lines before the music": lambda size: HEADER + "\n" * size + "C|\n",
    "blank lines in a header": lambda size: "X:1\n" + "\n" * size + "K:C\nC|\n",
    "a free tune without bar lines": lambda size: FREE + "CDEF\n" * (size // 5),
    "free tunes of one bar": lambda size: (FREE + "CDEF\n" * 150 + "\n") * (size // 800),
    "voices": numbered("[V:#]C"),
    "lines of voices": numbered("V:#\nC|\n"),
    "declared voices": numbered("V:# octave=1\n", "X:1\n", "K:C\nC|\n"),
    "a voice declared often": numbered("V:1 octave=1\n", "X:1\n", "K:C\nC|\n"),
    "lengths": numbered("C#/7|"),
    "shares of a note": numbered("C/#"),
    "blocks": numbered("%%begin#\n", HEADER + "C|\n"),
    "ends of blocks": numbered("%%end#\n", HEADER + "C|\n"),
    "a key of accidentals": field("K", "^a ", "C "),
    "a key of letters": field("K", "a", "C"),
    "a key of octaves": field("K", "octave= ", "C "),
    "a key of spaces": field("K", " ", "C octave"),
    "a key of clefs": field("K", "a-", "C "),
    "a meter of parentheses": field("M", "("),
    "a meter of sums": field("M", "1+"),
    "a meter of fractions": field("M", "1/4+"),
    "a meter of spaces": field("M", " ", "(", "4"),
    "a unit of spaces": field("L", " ", "1", "/8"),
    "a unit of digits": field("L", "1"),
    "a title of accents": field("T", "\\'e"),
    "a title of entities": field("T", "&a"),
    "an order of parts": field("P", "A"),
    "file headers": lambda size: "M:4/4\nL:1/8\n\n" * (size // 24) + HEADER * (size // 24) + "C|\n",
}


# ---- MIDI ----------------------------------------------------------------------------------------


def quantity(number: int) -> bytes:
    """Return a number as MIDI has it."""
    data = [number & 127]
    while number := number >> 7:
        data.append(number & 127 | 128)
    return bytes(reversed(data))


def on(delta: int, pitch: int, channel: int = 0, velocity: int = 64) -> bytes:
    """Return a note's beginning; its end with velocity 0."""
    return quantity(delta) + bytes([0x90 | channel, pitch, velocity])


def meta(kind: int, data: bytes, delta: int = 0) -> bytes:
    """Return a meta event."""
    return quantity(delta) + bytes([0xFF, kind]) + quantity(len(data)) + data


def midi(*tracks: bytes, division: int = 480, count: int = -1) -> bytes:
    """Return a MIDI file."""
    number = len(tracks) if count < 0 else count
    head = b"MThd" + struct.pack(">IHHH", 6, 1, number & 0xFFFF, division & 0xFFFF)
    chunks = [track + meta(0x2F, b"") for track in tracks]
    return head + b"".join(b"MTrk" + struct.pack(">I", len(chunk)) + chunk for chunk in chunks)


NOTE = on(0, 60) + on(480, 60, 0, 0)


def events(make: Callable[[int], bytes], **options: int) -> Callable[[int], bytes]:
    """Return a function that makes a file of one track: events, each made from its number, then a
    note.
    """

    def whole(size: int) -> bytes:
        number = size // len(make(1))
        return midi(b"".join(map(make, range(number))) + NOTE, **options)

    return whole


def scale(number: int) -> bytes:
    return on(0, 60 + number % 12) + on(3, 60 + number % 12, 0, 0)


MIDI: dict[str, Callable[[int], bytes]] = {
    "notes": events(scale),
    "notes by a fast clock": events(scale, division=32767),
    "notes by a slow clock": events(scale, division=1),
    "notes without a clock": events(scale, division=0),
    "SMPTE time codes": events(scale, division=-6360),
    "notes at one time": events(lambda n: on(0, n % 128)),
    "notes in all channels": events(lambda n: on(0, 60, n % 16) + on(3, 60, n % 16, 0)),
    "notes without end": events(lambda n: on(1, 40 + n % 60)),
    "running status": lambda size: midi(on(0, 60) + b"\1\x3c\0\1\x3c\x40" * (size // 6)),
    "keys held down": lambda size: midi(
        b"".join(on(0, pitch) for pitch in range(128) if pitch != 60) + NOTE * (size // 9)
    ),
    "tracks of keys held down": lambda size: midi(
        *[b"".join(on(0, pitch) for pitch in range(128)) + on(9, 3, 0, 0)] * (size // 540)
    ),
    "empty tracks": lambda size: midi(*[b""] * (size // 12), NOTE),
    "more tracks than there are": lambda size: midi(NOTE * (size // 9), count=65535),
    "a truncated file": lambda size: midi(NOTE * (size // 9))[:-5],
    "runs of high bytes": lambda size: b"MThd" + (b"\xff" * 999 + b"a") * (size // 1000),
    "one run of high bytes": lambda size: b"MThd" + b"\xff" * size,
    "huge deltas": lambda size: midi(b"\xff\xff\xff\x7f\x90\x3c\x40" * (size // 7)),
    "meters": events(lambda n: meta(0x58, bytes([1 + n % 7, n % 7, 24, 8]), n % 3)),
    "short bars": lambda size: midi(
        meta(0x58, b"\1\6\x18\x08") + on(0, 60) + on(min(size // 20, 1700) * 1920, 60, 0, 0)
    ),
    "key signatures": events(lambda n: meta(0x59, bytes([n % 8, n % 2]), n % 3)),
    "tempi": events(lambda n: meta(0x51, b"\0\0\1", n % 3)),
    "track names": events(lambda _: meta(0x03, b"a")),
    "a long track name": lambda size: midi(meta(0x03, b" " * size) + NOTE),
    "a long system message": lambda size: midi(
        b"\0\xf0" + quantity(size) + b"a" * (size - 1) + b"\xf7" + NOTE
    ),
    "system messages": events(lambda _: b"\0\xf0\x01\xf7"),
    "controls": events(lambda _: b"\0\xb0\x01\x02"),
    "a text longer than its file": lambda size: midi(b"\0\xff\x01\xff\xff\xff\x7f" + b"a" * size),
}

ALL = [*ABC.items(), *MIDI.items()]
random.Random(0).shuffle(ALL)  # the short form reads some of all kinds


def read(data: str | bytes) -> None:
    """Read a file, or refuse it in one line."""
    with refused_in_one_line():
        if isinstance(data, str):
            for tune in read_abc(data).tunes:
                repaired(tune)
        else:
            read_midi(data[:MAX_BYTES], "a.mid")


@contextmanager
def refused_in_one_line() -> Iterator[None]:
    """Ignore a CharRNNError with a message of one line."""
    try:
        yield
    except CharRNNError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a line: {error}") from None


def cost(data: str | bytes) -> tuple[int, int]:
    """Return how many functions are called to read a file, and the bytes of memory it takes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    tracemalloc.start()
    sys.setprofile(count)
    try:
        read(data)
    finally:
        sys.setprofile(None)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return calls, memory


def case(index: int, folder: Path) -> Outcome:
    """Read a hostile file in two sizes, and a large one that must not hang."""
    name, make = ALL[index]
    outcome = in_a_batch([lambda: grows(make)], folder, 256 << 20)
    outcome += in_a_batch([lambda: read(make(LARGE))], folder, (128 << 20) + BYTES * LARGE)
    outcome.bad = [f"{name}: {line}" for line in outcome.bad]
    return outcome


def grows(make: Callable[[int], str | bytes]) -> None:
    """Raise AssertionError unless the cost of a file is at most proportional to its size."""
    small, large = map(make, SIZES)
    cost(small)  # caches are filled
    times = max(1.0, len(large) / len(small))
    (calls, memory), (more_calls, more_memory) = cost(small), cost(large)
    assert more_calls <= 1.2 * times * calls + 1000, (calls, more_calls)
    assert more_memory <= 1.5 * times * memory + 1_000_000, (memory, more_memory)
