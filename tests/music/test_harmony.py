"""Chords by rule: of the key, below the notes, with cadences; audible and easy to ignore."""

import io
from fractions import Fraction
from itertools import accumulate, pairwise

import mido
import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import write_abc
from charrnn.music.harmony import chords_of, symbols_of, triads
from charrnn.music.midi_io import read_midi, write_midi
from charrnn.music.performance import BASS, CHORD, Style, accompaniment, performance
from charrnn.music.synth import RATE, synthesise
from charrnn.music.tune import MODES, Bar, Key, Note, Tune
from tests.music.test_midi_io import random_tune

CHORDS = Style(chords=True)
JIG = """X:1
M:6/8
L:1/8
K:D
|:A|d2f afd|g2b agf|e2d cBA|1 d3 d2:|2 d3 d3|
|:f2d A2f|g2e B2g|a2f c2e|d6:|
"""


def tune(music, key="C", meter="4/4"):
    return read_abc(f"X:1\nM:{meter}\nL:1/8\nK:{key}\n{music}\n").tunes[0]


def symbols(music, *where):
    return [chord.triad.symbol for chord in chords_of(tune(music, *where))]


# ---- the rule ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", ["C", "D", "A"])
def test_the_triads_of_a_key_are_in_its_scale(tonic, mode):
    key = Key(tonic, mode)
    found = triads(key)
    assert len({triad.symbol for triad in found}) == 7
    assert all(set(triad.classes) <= key.scale() for triad in found)
    assert found[0].symbol.startswith(tonic)


@pytest.mark.parametrize(
    ("key", "music", "expected"),
    [
        ("C", "CEGE CEGE|FAcA FAcA|GBdB GBdB|c4 c4|", ["C", "C", "F", "F", "G", "G", "C", "C"]),
        ("Am", "A4 c4|F4 A4|G4 B4|A8|", ["Am", "Am", "F", "F", "G", "G", "Am"]),
        ("Ador", "A4 c4|D4 ^F4|G4 B4|A8|", ["Am", "Am", "D", "D", "G", "G", "Am"]),
        ("Gmix", "G4 B4|F4 A4|C4 E4|F2A2 G4|", ["G", "G", "F", "F", "C", "C", "F", "G"]),
    ],
)
def test_chords_have_the_notes_on_strong_beats_and_end_with_a_cadence(key, music, expected):
    assert symbols(music, key) == expected


@pytest.mark.parametrize(
    ("meter", "music", "count"),
    [
        ("6/8", "C3 E3|G3 E3|", 4),
        ("3/4", "C2E2G2|C2E2G2|", 2),
        ("2/4", "C2E2|G2E2|", 2),
        ("9/8", "C3E3G3|C3E3G3|", 2),
        ("4/4", "C8|E6 G2|", 2),
        ("none", "CDEFGA|", 1),
    ],
)
def test_a_bar_has_one_chord_or_two_where_a_note_begins_in_the_middle(meter, music, count):
    assert len(symbols(music, "C", meter)) == count


def test_a_note_of_several_chords_gets_the_one_that_leads_to_the_tonic():
    assert symbols("E8|G8|C8|") == ["C", "G", "C"]
    assert symbols("C8|D8|A,8|", "Ador")[1:] == ["G", "Am"]


def test_pick_ups_and_rests_have_no_chords():
    chords = chords_of(tune("G2|C8|z8|C6:|"))
    assert [chord.bar for chord in chords] == [1, 3]


def test_a_change_of_key_changes_the_chords():
    assert symbols("C4 E4|[K:E]E4 ^G4|E8|")[-1] == "E"


def test_a_long_tune_takes_no_more_time_per_bar():
    bars = tuple(Bar((Note(60 + n % 7, Fraction(1)),)) for n in range(3000))
    assert len(chords_of(Tune(bars))) == 3000


def test_a_tune_without_notes_has_no_chords():
    assert chords_of(Tune((Bar((Note(None, Fraction(1)),)),))) == []
    assert chords_of(Tune(())) == []


