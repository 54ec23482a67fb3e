"""Runs of several processes: the same bits, and nothing left behind, whatever way they end."""

import os
import re
import shlex
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import ConfigError, WorkerError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.comm import Exchange, SharedMemory, share_of, share_out, usable_cores
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer

CORPUS = Corpus.from_texts("the cat sat on the mat and the dog on the log\n" * 60)
MODEL = ModelConfig("lstm", hidden_size=8, num_layers=2, embedding_size=4, dropout=0.3)
TRAIN = TrainConfig(seq_len=8, batch_size=8, learning_rate=0.01, shards=2)
LIMITS = Limits(max_steps=24, eval_every=5)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def finish(trainer, stop_at=None):
    for report in trainer.run():
        if report.step == stop_at:
            trainer.stop()


# ---- bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(1, 1), (2, 1), (1, 2), (2, 2)], ids=str)
def test_the_bits_depend_on_the_shards_and_not_on_the_workers(tmp_path, workers):
    """Here also interrupted, and gone on with by another number of workers."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    finish(Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, whole))
    finish(Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, parts, workers=workers[0]), stop_at=11)
    finish(Trainer.resume(CORPUS, parts, workers=workers[1]))
    assert parts.read_bytes() == whole.read_bytes()


def test_other_numbers_of_shards_agree_closely():
    weights = []
    for shards in (1, 2, 4):
        model = ModelConfig("gru", hidden_size=8, embedding_size=4, dropout=0.0)
        train = TrainConfig(seq_len=8, batch_size=8, optimizer="sgd", shards=shards)
        trainer = Trainer.new(CORPUS, model, train, Limits(max_steps=10))
        finish(trainer)
        weights.append(trainer.parameters.flat.copy())
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], rtol=0, atol=1e-5)


def test_the_shares_of_all_processes_are_whole_pieces_and_make_the_vector():
    for length in (1, 9, 10, 11, 64):
        for size in (1, 2, 3, 7):
            shares = [share_of(length, 10, rank, size) for rank in range(size)]
            assert [i for s in shares for i in range(length)[s]] == list(range(length))
            assert all(share.start % 10 == 0 for share in shares)


def test_all_reduce_adds_in_order():
    exchange = Exchange({}, {})
    parts = np.array([[1.0, 2], [10, 20], [100, 200]])
    np.testing.assert_array_equal(exchange.all_reduce(parts, slice(0, 2)), [111, 222])


# ---- how many ------------------------------------------------------------------------------------


def test_workers_are_as_many_as_the_cores_if_the_batch_is_wide_enough(monkeypatch):
    monkeypatch.setattr("charrnn.training.comm.usable_cores", lambda: 4)
    assert share_out("auto", 0, 64) == (4, 4)
    assert share_out("auto", 0, 32) == (2, 2)
    assert share_out("auto", 0, 51) == (3, 3)
    assert share_out("auto", 0, 8) == (1, 1)
    assert share_out("auto", 2, 8) == (2, 2)  # a run's shards are not for others to change
    assert share_out(1, 4, 8) == (1, 4)
    assert share_out(2, 0, 8) == (2, 2)


@pytest.mark.parametrize(
    ("workers", "shards", "batch"), [(3, 0, 8), (0, 0, 8), ("many", 0, 8), (2, 3, 9), (1, 3, 8)]
)
def test_numbers_that_do_not_divide_are_refused(workers, shards, batch):
    with pytest.raises(ConfigError):
        share_out(workers, shards, batch)


def test_usable_cores_are_those_of_this_process():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


# ---- ends ----------------------------------------------------------------------------------------


def workers_of(pid):
    """The worker processes of `pid`, those of Python's own resource tracker left aside."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def shared_memory():
    return sorted(path.name for path in Path("/dev/shm").iterdir())


