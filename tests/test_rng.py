"""Each use of random numbers has a stream of its own, found by counting."""

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.rng import DROPOUT, INITIAL, MAX_SEED, OFFSET, SAMPLE, TUNES, generator


def first(*stream):
    return generator(*stream).integers(2**63, size=4).tolist()


def test_a_stream_is_always_the_same():
    assert first(7, SAMPLE, 3) == first(7, SAMPLE, 3)


def test_seeds_purposes_and_indices_have_streams_of_their_own():
    purposes = (INITIAL, OFFSET, DROPOUT, SAMPLE, TUNES)
    streams = [(seed, use, n) for seed in (0, 1, MAX_SEED) for use in purposes for n in (0, 1, 99)]
    assert len({tuple(first(*stream)) for stream in streams}) == len(streams)


def test_a_stream_does_not_run_into_the_next():
    """Streams are 2**128 numbers apart."""
    state = [generator(0, SAMPLE, index).bit_generator.state["state"] for index in (0, 1)]
    np.testing.assert_array_equal(state[1]["counter"] - state[0]["counter"], [0, 0, 1, 0])


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_a_seed_outside_64_bits_is_refused(seed):
    with pytest.raises(ConfigError, match=f"seed is {seed}"):
        generator(seed, SAMPLE)
