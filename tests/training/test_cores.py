"""Which cores a run uses, and how its batch is divided between them."""

import os

import pytest

from charrnn.errors import ConfigError
from charrnn.training import cores
from charrnn.training.autoconfig import choose
from charrnn.training.cores import batch_for, share_out, usable_cores


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Pretend to have CPUs, given as threads of each core, and limits in /sys/fs/cgroup."""

    def pretend(siblings, limits=None, group="0::/"):
        for threads in siblings:
            for cpu in threads:
                topology = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
                topology.mkdir(parents=True)
                (topology / "thread_siblings_list").write_text(",".join(map(str, threads)))
        for name, text in (limits or {}).items():
            path = tmp_path / "fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(group + "\n")
        every = {cpu for threads in siblings for cpu in threads}
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: every, raising=False)
        monkeypatch.setattr(cores, "SYSTEM", tmp_path)
        monkeypatch.setattr(cores, "OWN_GROUP", tmp_path / "own")

    return pretend


FOUR = [(0,), (1,), (2,), (3,)]


def test_two_threads_of_one_core_count_once(machine):
    machine([(0, 4), (1, 5), (2, 6), (3, 7)])
    assert usable_cores() == 4


def test_affinity_limits_the_cores(machine, monkeypatch):
    machine([(0, 4), (1, 5), (2, 6), (3, 7)])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4}, raising=False)
    assert usable_cores() == 2


def test_unknown_cpus_count_as_cores(machine, monkeypatch):
    machine([])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert usable_cores() == 3


@pytest.mark.parametrize(
    ("limits", "group", "expected"),
    [
        ({"cpu.max": "250000 100000"}, "0::/", 2),
        ({"cpu.max": "50000 100000"}, "0::/", 1),
        ({"cpu.max": "max 100000"}, "0::/", 4),
        ({"cpu.max": "nonsense"}, "0::/", 4),
        ({"user.slice/cpu.max": "300000 100000"}, "0::/user.slice/job", 3),
        (
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
            "3:cpu,cpuacct:/",
            2,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu:/", 4),
    ],
)
def test_quotas_of_control_groups_limit_the_cores(machine, limits, group, expected):
    machine(FOUR, limits, group)
    assert usable_cores() == expected


def test_usable_cores_are_at_most_the_cores_of_the_machine():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32])
def test_every_core_gets_work(monkeypatch, count):
    monkeypatch.setattr(cores, "usable_cores", lambda: count)
    batch_size, seq_len = batch_for(count)
    assert share_out("auto", 0, batch_size) == (count, count)
    assert batch_size * seq_len == pytest.approx(2048, rel=0.03)


@pytest.mark.parametrize(("count", "expected"), [(1, (32, 64)), (4, (32, 64)), (8, (64, 32))])
def test_batch_and_chunk_are_selected_for_the_cores(count, expected):
    choice = choose(1_000_000, 65, count)
    assert (choice.train.batch_size, choice.train.seq_len) == expected
    assert ("batch_size" in choice.chosen) == (expected != (32, 64))


@pytest.mark.parametrize("stated", [{"batch_size": 50}, {"shards": 2}, {"seq_len": 10}])
def test_stated_sizes_are_kept(stated):
    train = choose(1_000_000, 65, 8, **stated).train
    assert all(getattr(train, name) == value for name, value in stated.items())
    if "seq_len" not in stated:
        assert train.seq_len == 64


def test_auto_divides_a_stated_batch_evenly(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 6)
    assert share_out("auto", 0, 64) == (4, 4)
    assert share_out("auto", 0, 48) == (6, 6)
    assert share_out("auto", 0, 51) == (3, 3)
    assert share_out("auto", 0, 7) == (1, 1)  # too narrow to divide
    assert share_out("auto", 2, 8) == (2, 2)  # the shards of a run are fixed
    assert share_out("alone", 0, 48) == (1, 6)
    assert share_out(1, 4, 8) == (1, 4)
    assert share_out(2, 0, 8) == (2, 2)


@pytest.mark.parametrize(
    ("workers", "shards", "batch"), [(3, 0, 8), (0, 0, 8), ("many", 0, 8), (2, 3, 9), (1, 3, 8)]
)
def test_numbers_that_do_not_divide_the_batch_are_rejected(workers, shards, batch):
    with pytest.raises(ConfigError):
        share_out(workers, shards, batch)
