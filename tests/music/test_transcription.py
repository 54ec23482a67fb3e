"""The melody of files by other programs and players, in its bars, meter and key."""

import os
import subprocess
from fractions import Fraction
from pathlib import Path

import mido
import pytest

from charrnn.music.midi_io import read_midi
from charrnn.music.tune import Key, Note
from tests.helpers import compares_with, needs_data
from tests.music.midi_examples import SCALE, heard, meter_message, midi_file, played, read, scale


def test_the_highest_line_is_the_melody():
    melody = list(scale())
    chords = [(pitch, 0 + bar * 1920, 1900 + bar * 1920) for bar in range(2) for pitch in (40, 47)]
    assert heard(read(midi_file(played([*melody, *chords])))) == heard(
        read(midi_file(played(melody)))
    )


def test_a_rolled_chord_becomes_its_highest_note():
    notes = [
        (pitch + step, start + 2 * step, end) for pitch, start, end in scale() for step in (0, 4)
    ]
    assert heard(read(midi_file(played(notes)))) == [
        (pitch + 4, Fraction(n, 8), Fraction(1, 8)) for n, pitch in enumerate(SCALE * 2)
    ]


def test_the_busiest_voice_except_drums_is_the_melody():
    drums = played([(42, tick, tick + 60) for tick in range(0, 3840, 120)], channel=9)
    bass = played([(36, 0, 1920), (43, 1920, 3840)], channel=2)
    file = midi_file(list(drums), list(bass), list(played(scale(), channel=1)))
    tune, notices = read_midi(file, "x")
    assert [event.pitch for event in tune.events()] == SCALE * 2
    assert "used the busiest of several voices" in notices
    mixed = midi_file([*played(scale(), 1), *played([(36, 0, 3840)], 2)], type=0)
    assert heard(read(mixed)) == heard(tune)


def test_meter_and_key_change_at_the_next_bar():
    metas = [
        (0, meter_message(3, 4)),
        (0, mido.MetaMessage("key_signature", key="Em")),
        (1500, meter_message(2, 4)),
        (2880, mido.MetaMessage("key_signature", key="G")),
    ]
    tune, notices = read_midi(midi_file(metas, list(played(scale()))), "x")
    assert (tune.meter, tune.key, notices) == ((3, 4), Key("E", "min"), ())
    assert [bar.meter for bar in tune.bars] == [None, None, (2, 4)]
    assert [bar.key for bar in tune.bars] == [None, None, Key("G")]


def test_a_rest_before_the_first_note_leaves_a_pick_up():
    notes = [(67, 1680, 1920), (60, 1920, 3840), (62, 3840, 5280)]
    tune = read(midi_file(played(notes)))
    assert [bar.duration for bar in tune.bars] == [Fraction(1, 8), 1, Fraction(7, 8)]
    assert heard(tune)[0][:2] == (67, 0)


def test_incomplete_bars_with_meters_of_their_own_keep_the_meter_of_the_tune():
    """As notation programs write a pick-up, sections that begin with one, and the last bar."""
    eighths = [1, 3, 2, 1, 3, 3, 2]
    starts = [240 * sum(eighths[:number]) for number in range(len(eighths))]
    metas = [(start, meter_message(n, 8)) for start, n in zip(starts, eighths, strict=True)]
    tune = read(midi_file(metas, list(played(list(scale())[:15]))))
    assert [bar.duration * 8 for bar in tune.bars] == eighths
    assert tune.meters() == [(3, 8)] * 7
    assert tune.irregular_bars() == []


def test_notes_are_tied_over_bar_lines_and_rests_fill_bars():
    tune = read(midi_file([(0, meter_message(2, 4)), *played([(60, 0, 1200), (62, 1680, 1920)])]))
    eighth = Fraction(1, 8)
    assert [bar.notes for bar in tune.bars] == [
        (Note(60, 4 * eighth, tied=True),),
        (Note(60, eighth), Note(None, 2 * eighth), Note(62, eighth)),
    ]


@pytest.mark.parametrize("key", [Key("C"), Key("G"), Key("Bb"), Key("A", "min"), Key("E", "min")])
def test_a_key_is_estimated_from_the_notes(key):
    degrees = {"maj": [0, 2, 4, 5, 7, 4, 2, 0, 7, 0], "min": [0, 2, 3, 5, 7, 3, 2, 0, 7, 0]}
    pitches = [60 + key.pitch_class + degree for degree in degrees[key.mode]]
    notes = [(pitch, n * 240, n * 240 + 240) for n, pitch in enumerate(pitches)]
    tune, notices = read_midi(midi_file(played(notes)), "x")
    assert tune.key == key
    assert notices == (
        "no meter in the file; assumed 4/4",
        "no key in the file; estimated from the notes",
    )


def test_a_tune_out_of_range_moves_by_octaves():
    notes = [(pitch - 36, start, end) for pitch, start, end in scale()]
    tune, notices = read_midi(midi_file(played(notes)), "x")
    assert [event.pitch for event in tune.events()] == [pitch - 24 for pitch in SCALE * 2]
    assert "moved out-of-range notes up or down by octaves" in notices


@needs_data
@compares_with("abc2midi")
def test_melodies_are_separated_from_their_chords(tmp_path):
    """abc2midi writes each tune with and without chords; both must give the same melody."""
    source = Path(os.environ["CHARRNN_DATA"]) / "nottingham" / "waltzes.abc"
    for folder, flags in (("with", []), ("without", ["-NGUI"])):
        (tmp_path / folder).mkdir()
        # A copy, since abc2midi writes its files beside the source.
        (tmp_path / folder / "waltzes.abc").write_bytes(source.read_bytes())
        subprocess.run(
            ["abc2midi", "waltzes.abc", *flags],
            cwd=tmp_path / folder,
            capture_output=True,
            check=False,
        )
    files = sorted((tmp_path / "with").glob("*.mid"))
    assert len(files) > 40
    for file in files:
        alone = (tmp_path / "without" / file.name).read_bytes()
        assert heard(read(file.read_bytes())) == heard(read(alone))
