"""Each use of random numbers has its own counter-based stream."""

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.rng import DROPOUT, INITIAL, MAX_SEED, OFFSET, SAMPLE, TUNES, generator


def first(*stream):
    return generator(*stream).integers(2**63, size=4).tolist()


def test_a_stream_is_always_the_same():
    assert first(7, SAMPLE, 3) == first(7, SAMPLE, 3)


def test_each_seed_purpose_and_index_has_its_own_stream():
    purposes = (INITIAL, OFFSET, DROPOUT, SAMPLE, TUNES)
    streams = [(seed, use, n) for seed in (0, 1, MAX_SEED) for use in purposes for n in (0, 1, 99)]
    assert len({tuple(first(*stream)) for stream in streams}) == len(streams)


def test_streams_do_not_overlap():
    """Streams are 2**128 numbers apart."""
    state = [generator(0, SAMPLE, index).bit_generator.state["state"] for index in (0, 1)]
    np.testing.assert_array_equal(state[1]["counter"] - state[0]["counter"], [0, 0, 1, 0])


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_a_seed_outside_64_bits_is_rejected(seed):
    with pytest.raises(ConfigError, match=f"seed must be between 0 and {MAX_SEED:,}, got {seed}"):
        generator(seed, SAMPLE)
