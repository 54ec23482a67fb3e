"""Random ABC and MIDI files: each is read or refused in one line, and what is read can be written.

Some are tunes with random changes, some are composed at random of all that ABC has. abc2midi, where
it is installed, must hear the same notes in the latter.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from charrnn.music.abc_parser import Parsed, read_abc
from charrnn.music.abc_writer import canonical, write_abc
from charrnn.music.midi_io import read_midi, write_midi
from charrnn.music.repair import repaired
from tests.music.abc2midi import agree, play
from tests.music.abc_examples import ALL as EXAMPLES
from tests.music.abc_examples import HEAD, TEXTS

from .batches import in_a_batch
from .hostile import grows, refused_in_one_line
from .row import Outcome, Skip, randomness
from .runner import ROOT

BATCH = 200
AGREEMENTS = 50  # tunes in a file for abc2midi
MEMORY = 128 << 20
SIGNS = [
    *"|:[]()123456789-{}!\"'/,<>^_=ABCabczxZ%\\&KLMVXTPw:\n\r \t+.~é\0\ud800",
    "|:",
    ":|",
    "[1",
]
SIGNS += [
    "[M:",
    "[K:",
    "%%begintext\n",
    "%%endtext\n",
    "\n\n",
    "(3",
    "X:2\n",
    "99999999",
    "octave=-1",
]


# ---- random changes ------------------------------------------------------------------------------


@functools.cache
def originals() -> list[str]:
    """Return the texts to change: examples, the project's tunes, and real ones if there are any."""
    texts = [HEAD + source for source, _ in EXAMPLES.values()] + [
        text for text, _ in TEXTS.values()
    ]
    files = [ROOT / "corpora" / "tunes.abc"]
    if "CHARRNN_DATA" in os.environ:
        files += Path(os.environ["CHARRNN_DATA"]).rglob("*.abc")
    for file in files:
        texts += (f"X:{tune}" for tune in file.read_text("utf-8").split("X:")[1:])
    return texts


def changed(rng: random.Random) -> str:
    """Return a tune with cuts, copies and wrong characters, sometimes repeated many times."""
    text = rng.choice(originals())
    for _ in range(rng.randint(1, 8)):
        at, to = sorted(rng.randint(0, len(text)) for _ in range(2))
        sign = rng.choice(SIGNS)
        new = rng.choice(["", text[at:to] * 2, sign, sign * 3, rng.choice(originals())[at:to]])
        text = text[:at] + new + text[min(to, at + rng.randint(0, 3)) :]
    return text


def check(text: str) -> bool:
    """Read a text; raise AssertionError for a violation, and return whether it has a tune."""
    parsed = Parsed((), (), (), Counter())
    with refused_in_one_line():
        parsed = read_abc(text)
    assert all("\n" not in line for line in parsed.skipped)
    for tune, spans in zip(parsed.tunes, parsed.spans, strict=True):
        (again,) = read_abc(canonical(tune)).tunes
        assert again.bars == tune.bars
        (again,) = read_abc(write_abc([tune])).tunes
        assert (again.events(), again.title) == (tune.events(), tune.title)
        assert len(spans) == len(tune.bars)
        assert all(0 <= span.start <= span.end <= len(text) for span in spans)
        fixed, kinds = repaired(tune)
        assert fixed == tune if not kinds else not fixed.irregular_bars()
        (again,) = read_abc(canonical(fixed)).tunes
        assert again.bars == fixed.bars
    return bool(parsed.tunes)


