"""Note values from performed times, for any clock and human players."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tests.music.midi_examples import SCALE, durations, midi_file, played, read, scale


@pytest.mark.parametrize("ticks_per_beat", [24, 96, 100, 120, 192, 384, 480, 960, 1024])
def test_durations_are_exact_with_any_clock(ticks_per_beat):
    lengths = [2, 1, 1, 4, 6, 2, 3, 1] * 3  # sixteenths
    starts = np.cumsum([0, *lengths]) * ticks_per_beat / 4
    notes = [(60 + index, *span) for index, span in enumerate(pairwise(starts))]
    tune = read(midi_file(played(notes), ticks_per_beat=ticks_per_beat))
    assert durations(tune) == [Fraction(length, 16) for length in lengths]


@pytest.mark.parametrize("ticks_per_beat", [24, 100, 480, 1000])
def test_triplets_are_exact_with_any_clock(ticks_per_beat):
    starts = np.array([0, 1 / 3, 2 / 3, 1, 1.5, 2, 8 / 3, 3, 4]) * ticks_per_beat
    notes = [(60 + index, *span) for index, span in enumerate(pairwise(starts))]
    tune = read(midi_file(played(notes), ticks_per_beat=ticks_per_beat))
    third = Fraction(1, 12)
    eighth = Fraction(1, 8)
    assert durations(tune) == [third, third, third, eighth, eighth, 2 * third, third, 2 * eighth]


@pytest.mark.parametrize("gate", [0.98, 0.9, 0.75, 0.5])
def test_notes_released_early_are_read_in_full(gate):
    tune = read(midi_file(played(scale(gate=gate))))
    assert durations(tune)[:-1] == [Fraction(1, 8)] * 15


def test_human_timing_is_tolerated():
    rng = np.random.default_rng(1)
    lags = rng.normal(0, 480 * 0.03, 16)  # 15 ms at 120 quarter notes a minute
    tune = read(midi_file(played(scale(gate=0.9, lag=lambda index: lags[index]))))
    assert [event.start for event in tune.events()] == [Fraction(n, 8) for n in range(16)]


@pytest.mark.parametrize("swing", [0.57, 0.62, 0.66])
def test_swung_eighths_are_read_as_eighths(swing):
    def lag(index):
        return (index % 2) * (swing - 0.5) * 480 + index * 7 % 11 - 5

    tune = read(midi_file(played(scale(gate=0.9, lag=lag))))
    assert [event.start for event in tune.events()] == [Fraction(n, 8) for n in range(16)]


def test_legato_notes_do_not_overlap():
    tune = read(midi_file(played(scale(gate=1.3))))
    assert [event.pitch for event in tune.events()] == SCALE * 2
    assert durations(tune)[:-1] == [Fraction(1, 8)] * 15
