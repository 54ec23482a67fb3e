"""MIDI files: written tunes are read back exactly, and other data is refused."""

import io
import subprocess
from fractions import Fraction

import mido
import numpy as np
import pytest

from charrnn.errors import ConfigError, CorpusError
from charrnn.music.midi_io import read_midi, write_midi
from charrnn.music.performance import Style, performance
from charrnn.music.tune import Bar, Key, Note, Tune
from tests.helpers import compares_with
from tests.music.midi_examples import heard, meter_message, midi_file, played, read, scale

METERS = [(4, 4), (2, 2), (2, 4), (3, 4), (6, 8), (9, 8), (12, 8), (5, 4), (7, 8)]
KEYS = [Key(), Key("D"), Key("Bb"), Key("C#"), Key("Cb"), Key("F#", "min"), Key("G#", "min")]


def make_bar(*notes, **what):
    """Return a bar of (pitch, eighths)."""
    return Bar(tuple(Note(pitch, Fraction(length) / 8) for pitch, length in notes), **what)


REEL = Tune(
    (
        make_bar((69, 1)),
        make_bar((74, 3), (None, 1), (76, Fraction(2, 3)), (78, Fraction(4, 3)), (74, 2)),
        make_bar((73, 2), (69, 4), (69, 1), repeats=True),
        make_bar((81, 1), opens=True),
        make_bar((79, 4), (76, 4)),
        make_bar((74, 4), (74, 3), repeats=True),
    ),
    Key("D"),
    (4, 4),
    "The Träumer’s Reel",
)


def random_notes(rng, duration):
    """Return notes and rests of a total `duration` in 64ths, with triplets and ties.

    Short rests are rare: after most notes they would be read as staccato.
    """
    notes = []
    while duration > 0:
        length = min(duration, Fraction(int(rng.choice([1, 2, 3, 4, 6, 8, 8, 8, 12, 16])), 64))
        duration -= length
        lengths = [length]
        if rng.random() < 0.2 and length.numerator != 3:
            lengths = [[length / 3] * 3, [length / 3, 2 * length / 3]][rng.integers(2)]
        for each in lengths:
            pitch = int(rng.integers(48, 96)) if rng.random() < 0.9 else None
            tied = pitch is not None and rng.random() < 0.15
            if notes and notes[-1].tied and rng.random() < 0.8:
                pitch = notes[-1].pitch
            notes.append(Note(pitch, each, tied))
    return tuple(notes)


def random_tune(seed):
    """Return a tune with pick-ups, repeats, endings, and changes of meter and key."""
    rng = np.random.default_rng(seed)
    meter = tuned = METERS[rng.integers(len(METERS))]
    bars = []
    for _ in range(rng.integers(1, 4)):
        pick_up = Fraction(int(rng.integers(0, 4)), 8) if rng.random() < 0.5 else Fraction(0)
        repeats = bool(rng.random() < 0.6)
        first = len(bars)
        if pick_up:
            bars.append(Bar(random_notes(rng, pick_up), opens=repeats))
        for _ in range(rng.integers(1, 5)):
            changes = rng.random() < 0.1
            if changes:
                meter = METERS[rng.integers(len(METERS))]
            bars.append(
                Bar(
                    random_notes(rng, Fraction(*meter)),
                    opens=repeats and len(bars) == first,
                    meter=meter if changes else None,
                    key=KEYS[rng.integers(len(KEYS))] if rng.random() < 0.1 else None,
                )
            )
        if repeats and rng.random() < 0.4:
            for ending in (1, 2):
                notes = random_notes(rng, Fraction(*meter))
                bars.append(Bar(notes, ending=ending, repeats=ending == 1, closes=ending == 2))
        else:
            notes = random_notes(rng, max(Fraction(1, 8), Fraction(*meter) - pick_up))
            bars.append(Bar(notes, repeats=repeats, closes=not repeats))
    return Tune(tuple(bars), KEYS[rng.integers(len(KEYS))], tuned)


# ---- there and back ------------------------------------------------------------------------------


