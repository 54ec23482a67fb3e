"""The project's own tunes: composed by the script beside them, well formed, no two alike."""

import re
import shutil
import subprocess
from collections import Counter
from itertools import pairwise

import pytest

from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from tests.conftest import ROOT
from tests.helpers import compares_with

FILE = ROOT / "corpora" / "tunes.abc"
PARSED = read_abc(FILE.read_text("utf-8"), FILE.name)
TUNES = PARSED.tunes


@pytest.mark.slow
def test_the_script_composes_the_file_byte_for_byte(process):
    result = process(script=[ROOT / "corpora" / "compose_tunes.py"])
    assert (result.code, result.err) == (0, "")
    assert result.out == FILE.read_bytes().decode()


def test_every_tune_is_read_and_nothing_in_it_is_left_out():
    assert len(TUNES) == FILE.read_text("utf-8").count("X:") == 480
    assert not PARSED.skipped
    assert not PARSED.ignored


def test_there_are_enough_of_them_to_learn_from():
    bodies = [canonical(tune).splitlines()[2] for tune in TUNES]
    assert sum(map(len, bodies)) >= 60_000


def test_metres_and_keys_are_many_and_none_is_rare():
    meters = Counter(tune.meter for tune in TUNES)
    assert set(meters) == {(6, 8), (4, 4), (3, 4), (2, 2), (2, 4), (9, 8)}
    assert min(meters.values()) >= 30
    assert len({tune.key for tune in TUNES}) >= 12
    modes = Counter(tune.key.mode for tune in TUNES)
    assert set(modes) == {"maj", "min", "dor", "mix"}
    assert min(modes.values()) >= 40


def test_every_bar_adds_up():
    assert {tune.title: tune.irregular_bars() for tune in TUNES if tune.irregular_bars()} == {}


def test_no_two_tunes_or_titles_are_alike_whatever_the_key():
    assert len({tune.fingerprint() for tune in TUNES}) == len(TUNES)
    assert len({tune.title for tune in TUNES}) == len(TUNES)


def test_no_tune_quotes_another():
    """Fifteen notes in a row belong to one tune only."""
    owners = {}
    for number, tune in enumerate(TUNES):
        steps = tune.fingerprint()
        for begin in range(1, len(steps) - 13):
            assert owners.setdefault(steps[begin : begin + 14], number) == number, tune.title


def test_tunes_end_on_their_tonic_or_lead_back_to_it():
    for tune in TUNES:
        assert tune.events()[-1].pitch % 12 == tune.key.pitch_class, tune.title


def test_tunes_lie_within_a_voice_and_move_mostly_by_step():
    moves = Counter()
    for tune in TUNES:
        pitches = [event.pitch for event in tune.events()]
        assert min(pitches) >= 61  # a leading note below D
        assert max(pitches) <= 83
        assert max(pitches) - min(pitches) >= 9
        moves.update(abs(b - a) for a, b in pairwise(pitches))
    assert sum(moves[size] for size in range(5)) > 0.85 * moves.total()
    assert sum(count for size, count in moves.items() if size > 7) < 0.03 * moves.total()


def test_bars_return_as_in_the_tunes_of_people():
    bars = [(number, bar.notes) for number, tune in enumerate(TUNES) for bar in tune.bars]
    assert 0.25 < 1 - len(set(bars)) / len(bars) < 0.35


def test_forms_have_pick_ups_endings_and_third_parts():
    assert sum(any(bar.ending for bar in tune.bars) for tune in TUNES) >= 40
    assert sum(any(bar.closes for bar in tune.bars) for tune in TUNES) >= 20
    assert sum(sum(bar.opens for bar in tune.bars) == 3 for tune in TUNES) >= 20
    short = [tune for tune in TUNES if tune.bars[0].duration < tune.bars[1].duration]
    assert len(short) >= 200


@compares_with("abc2midi")
def test_abc2midi_writes_every_tune_and_has_nothing_to_say(tmp_path):
    copy = shutil.copy(FILE, tmp_path)  # the files that it writes lie beside what it reads
    result = subprocess.run(["abc2midi", copy], capture_output=True, text=True, check=True)
    usual = r"[\d.]+ .* abc2midi|writing MIDI file .*|voice mapping:|[\d ]*"
    lines = (result.stdout + result.stderr).splitlines()
    assert [line for line in lines if not re.fullmatch(usual, line)] == []
    assert len(list(tmp_path.glob("*.mid"))) == len(TUNES)
