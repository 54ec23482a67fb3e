"""Tunes to ABC and back: canonical text and files for people."""

import random

import pytest

from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical, write_abc, write_bars
from tests.helpers import compares_with, needs_data
from tests.music.abc2midi import SHARE, agree, play
from tests.music.abc_examples import ALL, CANONICAL, HEAD, corpus_tunes, read_one


@pytest.mark.parametrize("name", ALL)
def test_writing_and_reading_keeps_a_tune(name):
    tune = read_one(HEAD + ALL[name][0])
    assert read_one(canonical(tune, title=True)) == tune
    assert read_one(write_abc([tune])) == tune


def test_canonical_text():
    text = 'X:7\nT:Air\nM:6/8\nL:1/4\nK:Dm\nA/|"Dm"d^c/d e f/|g3/2 {a}[df]3/2 |[1 d3-:|[2 d3||\n' \
           "M:3/4\nK:F\nc (3d/e/f/ ^f/z//=b//|"  # fmt: skip
    assert canonical(read_one(text), title=True) == (
        "T:Air\nM:6/8\nK:Dmin\n|:A|d2^cd2e2f|g3f3|1d6:|2d6||[M:3/4][K:Fmaj]c2(3def^fz/=b/|]\n\n"
    )


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_is_unchanged_by_reading_and_writing(text):
    assert canonical(read_one(text), title=True) == text


def test_canonical_documents_follow_each_other():
    tunes = read_abc("".join(CANONICAL)).tunes
    assert "".join(canonical(tune, title=True) for tune in tunes) == "".join(CANONICAL)


def test_accidentals_in_canonical_text_apply_to_their_octave():
    tune = read_one("M:4/4\nK:Cmaj\n^cc'|]\n\n")
    assert [note.pitch for note in tune.bars[0].notes] == [73, 84]
    assert "^c=c'" in write_abc([tune])  # for readers of both kinds


def test_a_file_for_people():
    tune = read_one("T:Air\nM:6/8\nK:Gmaj\n|:D|GABc2d|e3g3|GABc2d|e3g3|1G6-|G3G2:|2G6|]\n\n")
    assert write_abc([tune, tune]) == "".join(
        f"X:{number}\nT:Air\nM:6/8\nL:1/8\nK:Gmaj\n"
        "|:D|GAB c2d|e3 g3|GAB c2d|e3 g3|1G6-|\nG3 G2:|2G6|]\n\n"
        for number in (1, 2)
    )


def test_bars_are_replaced_where_they_stand():
    text = HEAD + '"C"C4 D4|E4 F4|!\nG4 A4|B8|]\nW: words\n'
    parsed = read_abc(text)
    other = parsed.tunes[0].transposed(12)
    first, last = parsed.spans[0][1], parsed.spans[0][2]
    music = write_bars(other, 1, 2, first.unit)
    new = text[: first.start] + music + text[last.end :]
    assert new == HEAD + '"C"C4 D4|e4 f4|g4 a4|B8|]\nW: words\n'


# --- The corpora: 1,838 tunes that people wrote ---------------------------------------------------

# abc2midi loses count where the meter changes in a repeat, as here.
MISCOUNTED = {"A and A's Waltz"}


@pytest.fixture(scope="module")
def some_tunes():
    rng = random.Random(1)
    tunes = corpus_tunes()
    assert len(tunes) == 1838
    regular = [tune for tune in tunes if not tune.irregular_bars()]
    assert len(regular) > 0.95 * len(tunes)
    return [tune for tune in regular if rng.random() < SHARE]


@pytest.mark.slow
@needs_data
def test_writing_and_reading_keeps_every_tune_in_any_key(some_tunes):
    for number, tune in enumerate(some_tunes):
        moved = tune.transposed(number % 12 - 6)
        text = canonical(moved, title=True)
        assert read_one(text) == moved
        assert read_one(write_abc([moved])) == moved
        assert canonical(read_one(text), title=True) == text


@pytest.mark.slow
@compares_with("abc2midi")
@needs_data
def test_abc2midi_has_no_warnings(tmp_path, some_tunes):
    tunes = [tune for tune in some_tunes if tune.title not in MISCOUNTED]
    moved = [tune.transposed(number % 12 - 6) for number, tune in enumerate(tunes)]
    heard, warnings = play(tmp_path, write_abc(moved))
    assert warnings == []
    assert all(agree(tune, notes) for tune, notes in zip(moved, heard, strict=True))