@pytest.mark.parametrize("key", ["none", "", "clef=treble"])
def test_a_tune_without_a_key_is_an_error(key, cli, tmp_path):
    air = tune("CDEF GABc|", key)
    with pytest.raises(ConfigError, match="the tune has no key, which chords need; state one"):
        chords_of(air)
    (tmp_path / "air.abc").write_text(f"X:1\nT:Air\nK:{key}\nCDEF GABc|\n")
    for name in ("air.mid", "air.wav", "air.html"):
        result = cli("convert", "air.abc", name, "--chords")
        assert result.code == 2
        assert "Air has no key" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["air.abc"]
    assert cli("convert", "air.abc", "air.mid").code == 0


# ---- symbols in ABC ------------------------------------------------------------------------------


def test_symbols_are_written_where_chords_change_and_sections_begin():
    text = write_abc(read_abc(JIG).tunes, chords=True)
    assert text.endswith(
        '|:A|"D"d2f afd|"G"g2b "D"agf|"A"e2d cBA|1"D"d3 d2:|2"D"d3 d3|:\n'
        '"D"f2d A2f|"G"g2e B2g|"A"a2f c2e|"D"d6:|\n\n'
    )


def test_text_with_symbols_is_the_same_tune():
    for seed in range(60):
        original = random_tune(seed)
        (read,) = read_abc(write_abc([original], chords=True)).tunes
        (plain,) = read_abc(write_abc([original])).tunes
        assert read == plain, seed


def test_symbols_stand_before_notes():
    for seed in range(20):
        original = random_tune(seed)
        for bar, own in symbols_of(original).items():
            lengths = (note.duration for note in original.bars[bar].notes)
            assert set(own) <= set(accumulate(lengths, initial=Fraction(0)))


# ---- the accompaniment ---------------------------------------------------------------------------


def test_chords_are_played_with_repeats_below_the_melody():
    (jig,) = read_abc(JIG).tunes
    strums = accompaniment(jig, CHORDS)
    assert strums[0].start == Fraction(1, 8)
    assert strums[0].pitches == (50, 54, 57, 62)
    for before, after in pairwise(strums):
        assert before.start + before.sounds <= after.start
    for strum in strums:
        bass, *others = strum.pitches
        assert BASS <= bass < BASS + 12
        assert all(CHORD <= pitch < CHORD + 12 for pitch in others)
    melody = performance(jig)
    assert max(strum.velocity for strum in strums) < min(note.velocity for note in melody)
    assert accompaniment(jig, Style()) == []


def test_midi_has_the_accompaniment_in_a_track_of_its_own():
    file = mido.MidiFile(file=io.BytesIO(write_midi(read_abc(JIG).tunes[0], style=CHORDS)))
    assert (file.type, len(file.tracks)) == (1, 2)
    messages = [message for message in file.tracks[1] if message.type == "note_on"]
    assert {message.channel for message in messages} == {1}


def test_midi_with_an_accompaniment_is_read_back_as_the_same_tune():
    """Even where the chords have more notes than the melody."""
    air = tune("|:C8|F8|G8|c8:|")
    for original in [*map(random_tune, range(40)), air]:
        if original.events():
            plain = read_midi(write_midi(original), "tune.mid")
            assert read_midi(write_midi(original, style=CHORDS), "tune.mid") == plain


def test_a_file_with_nothing_but_an_accompaniment_is_read():
    file = mido.MidiFile(file=io.BytesIO(write_midi(read_abc(JIG).tunes[0], style=CHORDS)))
    del file.tracks[0]
    data = io.BytesIO()
    file.save(file=data)
    assert read_midi(data.getvalue(), "tune.mid")[0].events()


def test_the_accompaniment_is_heard():
    air = tune("c8|")
    alone, with_chords = synthesise(air), synthesise(air, style=CHORDS)
    low = np.abs(np.fft.rfft(with_chords - alone))[: round(150 * len(alone) / RATE)]
    assert np.max(low) > 100
