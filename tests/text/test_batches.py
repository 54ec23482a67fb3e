"""Chunks cover the text once per epoch, stream by stream, and mark where documents start."""

from itertools import pairwise

import numpy as np
import pytest

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.batches import Encoded, Streams, fit

N, B, T = 103, 3, 5  # 6 chunks per epoch, and a remainder of 13 characters
CHUNKS = 6


def numbered(length=N, ends=()):
    """Return a text whose ids are their own positions."""
    return Encoded(np.arange(length, dtype=np.uint8), np.array([*ends, length - 1], np.int64))


def epoch(streams, number):
    first = number * streams.chunks_per_epoch
    return [streams.chunk(first + index) for index in range(streams.chunks_per_epoch)]


def test_an_epoch_has_as_many_chunks_as_fit():
    assert Streams(numbered(), B, T, 0).chunks_per_epoch == CHUNKS
    assert Streams(numbered(15), B, T, 0).chunks_per_epoch == 1


@pytest.mark.parametrize("length", [15, 16, 29, 30, N])
def test_an_epoch_reads_no_character_twice_and_skips_only_the_remainder(length):
    streams = Streams(numbered(length), B, T, 0)
    for number in range(5):
        read = np.concatenate([chunk.inputs.ravel() for chunk in epoch(streams, number)])
        assert len(read) == length // (B * T) * (B * T)
        assert len(set(read)) == len(read)


def test_chunks_have_the_dtype_of_the_text():
    chunk = Streams(numbered(), B, T, 0).chunk(4)
    assert chunk.inputs.shape == chunk.targets.shape == (T, B)
    assert chunk.inputs.dtype == chunk.targets.dtype == np.uint8


@pytest.mark.parametrize("length", [15, N])
def test_targets_are_the_next_characters(length):
    streams = Streams(numbered(length), B, T, 0)
    for step in range(20):
        chunk = streams.chunk(step)
        np.testing.assert_array_equal(chunk.targets, (chunk.inputs.astype(int) + 1) % length)
        np.testing.assert_array_equal(chunk.targets[:-1], chunk.inputs[1:])


def test_a_stream_continues_where_its_previous_chunk_ended():
    streams = Streams(numbered(), B, T, 0)
    for number in range(5):
        chunks = epoch(streams, number)
        for one, following in pairwise(chunks):
            np.testing.assert_array_equal(following.inputs[0], one.targets[-1])


def test_streams_are_consecutive():
    chunks = epoch(Streams(numbered(), B, T, 0), 0)
    starts, ends = chunks[0].inputs[0], chunks[-1].targets[-1]
    np.testing.assert_array_equal(starts[1:], ends[:-1])


def test_each_epoch_starts_at_another_offset():
    streams = Streams(numbered(), B, T, 0)
    offsets = [int(streams.chunk(number * CHUNKS).inputs[0, 0]) for number in range(20)]
    assert len(set(offsets)) > 15


def test_chunks_depend_only_on_seed_and_step():
    one, same, other = (Streams(numbered(), B, T, seed) for seed in (7, 7, 8))
    steps = [30, 2, 0, 13]
    same.chunk(99)
    for step in steps:
        np.testing.assert_array_equal(one.chunk(step).inputs, same.chunk(step).inputs)
    assert any(np.any(one.chunk(step).inputs != other.chunk(step).inputs) for step in steps)


@pytest.mark.parametrize("ends", [(), (0,), (40,), (0, 1, 2, 50, 51, 101), range(N - 1)])
def test_the_state_is_reset_at_each_epoch_and_at_the_last_character_of_a_document(ends):
    text = numbered(ends=ends)
    streams = Streams(text, B, T, 0)
    for step in range(10 * CHUNKS):
        chunk = streams.chunk(step)
        expected = np.isin(chunk.inputs, text.ends)
        if step % CHUNKS == 0:
            expected[0] = True
        if chunk.resets is None:
            assert not expected.any()
        else:
            assert chunk.resets.dtype == np.bool_
            np.testing.assert_array_equal(chunk.resets, expected)
            assert expected.any()


def test_resets_wrap_around_the_text():
    text = numbered(7, ends=(2,))
    starts = np.array([0, 3, -2, 6, 20])
    expected = np.isin((starts + np.arange(30)[:, None]) % 7, [2, 6])
    np.testing.assert_array_equal(text.resets(starts, 30), expected)


def test_a_text_shorter_than_a_chunk_is_refused_with_the_sizes():
    with pytest.raises(
        CorpusError, match=r"14 training characters, fewer than 3 x 5 .batch_size x seq_len."
    ):
        Streams(numbered(14), B, T, 0)
    with pytest.raises(CorpusError, match="0 training characters"):
        Streams(Encoded(np.empty(0, np.uint8), np.empty(0, np.int64)), 1, 1, 0)


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match=r"seed .*-1"):
        Streams(numbered(), B, T, -1).chunk(0)


@pytest.mark.parametrize(
    ("asked", "characters", "expected"),
    [
        ((32, 64), 2048, (32, 64)),
        ((32, 64), 2047, (32, 32)),
        ((50, 50), 1000, (25, 25)),
        ((1, 100), 30, (1, 25)),
        ((100, 1), 30, (25, 1)),
        ((32, 64), 2, (1, 2)),
        ((2, 1), 2, (2, 1)),
        ((1, 1), 10**9, (1, 1)),
        ((10**9, 10**9), 10**6, (954, 954)),
    ],
)
def test_sizes_are_halved_until_a_chunk_fits(asked, characters, expected):
    assert fit(characters, *asked) == expected


def test_fitted_sizes_fit_and_never_grow():
    rng = np.random.default_rng(0)
    for _ in range(500):
        characters, *asked = (int(n) for n in 2 ** rng.uniform([1, 0, 0], [16, 10, 10]))
        batch_size, seq_len = fit(characters, *asked)
        assert 1 <= batch_size <= asked[0]
        assert 1 <= seq_len <= asked[1]
        assert batch_size * seq_len <= characters
        if asked[0] * asked[1] <= characters:
            assert [batch_size, seq_len] == asked


@pytest.mark.parametrize(
    ("characters", "named"), [(0, "0 training characters;"), (1, "1 training character;")]
)
def test_fewer_than_two_characters_are_refused(characters, named):
    with pytest.raises(CorpusError, match=named):
        fit(characters, 1, 1)