def test_a_written_tune_is_read_back():
    tune, notices = read_midi(write_midi(REEL), "reel.mid")
    assert heard(tune) == heard(REEL)
    assert (tune.key, tune.meter, tune.title) == (REEL.key, REEL.meter, REEL.title)
    assert tune.bars[:2] == REEL.bars[:2]
    assert notices == ()


def test_every_pitch_and_duration_is_exact():
    for seed in range(60):
        tune = random_tune(seed)
        if tune.events():
            assert heard(read(write_midi(tune))) == heard(tune), seed


def test_full_bars_are_read_back():
    bars = (make_bar((60, 6)), make_bar((62, 3), (64, 3)), make_bar((65, 4), meter=(2, 4)))
    for pick_up in ((), (make_bar((67, 1)),)):
        tune = Tune((*pick_up, *bars), Key("F"), (6, 8))
        back = read(write_midi(tune))
        assert back.bars[: len(tune.bars) - 1] == tune.bars[:-1]
        assert back.bars[-1].meter == (2, 4)


def test_an_initial_rest_is_read_back():
    for first in (make_bar((None, 8)), make_bar((None, 2), (60, 6)), make_bar((None, 1), (60, 1))):
        tune = Tune((first, make_bar((62, 8)), make_bar((64, 8))))
        assert heard(read(write_midi(tune))) == heard(tune)


def test_a_repeat_reverts_meter_and_key_changes():
    bars = (
        make_bar((60, 8), opens=True),
        make_bar((62, 6), meter=(3, 4), key=Key("G"), repeats=True),
    )
    back = read(write_midi(Tune(bars)))
    assert [(bar.meter, bar.key) for bar in back.bars] == [
        (None, None),
        ((3, 4), Key("G")),
        ((4, 4), Key("C")),
        ((3, 4), Key("G")),
    ]


@pytest.mark.parametrize(
    ("key", "relative"),
    [(("D", "dor"), ("A", "min")), (("A", "mix"), ("D", "maj")), (("F", "lyd"), ("C", "maj"))],
)
def test_a_mode_is_written_as_the_relative_key_with_its_signature(key, relative):
    tune = Tune((make_bar((62, 8)),), Key(*key))
    assert read(write_midi(tune)).key == Key(*relative)
    assert Key(*relative).sharps == Key(*key).sharps


def test_mido_reads_the_file():
    data = write_midi(REEL, tempo=100, program=40)
    file = mido.MidiFile(file=io.BytesIO(data))
    messages = {message.type: message for message in file.tracks[0]}
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (0, 480, 1)
    assert messages["set_tempo"].tempo == 600_000
    assert messages["program_change"].program == 40
    assert messages["key_signature"].key == "D"
    played = sum(bar.duration for bar in REEL.bars) * 2
    assert file.length == pytest.approx((Fraction(7, 8) + played) * 4 * 0.6)
    assert [
        message.numerator for message in file.tracks[0] if message.type == "time_signature"
    ] == [4]


