"""Tunes whose bars do not add up, and how they are meant."""

import os
from collections import Counter
from pathlib import Path

import pytest

from charrnn import TuneReading, read
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.formats import read_tunes
from charrnn.music.repair import repaired
from charrnn.settings import from_dict
from tests.helpers import needs_data
from tests.music.abc_examples import read_one
from tests.music.midi_examples import heard

# Meter and music as written; music as repaired, after its meter if that changes; kinds of repairs.
EXAMPLES = {
    "a meter that no bar has": (
        ("3/4", "C4E4|F8|G4A4|B4A4|G4F4|E8|]"),
        "4/4: C4E4|F8|G4A4|B4A4|G4F4|E8|]",
        {"wrong meter": 1},
    ),
    "a meter that changes": (
        ("3/4", "C2E2G2|F2G2A2B2|c2B2A2|G6|]"),
        "C2E2G2|[M:4/4]F2G2A2B2|[M:3/4]c2B2A2|G6|]",
        {"unmarked meter change": 1},
    ),
    "half a bar in compound time": (
        ("6/8", "CEGceg|agf|edcBAG|C6|]"),
        "CEGceg|[M:3/8]agf|[M:6/8]edcBAG|C6|]",
        {"unmarked meter change": 1},
    ),
    "a bar line missing": (
        ("2/4", "C2E2|GFEDCDEF|G4|]"), "C2E2|GFED|CDEF|G4|]", {"missing bar line": 1},
    ),
    "a bar line missing after a pick-up": (
        ("2/4", "GC2E2|GFED|C3|]"), "G|C2E2|GFED|C3|]", {"missing bar line": 1},
    ),
    "a bar in two lines of text": (
        ("3/4", "C2E2G2|F4|\nG2|c2B2A2|G6|]"), "C2E2G2|F4G2|c2B2A2|G6|]", {"extra bar line": 1},
    ),
    "a double bar line inside a repeat": (
        ("2/4", "G|C2E2|GFE||F|G2B2|C3:|"), "|:G|C2E2|GFEF|G2B2|C3:|", {"extra bar line": 1},
    ),
    "a key that changes inside a repeat": (
        ("2/4", "G|C2E2|GFE|]\n[K:G]F|G2B2|G3:|"),
        "G|C2E2|GFE|:[K:Gmaj]F|G2B2|G3:|",
        {"extra bar line": 1},
    ),
    "endings with pick-ups": (
        ("2/4", "|:C2E2|GFED|GFE|1F|G2C2:|2G|c2C2|]"),
        "|:C2E2|GFED|1GFEF|G2C2:|2GFEG|c2C2|]",
        {"extra bar line": 1},
    ),
    "a lost triplet": (
        ("3/4", "C2E2G2|F2F2BAG|C6|]"), "C2E2G2|F2F2(3BAG|C6|]", {"missing triplet": 1},
    ),
    "five notes for four": (
        ("2/4", "C2E2|G2(5A/B/c/d/e/|C4|]"), "C2E2|G2(5:4:5A/B/c/d/e/|C4|]", {"wrong tuplet": 1},
    ),
    "a misprinted duration": (
        ("2/4", "C2E2|G3A2|B3c|G3A|C4|]"), "C2E2|G3A|B3c|G3A|C4|]", {"misprinted rhythm": 1},
    ),
    "a pick-up that is repeated without room": (
        ("2/4", "G|CDEF|GFED|CDEF:|"), "G|:CDEF|GFED|CDEF:|", {"misplaced repeat": 1},
    ),
    "a pick-up before its repeat": (
        ("2/4", "G|:C2E2|GFED|C3:|"), "|:G|C2E2|GFED|C3:|", {"misplaced repeat": 1},
    ),
    "a last bar without room for the pick-up": (
        ("2/4", "|:G|C2E2|GFED|C4:|"), "|:G|C2E2|GFED|C3:|", {"incomplete section": 1},
    ),
    "a last bar without a pick-up": (
        ("2/4", "|:C2E2|GFED|C3:|"), "|:C2E2|GFED|C3z:|", {"incomplete section": 1},
    ),
    "a fermata on a rest": (
        ("2/4", "|:G|C2E2|GFED|C3Hx:|"), "|:G|C2E2|GFED|C3:|", {"incomplete section": 1},
    ),
    "a last bar with different bars after it": (
        ("2/4", "|:G|C2E2|GFED|C3:|:C2E2|C4:|"),
        "|:G|C2E2|GFED|1C3:|2C3z|:C2E2|C4:|",
        {"incomplete section": 1},
    ),
    "the first section, not repeated": (
        ("2/4", "G|C2E2|C4||G|C2E2|C3|]"), "G|C2E2|C3||G|C2E2|C3|]", {"incomplete section": 1},
    ),
    "several": (
        ("2/4", "|:CDEFGFED|CDE2:|:G|C2E2|C2|E2|C4:|"),
        "|:CDEF|GFED|1CDE2:|2CDE|:G|C2E2|C2E2|C3:|",
        {"missing bar line": 1, "extra bar line": 1, "incomplete section": 2},
    ),
}  # fmt: skip