def gone(pid):
    """Wait, without sleeping, until the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    import select

    ready = select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
    return bool(ready)


@linux
def test_a_worker_that_dies_ends_the_run_with_one_clear_error(tmp_path):
    out = tmp_path / "model.safetensors"
    before = shared_memory()
    trainer = Trainer.new(
        CORPUS, MODEL, TRAIN, Limits(max_steps=5000, save_every=5), out, workers=2
    )
    reports = trainer.run()
    while next(reports).step < 7:
        (worker,) = workers_of(os.getpid())
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerError, match="SIGKILL"):
        list(reports)
    assert shared_memory() == before
    resumed = Trainer.resume(CORPUS, out, Limits(max_steps=24), workers=1)
    assert resumed.counters.step == 5
    finish(resumed)


@linux
def test_leaving_the_loop_ends_the_workers():
    trainer = Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, workers=2)
    reports = trainer.run()
    next(reports)
    (worker,) = workers_of(os.getpid())
    reports.close()
    assert gone(worker)


@pytest.fixture
def run(start, tmp_path):
    """A run of two processes that has begun to train, and its worker."""
    (tmp_path / "novel.txt").write_text(CORPUS.texts[0])
    options = "--hidden-size 8 --batch-size 8 --seq-len 8 --max-steps 100000 --eval-every 5"
    child = start("train", "novel.txt", "--workers", "2", *options.split(), start_new_session=True)
    assert any(line.startswith(b"step ") for line in iter(child.stderr.readline, b""))
    return child, *workers_of(child.pid)


@linux
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_to_all_processes_saves_and_leaves_nothing(run, cli, tmp_path, name, code):
    child, worker = run
    os.killpg(child.pid, getattr(signal, name))  # as a terminal's Ctrl-C does
    errors = child.stderr.read().decode()
    assert (child.wait(60), "Traceback" in errors) == (code, False)
    assert gone(worker)
    assert not [name for name in shared_memory() if str(child.pid) in name]
    step = int(re.search(r"at step ([\d,]+); saved", errors)[1].replace(",", ""))
    _, *arguments = shlex.split(errors.splitlines()[-1])
    assert cli(*arguments, "--max-steps", step + 2, "--workers", 1).code == 0
    assert load(tmp_path / "novel.safetensors").training.config.shards == 2


@linux
def test_when_the_first_process_is_killed_the_others_end(run):
    child, worker = run
    child.kill()
    child.wait()
    assert gone(worker)
    assert not [name for name in shared_memory() if str(child.pid) in name]


@linux
def test_a_stopped_worker_does_not_outlive_a_killed_first_process(run):
    child, worker = run
    os.kill(worker, signal.SIGSTOP)
    while ") T " not in Path(f"/proc/{worker}/stat").read_text():
        pass  # until it has stopped
    child.kill()
    child.wait()
    assert gone(worker)


@linux
def test_what_processes_share_has_no_name_anywhere(start, tmp_path):
    """So that nothing is left if all of them are killed at once."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "novel.txt").write_text(CORPUS.texts[0])
    options = "--hidden-size 8 --batch-size 8 --seq-len 8 --max-steps 100000 --eval-every 5"
    child = start(
        *("train", "novel.txt", "--workers", "2", *options.split()),
        env={"TMPDIR": str(tmp_path / "temporary")},
    )
    assert any(line.startswith(b"step ") for line in iter(child.stderr.readline, b""))
    assert not [name for name in shared_memory() if str(child.pid) in name]
    assert list((tmp_path / "temporary").iterdir()) == []


