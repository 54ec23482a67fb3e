"""Communication between processes, their number, and the division of work."""

import errno

import numpy as np
import pytest

from charrnn.errors import WorkerError
from charrnn.training.comm import Exchange, SharedMemory, share_of
from tests.helpers import failing

# ---- shares --------------------------------------------------------------------------------------


def test_the_slices_of_all_processes_cover_the_vector_in_whole_pieces():
    for length in (1, 9, 10, 11, 64):
        for size in (1, 2, 3, 7):
            shares = [share_of(length, 10, rank, size) for rank in range(size)]
            assert [i for s in shares for i in range(length)[s]] == list(range(length))
            assert all(share.start % 10 == 0 for share in shares)


def test_all_reduce_sums_in_order():
    exchange = Exchange({}, {})
    parts = np.array([[1.0, 2], [10, 20], [100, 200]])
    np.testing.assert_array_equal(exchange.all_reduce(parts, slice(0, 2)), [111, 222])


def test_shared_memory_holds_what_is_written():
    exchange = SharedMemory(
        {"numbers": ((2, 3), "f4"), "none": ((0,), "f8")}, {"text": np.arange(3)}, 2
    )
    exchange.arrays["numbers"][...] = 7
    assert exchange.arrays["numbers"].sum() == 42
    assert exchange.arrays["none"].shape == (0,)
    assert exchange.arrays["text"].tolist() == [0, 1, 2]


def test_running_out_of_descriptors_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr("charrnn.training.comm.shared", failing(errno.EMFILE))
    with pytest.raises(WorkerError) as caught:
        SharedMemory({"numbers": ((2, 3), "f4")}, {}, 8)
    assert caught.value.options == (
        "cannot start 8 workers: too many open files (raise the limit with ulimit -n); use fewer "
        "--workers"
    )
