"""The MEI for verovio, and verovio's drawing."""

import sys
import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest

from charrnn.errors import ConfigError
from charrnn.music.sheet_music import _mei, engraved
from charrnn.music.tune import MODES, Bar, Key, Note, Tune

MEI = "{http://www.music-encoding.org/ns/mei}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
EIGHTH = Fraction(1, 8)


def notes(text):
    """Read notes such as "62/8 z/4 60/12-": pitch, then the part of a whole note."""
    made = []
    for word in text.split():
        pitch, _, duration = word.rstrip("-").partition("/")
        over, _, under = duration.rpartition(":")
        pitch = None if pitch == "z" else int(pitch)
        made.append(Note(pitch, Fraction(int(over or 1), int(under)), word.endswith("-")))
    return tuple(made)


def mei(*bars, key="D", mode="maj", meter=(4, 4)):
    return ET.fromstring("".join(_mei(Tune(bars, Key(key, mode), meter))))


def heads(root):
    return [element for element in root.iter() if element.tag in (f"{MEI}note", f"{MEI}rest")]


def written(element, name="accid"):
    return [note.get(name) for note in element.iter(f"{MEI}note")]


def lasting(element, ratio=Fraction(1)):
    """Return the duration of everything inside an element."""
    if element.tag == f"{MEI}tuplet":
        ratio = Fraction(int(element.get("numbase")), int(element.get("num")))
    inside = sum(lasting(child, ratio) for child in element)
    if not element.get("dots"):
        return inside
    value = Fraction(2) if element.get("dur") == "breve" else Fraction(1, int(element.get("dur")))
    return inside + ratio * value * (2 - Fraction(1, 2 ** int(element.get("dots"))))


@pytest.mark.parametrize(
    "text",
    [
        "60/8 62/4 64/2 z/8",
        "60/5:8 62/7:8 z/9:16 60/3:1",
        "60/12 62/12 64/12 65/6 z/12",
        "60/20 61/20 62/20 63/20 64/20 60/28 60/28 60/28 60/28 60/28 60/28 60/28",
        "60/24 60/24 60/24 62/3 62/3 62/3",
    ],
)
def test_engraved_notes_last_as_long_as_the_bar(text):
    bar = Bar(notes(text))
    assert lasting(mei(bar)) == bar.duration


def test_a_duration_that_no_single_note_has_is_tied():
    parts = heads(mei(Bar(notes("62/5:8 64/8"))))
    assert [(p.get("dur"), p.get("dots"), p.get("tie")) for p in parts] == [
        ("2", "0", "i"),
        ("8", "0", "t"),
        ("8", "0", None),
    ]
    assert [p.get(XML_ID) for p in parts] == ["note-0-0", "note-0-1", "note-1-0"]


def test_ties_reach_over_bar_lines_and_only_to_the_same_pitch():
    bars = Bar(notes("62/2-")), Bar(notes("62/2-")), Bar(notes("64/2-"))
    assert written(mei(*bars), "tie") == ["i", "t", None]


def test_a_tuplet_is_as_short_as_it_can_be():
    root = mei(Bar(notes("62/8 62/12 64/12 66/12 67/8 z/12 69/6")))
    assert [len(heads(tuplet)) for tuplet in root.iter(f"{MEI}tuplet")] == [3, 2]


@pytest.mark.parametrize(
    ("text", "meter", "beams"),
    [
        ("60/8 " * 8, (4, 4), [4, 4]),
        ("60/8 " * 6, (6, 8), [3, 3]),
        ("60/8 " * 6, (3, 4), [2, 2, 2]),
        ("60/8 z/8 60/8 60/8", (2, 2), [2]),
        ("60/4 60/8 60/8", (2, 2), [2]),
        ("60/8 " * 5, (6, 8), [2, 3]),
    ],
    ids=["reel", "jig", "waltz", "rest", "quarter", "upbeat"],
)
def test_short_notes_of_a_beat_are_beamed(text, meter, beams):
    root = mei(Bar(notes(text)), meter=meter)
    assert [len(heads(beam)) for beam in root.iter(f"{MEI}beam")] == beams


def test_accidentals_are_written_once_in_a_bar():
    bars = Bar(notes("66/8 65/8 65/8 66/8")), Bar(notes("66/8 65/4-")), Bar(notes("65/8 65/8"))
    assert written(mei(*bars)) == [None, "n", None, "s", None, "n", None, "n"]


def test_repeats_endings_and_changes_are_engraved():
    root = mei(
        Bar(notes("62/1"), opens=True),
        Bar(notes("62/1"), ending=1, repeats=True),
        Bar(notes("62/1"), ending=2, closes=True),
        Bar(notes("62/1"), key=Key("F"), meter=(3, 4)),
    )
    lines = [(bar.get("left"), bar.get("right")) for bar in root.iter(f"{MEI}measure")]
    assert lines == [("rptstart", "single"), (None, "rptend"), (None, "dbl"), (None, "end")]
    endings = [(ending.get("n"), len(heads(ending))) for ending in root.iter(f"{MEI}ending")]
    assert endings == [("1", 1), ("2", 1)]
    first, changed = root.iter(f"{MEI}scoreDef")
    assert (first.get("keysig"), first.get("meter.count")) == ("2s", "4")
    assert (changed.get("keysig"), changed.get("meter.count")) == ("1f", "3")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", ["C", "D", "Bb", "F#", "A"])
def test_notes_of_the_scale_are_spelled_as_in_the_signature(tonic, mode):
    key = Key(tonic, mode)
    spellings = [key.spelling(60 + pitch_class)[:2] for pitch_class in key.scale()]
    assert dict(spellings) == key.signature()


@pytest.mark.parametrize(
    ("pitch", "key", "expected"),
    [
        (65, Key("D"), ("F", 0)),
        (66, Key("G", "min"), ("F", 1)),
        (68, Key("A", "min"), ("G", 1)),
        (68, Key("D"), ("G", 1)),
        (68, Key("F"), ("A", -1)),
    ],
)
def test_other_notes_are_spelled_near_the_signature(pitch, key, expected):
    assert key.spelling(pitch)[:2] == expected


def test_without_verovio_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(ConfigError, match=r"pip install 'charrnn\[score\]'"):
        engraved(Tune(()))


SONG = Tune(
    (
        Bar(notes("69/8"), opens=True),
        Bar(notes("74/12 76/12 78/12 z/4 75/5:8")),
        Bar(notes("74/2 69/4 69/8-"), ending=1, repeats=True),
        Bar(notes("74/1"), ending=2, closes=True),
    )
    * 3,
    Key("D", "mix"),
)


def test_every_note_is_engraved_with_its_number():
    pytest.importorskip("verovio", reason="the extra score is not installed")
    svg = engraved(SONG)
    numbers = [
        int(mark.get("data-note")) for mark in ET.fromstring(svg).iter() if mark.get("data-note")
    ]
    count = sum(note.pitch is not None for bar in SONG.bars for note in bar.notes)
    assert sorted(set(numbers)) == list(range(count))
    assert engraved(SONG) == svg
    assert svg.count('class="ending') == 6


@pytest.mark.parametrize(
    "bars", [(), (Bar(()),), (Bar(notes("z/1")),)], ids=["none", "empty", "rest"]
)
def test_a_tune_without_notes_can_be_engraved(bars):
    pytest.importorskip("verovio", reason="the extra score is not installed")
    ET.fromstring(engraved(Tune(bars, meter=None)))