def tune_of(meter, music):
    return read_one(f"X:1\nM:{meter}\nL:1/8\nK:C\n{music}\n")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_irregular_tune_is_repaired(name):
    (meter, written), expected, kinds = EXAMPLES[name]
    tune, found = repaired(tune_of(meter, written))
    if ": " in expected:
        meter, expected = expected.split(": ")
    assert canonical(tune) == f"M:{meter}\nK:Cmaj\n{expected}\n\n"
    assert found == kinds
    assert tune.irregular_bars() == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pitches_of_the_first_time_through_stay(name):
    written = tune_of(*EXAMPLES[name][0])
    tune, _ = repaired(written)

    def pitches(tune):
        order = dict.fromkeys(tune.played())  # each bar once
        return [note.pitch for index in order for note in tune.bars[index].notes if note.pitch]

    assert set(pitches(tune)) == set(pitches(written))
    if all(bar.ending == 0 for bar in tune.bars):
        assert pitches(tune) == pitches(written)


@pytest.mark.parametrize(
    ("meter", "music"),
    [
        ("2/4", "G|C2E2|GFED|C3|]"),
        ("2/4", "|:G|C2E2|GFED|C3:|"),
        ("none", "C3|D5E/|F|]"),
        ("6/8", "CEG|defga|fedcB|ABcdef|]"),
        ("2/4", "C2E2|G/A/B/c/d|C4|]"),
        ("3/4", "C2E2G2|cBA2B/c/d/e/f/g/a/|C6|]"),
        ("3/4", "C2E2G2|c2AFEFE|C6|]"),
    ],
)
def test_a_regular_or_ambiguous_tune_stays_as_it_is(meter, music):
    tune = tune_of(meter, music)
    assert repaired(tune) == (tune, Counter())


def test_a_full_bar_of_the_wrong_length_is_not_a_pick_up():
    tune = tune_of("9/8", "|:CDEFGABc|c3B3A3|G9:|")
    assert canonical(repaired(tune)[0]).splitlines()[2] == "|:CDEFGABc|c3B3A3|G9:|"


# ---- training ------------------------------------------------------------------------------------

BOOK = "".join(
    f"X:{number}\nM:{meter}\nL:1/8\nK:C\n{music}\n\n"
    for number, ((meter, music), _, _) in enumerate(EXAMPLES.values(), 1)
)


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.abc"
    path.write_text(BOOK, "utf-8")
    return path


def test_training_reads_repaired_tunes_and_counts_the_repairs(book):
    corpus = read(book)
    assert (
        f"repaired {len(EXAMPLES)} tunes: 7 incomplete sections, 5 extra bar lines, "
        "3 missing bar lines, 2 unmarked meter changes, 2 misplaced repeats, 1 wrong meter, "
        "1 missing triplet, 1 wrong tuplet and 1 misprinted rhythm"
    ) in corpus.notices
    texts = corpus.texts[0].split("\n\n")[:-1]
    assert len(texts) > 15
    assert all(read_abc(text + "\n").tunes[0].irregular_bars() == [] for text in texts)


def test_tunes_can_be_read_as_written(book):
    reading = TuneReading(transpose="none", bar_marks="none", as_written=True, keep_irregular=True)
    texts = read(book, reading=reading).texts[0].split("\n\n")[:-1]
    written = {canonical(tune) for tune in read_tunes(book).tunes}
    assert {f"{text}\n\n" for text in texts} <= written
    assert read(book, reading=reading).notices[-1].startswith("kept")


def test_a_model_from_before_repairs_reads_tunes_as_written():
    assert from_dict(TuneReading, {"transpose": "none"}).as_written
    assert not TuneReading().as_written


@needs_data
@pytest.mark.parametrize(("name", "share"), [("irish.abc", 0.99), ("nottingham", 0.99)])
def test_nearly_all_tunes_of_collections_are_regular_or_repaired(name, share):
    path = Path(os.environ["CHARRNN_DATA"], name)
    files = [path] if path.is_file() else sorted(path.glob("*.abc"))
    tunes = [tune for file in files for tune in read_tunes(file).tunes]
    regular = [tune for tune, _ in map(repaired, tunes) if not tune.irregular_bars()]
    assert len(regular) > share * len(tunes)


def test_a_repaired_tune_of_one_repeat_sounds_as_written():
    tune = tune_of("2/4", "|:G|C2E2|GFEDCDEF|C3:|")
    assert heard(repaired(tune)[0]) == heard(tune)
