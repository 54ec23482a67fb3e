"""ABC fields: keys in all spellings, meters, and unit note lengths."""

import re
from fractions import Fraction

import pytest

from charrnn.music.tune import Key
from tests.music.abc_examples import read_one


@pytest.mark.parametrize(
    ("value", "key", "signature"),
    [
        ("C", Key("C"), ""),
        ("D Major", Key("D"), "^F^C"),
        ("Ador", Key("A", "dor"), "^F"),
        ("A dorian", Key("A", "dor"), "^F"),
        ("A Dorian", Key("A", "dor"), "^F"),
        ("Am", Key("A", "min"), ""),
        ("F#m", Key("F#", "min"), "^F^C^G"),
        ("F# Minor", Key("F#", "min"), "^F^C^G"),
        ("Bb", Key("Bb"), "_B_E"),
        ("DMIX", Key("D", "mix"), "^F"),
        ("G mixolydian clef=treble", Key("G", "mix"), ""),
        ("E phr", Key("E", "phr"), ""),
        ("Flyd", Key("F", "lyd"), ""),
        ("Bloc", Key("B", "loc"), ""),
        ("Gion", Key("G"), "^F"),
        ("Eaeo", Key("E", "min"), "^F"),
        ("HP", Key("A", "mix"), "^F^C"),
        ("Hp", Key("A", "mix"), "^F^C"),
        ("none", Key("C"), ""),
        ("", Key("C"), ""),
        ("clef=bass", Key("C"), ""),
        ("D clef=treble stafflines=5", Key("D"), "^F^C"),
        ("D =c", Key("D", "mix"), "^F"),
        ("D exp _b _e ^f", Key("D"), "^F_B_E"),
        ("A ^g % a comment", Key("A"), "^F^C^G"),
        ("Am ^g", Key("A", "min"), "^G"),
    ],
)
def test_keys(value, key, signature):
    tune = read_one(f"X:1\nL:1/8\nK:{value}\nFCGDAEB")
    assert tune.key == key
    heard = dict.fromkeys("FCGDAEB", 0)
    heard |= {letter: {"^": 1, "_": -1}[sign] for sign, letter in re.findall("(.)(.)", signature)}
    naturals = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
    expected = [naturals[letter] + heard[letter] for letter in "FCGDAEB"]
    assert [note.pitch for note in tune.bars[0].notes] == expected


@pytest.mark.parametrize(
    ("value", "meter"),
    [
        ("C", (4, 4)), ("C|", (2, 2)), ("6/8", (6, 8)), ("none", None), ("2+3/8", (5, 8)),
        ("(2+2+3)/8", (7, 8)), ("2/4+3/8", (7, 8)), (" 3/4 % waltz", (3, 4)), ("c|", (2, 2)),
        ("4/4 3/4", (4, 4)), ("free", None), ("FREI4/4", None), ("", None),
    ],
)  # fmt: skip
def test_meters(value, meter):
    assert read_one(f"X:1\nM:{value}\nL:1/8\nK:C\nC").meter == meter


@pytest.mark.parametrize(
    ("fields", "unit"),
    [("M:2/4", "1/16"), ("M:3/4", "1/8"), ("M:none", "1/8"), ("", "1/8"), ("L:1/4\nM:2/4", "1/4")],
)
def test_the_default_unit_note_length_depends_on_the_meter(fields, unit):
    tune = read_one(f"X:1\n{fields}\nK:C\nC|")
    assert tune.bars[0].duration == Fraction(unit)
