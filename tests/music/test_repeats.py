"""Repeats recovered from a tune that is written out as it is played."""

import pytest

from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.midi_io import read_midi, write_midi
from charrnn.music.repeats import with_repeats
from tests.helpers import ROOT
from tests.music.abc_examples import read_one
from tests.music.midi_examples import heard

A, B, C = "C2E2|G2E2|F2D2|E2C2", "c2B2|A2G2|F2E2|D2B,2", "c2B2|A2G2|F2E2"  # four, four, three bars


def body(tune):
    return canonical(tune).splitlines()[2]


def out(music):
    return read_one(f"X:1\nM:2/4\nL:1/8\nK:C\n{music}\n")


@pytest.mark.parametrize(
    ("played", "written"),
    [
        (f"{A}|{A}", f"|:{A}:|"),
        (f"{A}|{A}|{B}", f"|:{A}:|{B}|]"),
        (f"{A}|{A}|{B}|{B}", f"|:{A}::{B}:|"),
        (f"{A}|{B}|{A}|{B}", f"|:{A}|{B}:|"),
        (f"{A}|{C}|D4|{A}|{C}|C4", f"|:{A}|{C}|1D4:|2C4|]"),
        (f"G|{A}|{A}", f"G|:{A}:|"),
        (f"G|{A}|{C}|C3G|{A}|{C}|C3", f"|:G|{A}|{C}|C3:|"),
        (f"G|{A}|{C}|C3G|{A}|{C}|C3e|{B}|{B}", f"|:G|{A}|{C}|C3:|e|:{B}:|"),
        (f"{A}|{B}", f"{A}|{B}|]"),
        ("C4|" * 3, "C4|C4|C4|]"),
    ],
)
def test_sections_that_are_played_twice_are_written_once(played, written):
    tune = with_repeats(out(played))
    assert body(tune) == body(out(written))
    assert heard(tune) == heard(out(played))


def test_a_repeat_begins_where_a_phrase_may():
    tune = out(f"c4|d4|{A}|{A}|e4|f4|")
    assert with_repeats(tune) == tune


def test_meters_and_keys_belong_to_their_bars():
    played = out(f"{A}|[M:3/4][K:G]" + "F4D2|G6|" * 4 + f"[M:2/4][K:C]{B}|")
    tune = with_repeats(played)
    assert [(bar.opens, bar.repeats) for bar in tune.bars[4:8]].count((False, False)) == 2
    assert heard(tune) == heard(played)
    assert tune.meters() == [(2, 4)] * 4 + [(3, 4)] * 4 + [(2, 4)] * 4


def test_the_projects_tunes_are_the_same_after_midi():
    tunes = read_abc((ROOT / "corpora" / "tunes.abc").read_text("utf-8")).tunes
    same = 0
    for tune in tunes[::4]:
        back, _ = read_midi(write_midi(tune), "tune.mid")
        assert heard(back) == heard(tune)
        assert back.irregular_bars() == []
        assert read_one(canonical(back)).bars == back.bars
        same += len(back.bars) == len(tune.bars)
    assert same > 0.9 * len(tunes[::4])
