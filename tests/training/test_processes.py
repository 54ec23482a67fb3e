"""Runs of several processes leave no process and no file behind, however they end."""

import os
import re
import shlex
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.errors import WorkerError
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer
from tests.helpers import finish, linux, wait_for_line
from tests.processes import PATIENCE, gone, in_shared_memory, stop, workers_of
from tests.tiny import CORPUS, OPTIONS, TRAIN, make_trainer

# ---- workers that fail ---------------------------------------------------------------------------


@linux
def test_a_worker_that_dies_ends_the_run_with_a_clear_error(tmp_path):
    out = tmp_path / "model.safetensors"
    before = in_shared_memory(os.getpid())
    reports = make_trainer(out, limits=Limits(max_steps=5000, save_every=5), workers=2).run()
    while next(reports).step < 7:
        (worker,) = workers_of(os.getpid())
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(WorkerError, match="SIGKILL"):
        list(reports)
    assert in_shared_memory(os.getpid()) == before
    resumed = Trainer.resume(CORPUS, out, limits=Limits(max_steps=24), workers=1)
    assert resumed.counters.step == 5
    finish(resumed)


@linux
def test_a_stopped_worker_is_woken_when_it_is_needed(monkeypatch):
    monkeypatch.setattr("charrnn.training.comm.WAKE_AFTER", 0.01)
    reports = make_trainer(workers=2).run()
    next(reports)
    stop(*workers_of(os.getpid()))
    assert next(reports).step == 2


def fail(_):
    raise MemoryError("no memory")


def test_an_error_in_a_worker_is_reported_in_one_line():
    trainer = make_trainer(workers=2)
    trainer.exchange.start(fail)
    with pytest.raises(WorkerError, match="a worker process failed: no memory"):
        trainer.exchange.barrier()


@linux
def test_leaving_the_loop_ends_the_workers():
    reports = make_trainer(workers=2).run()
    next(reports)
    (worker,) = workers_of(os.getpid())
    reports.close()
    assert gone(worker)


@linux
def test_a_stopped_worker_is_woken_to_end_with_the_run():
    trainer = make_trainer(workers=2)
    reports = trainer.run()
    next(reports)
    (process,) = trainer.exchange._workers
    stop(process.pid)
    reports.close()
    assert process.exitcode == 0  # it was not killed


# ---- the command ---------------------------------------------------------------------------------


@pytest.fixture
def run(start, tmp_path):
    """A training run of two processes: the main process, the worker, and a function that returns
    the files they have left in shared memory and in their temporary folder.
    """
    (tmp_path / "novel.txt").write_text(CORPUS.texts[0])
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    child = start(
        *("train", "novel.txt", "--workers=2", *OPTIONS, "--max-steps=100000", "--eval-every=5"),
        env={"TMPDIR": str(temporary)},
        start_new_session=True,
    )
    wait_for_line(child.stderr)
    (worker,) = workers_of(child.pid)
    shared = in_shared_memory(child.pid) | in_shared_memory(worker)
    return child, worker, lambda: [f for f in (*shared, *temporary.iterdir()) if f.exists()]


@linux
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_to_all_processes_saves_and_leaves_nothing(run, cli, tmp_path, name, code):
    child, worker, left = run
    os.killpg(child.pid, getattr(signal, name))  # as Ctrl-C in a terminal does
    errors = child.stderr.read().decode()
    assert (child.wait(PATIENCE), "Traceback" in errors) == (code, False)
    assert gone(worker)
    assert left() == []
    step = int(re.search(r"at step ([\d,]+) and saved", errors)[1].replace(",", ""))
    _, *arguments = shlex.split(errors.splitlines()[-1])
    assert cli(*arguments, "--max-steps", step + 2, "--workers", 1).code == 0
    assert load(tmp_path / "novel.safetensors").training.config.shards == 2


@linux
def test_workers_end_when_the_main_process_is_killed(run):
    child, worker, left = run
    child.kill()
    child.wait()
    assert gone(worker)
    assert left() == []


@linux
def test_a_stopped_worker_does_not_outlive_a_killed_main_process(run):
    child, worker, _ = run
    stop(child.pid)  # or it would wake the worker
    stop(worker)
    child.kill()
    child.wait()
    assert gone(worker)


@linux
def test_a_killed_worker_is_a_one_line_error(run):
    child, worker, _ = run
    os.kill(worker, signal.SIGKILL)
    errors = child.stderr.read().decode()
    assert child.wait(PATIENCE) == 1
    assert "a worker process died (SIGKILL" in errors.splitlines()[-1]
    assert "Traceback" not in errors


@linux
def test_a_run_with_a_stopped_worker_can_be_ended(run):
    child, worker, _ = run
    os.kill(worker, signal.SIGSTOP)
    child.send_signal(signal.SIGTERM)
    errors = child.stderr.read().decode()
    assert (child.wait(PATIENCE), "and saved; to continue:" in errors) == (143, True)
    assert gone(worker)


@linux
def test_shared_memory_has_no_name(run):
    """So nothing is left if all processes are killed at once."""
    _, _, left = run
    assert left() == []  # although they are still running


@linux
def test_without_memfd_memory_is_shared_through_an_unnamed_file(monkeypatch, tmp_path):
    monkeypatch.setattr("charrnn.text.spool.sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shared, alone = make_trainer(workers=2), make_trainer(train=replace(TRAIN, shards=2))
    finish(shared)
    assert list(tmp_path.iterdir()) == []
    finish(alone)
    np.testing.assert_array_equal(shared.parameters.flat, alone.parameters.flat)


# ---- scripts -------------------------------------------------------------------------------------


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


SCRIPT = """
from charrnn import Corpus, Limits, ModelConfig, Trainer
corpus = Corpus.from_texts("the cat sat on the mat and thought about it " * 5000)
trainer = Trainer.new(corpus, ModelConfig(hidden_size=4), limits=Limits(max_steps=9), workers=2)
"""


def test_several_workers_without_a_main_guard_are_an_error_and_no_hang(process, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "print(len(list(trainer.run())))\n")
    result = process(script=(script,))
    assert result.code == 1
    assert "WorkerError: a worker process died (exit code 1)" in result.err


@pytest.mark.parametrize("stopped", [False, pytest.param(True, marks=linux)])
def test_python_may_exit_during_a_run(process, tmp_path, stopped):
    script = tmp_path / "script.py"
    guarded = SCRIPT.replace("trainer =", "if __name__ == '__main__':\n    trainer =")
    guarded += "    reports = trainer.run()\n    print(next(reports).step)\n"
    if stopped:
        guarded += "    from tests.processes import stop\n"
        guarded += "    stop(trainer.exchange._workers[0].pid)\n"
    script.write_text(guarded)
    result = process(script=(script,))
    assert (result.code, result.out.strip()) == (0, "1")