@linux
def test_a_system_without_files_in_memory_shares_through_a_temporary_one(monkeypatch, tmp_path):
    monkeypatch.setattr("charrnn.text.spool.sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trainer = Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, workers=2)
    finish(trainer)
    assert list(tmp_path.iterdir()) == []
    alone = Trainer.new(CORPUS, MODEL, TRAIN, LIMITS)
    finish(alone)
    np.testing.assert_array_equal(trainer.parameters.flat, alone.parameters.flat)


@linux
def test_a_killed_worker_is_an_error_of_one_line(run):
    child, worker = run
    os.kill(worker, signal.SIGKILL)
    errors = child.stderr.read().decode()
    assert child.wait(60) == 1
    assert "a worker process died (SIGKILL" in errors.splitlines()[-1]
    assert "Traceback" not in errors


@linux
def test_a_stopped_worker_is_woken(run):
    child, worker = run
    os.kill(worker, signal.SIGSTOP)
    child.send_signal(signal.SIGTERM)  # it ends after a step, to which the worker is needed
    errors = child.stderr.read().decode()
    assert (child.wait(60), "saved. Go on with:" in errors) == (143, True)
    assert gone(worker)


def test_a_script_without_a_main_guard_trains_with_one_worker(process, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from charrnn import Corpus, Limits, ModelConfig, Trainer\n"
        "corpus = Corpus.from_texts('the cat sat ' * 90)\n"
        "trainer = Trainer.new(corpus, ModelConfig(hidden_size=4), limits=Limits(max_steps=2))\n"
        "print([report.step for report in trainer.run()][-1])\n"
    )
    assert process(script=(script,)).out.strip() == "2"


def test_several_workers_need_no_script_file(process):
    code = (
        "from charrnn import Corpus, Limits, ModelConfig, Trainer\n"
        "corpus = Corpus.from_texts('the cat sat ' * 90)\n"
        "model, limits = ModelConfig(hidden_size=4), Limits(max_steps=2)\n"
        "print([r.step for r in Trainer.new(corpus, model, limits=limits, workers=2).run()][-1])\n"
    )
    assert process(script=("-c", code)).out.strip() == "2"


def test_shared_memory_holds_what_is_written():
    exchange = SharedMemory(
        {"numbers": ((2, 3), "f4"), "none": ((0,), "f8")}, {"text": np.arange(3)}, 2
    )
    exchange.arrays["numbers"][...] = 7
    assert exchange.arrays["numbers"].sum() == 42
    assert exchange.arrays["none"].shape == (0,)
    assert exchange.arrays["text"].tolist() == [0, 1, 2]


SCRIPT = """
from charrnn import Corpus, Limits, ModelConfig, Trainer
corpus = Corpus.from_texts("the cat sat on the mat and thought about it " * 5000)
trainer = Trainer.new(corpus, ModelConfig(hidden_size=4), limits=Limits(max_steps=9), workers=2)
"""


def test_a_script_that_lacks_a_main_guard_is_an_error_and_no_hang(process, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "print(len(list(trainer.run())))\n")
    result = process(script=(script,))
    assert result.code == 1
    assert "WorkerError: a worker process died (exit code 1)" in result.err


def test_python_may_exit_in_the_middle_of_a_run(process, tmp_path):
    script = tmp_path / "script.py"
    guarded = SCRIPT.replace("trainer =", "if __name__ == '__main__':\n    trainer =")
    script.write_text(guarded + "    reports = trainer.run()\n    print(next(reports).step)\n")
    result = process(script=(script,))
    assert (result.code, result.out.strip()) == (0, "1")


def test_what_goes_wrong_in_a_worker_is_told_in_one_line():
    trainer = Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, workers=2)
    trainer.exchange.start(fail)
    with pytest.raises(WorkerError, match="a worker process failed: no memory"):
        trainer.exchange.barrier()


def fail(_):
    raise MemoryError("no memory")


def test_workers_may_change_without_a_notice(tmp_path):
    out = tmp_path / "model.safetensors"
    finish(Trainer.new(CORPUS, MODEL, TRAIN, LIMITS, out, workers=2), stop_at=11)
    assert Trainer.resume(CORPUS, out, workers=1).notices == []


def test_a_short_text_makes_workers_fewer():
    train = TrainConfig(seq_len=8, batch_size=50)
    corpus = Corpus.from_texts("the cat sat on it\n" * 12)
    assert Trainer.new(corpus, MODEL, train, LIMITS, workers=2).workers == 1


def test_an_error_in_a_step_leaves_the_last_good_state():
    trainer = Trainer.new(CORPUS, MODEL, TRAIN, LIMITS)
    before = trainer.parameters.flat.copy()
    reports = trainer.run()
    next(reports)
    trainer.learner.network.train = None
    with pytest.raises(TypeError):
        next(reports)
    np.testing.assert_array_equal(trainer.parameters.flat, before)
    assert trainer.counters.step == 0