@compares_with("midi2abc")
def test_midi2abc_reads_the_same_notes(tmp_path):
    (tmp_path / "reel.mid").write_bytes(write_midi(REEL))
    command = ["midi2abc", "reel.mid", "-midigram"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = [line.split() for line in result.stdout.splitlines()]
    notes = [
        (int(row[4]), Fraction(row[0]) / 1920, Fraction(row[1]) / 1920 - Fraction(row[0]) / 1920)
        for row in rows
        if len(row) == 6
    ]
    assert notes == [
        (pitch, start + Fraction(7, 8), length) for pitch, start, length in heard(REEL)
    ]


def test_notes_are_accented_as_in_the_performance():
    notes = mido.MidiFile(file=io.BytesIO(write_midi(REEL))).tracks[0]
    loud = [note.velocity for note in notes if note.type == "note_on"]
    assert loud == [note.velocity for note in performance(REEL) if note.sounds]
    assert len(set(loud)) > 4


@pytest.mark.parametrize("swing", [1.1, 1.3, 1.4, 1.5, 5 / 3, 2, 2.2, 2.5])
def test_a_swung_tune_is_read_back_with_even_eighths(swing):
    bar = make_bar(*((pitch, 1) for pitch in (60, 62, 64, 65, 67, 65, 64, 62)))
    tune = Tune((bar, bar, make_bar((60, 8))))
    assert heard(read(write_midi(tune, style=Style(swing)))) == heard(tune)


@pytest.mark.parametrize(
    ("tune", "program", "named"),
    [
        (REEL, 128, "program must be between 0 and 127, got 128"),
        (REEL.transposed(60), 0, "MIDI pitches must be between 0 and 127, got 129"),
    ],
)
def test_values_outside_midi_ranges_are_refused(tune, program, named):
    with pytest.raises(ConfigError, match=named):
        write_midi(tune, program=program)


# ---- files of other programs ---------------------------------------------------------------------


def test_running_status_and_velocity_0_end_notes():
    track = bytes.fromhex("00 90 3C 40 60 3C 00 00 3E 40 60 3E 00 00 FF 2F 00")
    head = bytes.fromhex("4D546864 00000006 0000 0001 0060 4D54726B") + len(track).to_bytes(4)
    assert heard(read(head + track)) == [
        (60, Fraction(0), Fraction(1, 4)),
        (62, Fraction(1, 4), Fraction(1, 4)),
    ]


def test_a_note_without_an_end_lasts_until_the_next():
    lost = [(0, mido.Message("note_on", note=60))]
    tune = read(midi_file([*lost, *played([(62, 480, 960), (64, 960, 1440)])]))
    assert heard(tune)[0] == (60, 0, Fraction(1, 4))


def test_an_impossible_meter_is_ignored():
    data = bytearray(midi_file([(0, meter_message(4, 4)), *played(scale())]))
    at = data.index(b"\xff\x58") + 3
    for beats, power in ((0, 2), (4, 200)):
        data[at : at + 2] = bytes([beats, power])
        assert read(bytes(data)).meter == (4, 4)


# ---- unsuitable data -----------------------------------------------------------------------------


REFUSED = {
    "nothing": (b"", "tune.mid is damaged or not a MIDI file; export it again"),
    "text": (b"X:1\nK:C\nCDEF|\n" * 9, "tune.mid is damaged or not a MIDI file"),
    "cut off": (write_midi(REEL)[:-9], "tune.mid is damaged or not a MIDI file"),
    "a run of high bytes": (b"MThd" + b"\xff" * 900_000, "tune.mid is damaged or not a MIDI file"),
    "too much": (bytes(1_000_001), "tune.mid is 1,000,001 bytes; the limit"),
    "no tracks": (midi_file(), "tune.mid has no notes outside the percussion channel"),
    "drums": (midi_file(played(scale(), 9)), "tune.mid has no notes outside the percussion"),
    "type 2": (midi_file([], [], type=2), "tune.mid is a MIDI file of type 2"),
    "frames": (midi_file(played(scale()), ticks_per_beat=-6360), "SMPTE"),
    "short bars": (
        midi_file([(0, meter_message(1, 64)), *played([(60, 0, 160 * 1920)])]),
        "more than 10,000 bars",
    ),
    "too long": (midi_file(played([(60, 2**28 - 2, 2**28 - 1)])), "longer than 1,800 whole notes"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_unsuitable_data_is_an_error_in_one_line(data, message):
    with pytest.raises(CorpusError, match=message) as caught:
        read(data)
    assert str(caught.value).startswith("tune.mid ")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_read_or_refused():
    rng = np.random.default_rng(0)
    whole = np.frombuffer(write_midi(Tune((make_bar((60, 1), (62, 3)),))), np.uint8)
    refused = 0
    for _ in range(3000):
        data = whole.copy()
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.integers(256)
        try:
            tune = read(data.tobytes())
        except CorpusError:
            refused += 1
        else:
            assert all(0 < note.duration <= 1800 for bar in tune.bars for note in bar.notes)
    assert 300 < refused < 2700