def attempt(rng: random.Random) -> None:
    """Read a random text; now and then also a part of it that grows."""
    text = changed(rng) if rng.random() < 0.7 else song(rng)
    check(text)
    if rng.random() < 0.003:  # counting every call is slow
        at, to = sorted(rng.sample(range(len(text) + 1), 2))
        to = min(to, at + rng.choice([1, 2, 3, 10, 100]))
        part = text[at:to]
        grows(lambda size: text[:at] + part * (size // len(part)) + text[to:])


def case(index: int, folder: Path) -> Outcome:
    """Read a batch of ABC texts."""
    rng = randomness("abc", index)
    originals()
    return in_a_batch([functools.partial(attempt, rng)] * BATCH, folder, MEMORY)


# ---- random music --------------------------------------------------------------------------------

METERS = ["4/4", "C", "C|", "2/4", "3/4", "6/8", "9/8", "12/8", "5/4", "7/8", "3/2", "2+3/8"]
KEYS = [
    "C",
    "G",
    "D major",
    "Bb",
    "Am",
    "Edor",
    "F#m",
    "A mixolydian",
    "Ebmaj",
    "Dphr",
    "Flyd",
    "HP",
]
KEYS += ["C exp _b ^f", "Dm ^c", "none"]
UNITS = [Fraction(1, 4), Fraction(1, 8), Fraction(1, 16)]
LENGTHS = {"": 1, "2": 2, "3": 3, "4": 4, "/": "1/2", "/2": "1/2", "3/2": "3/2", "//": "1/4"}
IGNORED = ['"Am"', '"^slow"', "{cd}", "{/^f}", "!f!", "(", ")", " ", "`", "y", "\\\n"]


def song(rng: random.Random, number: int = 1) -> str:
    """Return a tune that has anything of ABC that both we and abc2midi play alike."""
    unit = rng.choice(UNITS)
    parts = [f"X:{number}\nT:Tune\nM:{rng.choice(METERS)}\nL:{unit}\nK:{rng.choice(KEYS)}\nC"]
    for _ in range(rng.randint(1, 3)):
        bars = ["".join(notes(rng)) for _ in range(rng.randint(1, 4))]
        repeated = rng.random() < 0.6
        parts.append("|:" if repeated else "|")
        parts.append("|".join(bars))
        if repeated and rng.random() < 0.4:
            first, second = ("".join(notes(rng)) for _ in range(2))
            parts.append(f"|1{first}:|2{second}|]")
        else:
            parts.append(":|" if repeated else "||")
        parts.append(rng.choice(["", "\n", "\nw: la la\n", " \\\n", "!\n", " % C\n%%text D\n"]))
    return "".join(parts).rstrip("\\\n") + "\n\n"


def notes(rng: random.Random) -> Iterator[str]:
    """Yield the music of a bar."""
    if rng.random() < 0.1:
        yield rng.choice(["[M:3/4]", "[K:G]", "[K:Dm]", "[L:1/8]", "[L:1/16]"])
    for _ in range(rng.randint(1, 6)):
        if rng.random() < 0.2:
            yield rng.choice(IGNORED)
        yield rng.choice([single, single, single, rest, chord, broken, tuplet, tied])(rng)


def pitch(rng: random.Random) -> str:
    sign = rng.choice(["", "", "", "", "^", "_", "=", "^^", "__"])
    return sign + rng.choice("CDEFGABcdefgab") + rng.choice(["", "", "", "'", ","])


def single(rng: random.Random) -> str:
    return pitch(rng) + rng.choice([*LENGTHS])


def rest(rng: random.Random) -> str:
    return rng.choice("zx") + rng.choice([*LENGTHS])


def chord(rng: random.Random) -> str:
    return f"[{pitch(rng)}{pitch(rng)}]{rng.choice([*LENGTHS])}"


def broken(rng: random.Random) -> str:
    length = rng.choice([*LENGTHS])
    other = length if rng.random() < 0.8 else rng.choice([*LENGTHS])
    space = rng.choice(["", "", " "])
    return pitch(rng) + length + space + rng.choice("<>") * rng.randint(1, 3) + pitch(rng) + other


def tuplet(rng: random.Random) -> str:
    size = rng.choice([2, 3, 3, 3, 4, 6])
    head = rng.choice([f"({size}", f"({size}:", f"({size}::", "(3:2:2", "(5:4:2"])
    return head + "".join(pitch(rng) for _ in range(2 if head.endswith(":2") else size))


def tied(rng: random.Random) -> str:
    note = pitch(rng)
    return note + rng.choice(["", "2"]) + rng.choice(["-", "- "]) + note.lstrip("^_=")


def agreement(index: int, folder: Path) -> Outcome:
    """Let abc2midi play a file of songs, and compare."""
    if not shutil.which("abc2midi"):
        raise Skip("abc2midi is not installed")
    rng = randomness("agreement", index)
    texts = [song(rng, number) for number in range(1, AGREEMENTS + 1)]
    heard, _ = play(folder, "".join(texts))
    outcome = Outcome(AGREEMENTS)
    for text, theirs in zip(texts, heard, strict=True):
        tune = read_abc(text).tunes[0]
        ours = [(event.pitch, str(event.start), str(event.duration)) for event in tune.events()]
        outcome.expect(agree(tune, theirs), f"{text!r}: {ours}, abc2midi: {theirs}")
    return outcome


# ---- MIDI ----------------------------------------------------------------------------------------


@functools.cache
def midi_files() -> list[bytes]:
    """Return the MIDI files to change."""
    tunes = read_abc((ROOT / "corpora" / "tunes.abc").read_text("utf-8")).tunes
    return [write_midi(tune) for tune in tunes[:50]]


def change_midi(rng: random.Random) -> bytes:
    """Return a MIDI file with other bytes, cuts and copies."""
    data = bytearray(rng.choice(midi_files()))
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(data) + 1)
        length = rng.choice([1, 1, 2, 4, 30])
        way = rng.randrange(5)
        if way == 0:
            data[at : at + length] = rng.randbytes(length)
        elif way == 1:
            data[at : at + 1] = bytes([rng.choice([0, 1, 0x7F, 0x80, 0x90, 0xF0, 0xF7, 0xFF])])
        elif way == 2:
            del data[at : at + length]
        elif way == 3:
            data[at:at] = data[at : at + length] * rng.choice([1, 2, 100])
        else:
            data[at:at] = rng.choice(midi_files())[14:]
    return bytes(data)


def attempt_midi(rng: random.Random) -> None:
    """Read a changed file; what is read can be written as ABC."""
    with refused_in_one_line():
        tune, _ = read_midi(change_midi(rng), "a.mid")
        assert read_abc(canonical(tune)).tunes[0].events() == tune.events()


def midi(index: int, folder: Path) -> Outcome:
    """Read a batch of MIDI files."""
    rng = randomness("midi", index)
    midi_files()
    return in_a_batch([functools.partial(attempt_midi, rng)] * BATCH, folder, MEMORY)
