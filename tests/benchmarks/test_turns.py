"""Benchmarks that take turns: processes, bursts and ratios, and the comparison of two versions."""

import ast
import doctest
import io
import itertools
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from charrnn import TrainConfig
from tests.helpers import ROOT

SCRIPT = ROOT / "benchmarks" / "train_speed.py"


@pytest.fixture
def turns(benchmark):
    return benchmark("turns")


@pytest.fixture
def train_speed(benchmark):
    return benchmark("train_speed")


@pytest.fixture
def job(turns):
    """A function that returns a tiny job."""
    return lambda task, cell="rnn": turns.Job(task, cell, 1, 4, 8, 5, cores=1)


class FakeSide:
    """A side that answers at once; each burst has the next of the `rates`."""

    def __init__(self, name, rates, peak=0, log=None):
        self.name, self.rates, self.peak = name, iter(rates), peak
        self.log = [] if log is None else log

    def ask(self, action, argument=None):  # noqa: ARG002 (as a side does)
        self.log.append((self.name, action))
        if action == "burst":
            return next(self.rates)
        return {"machine": {"charrnn": "0.1.0"}, "memory": self.peak}.get(action)


def test_examples(turns):
    assert doctest.testmod(turns).failed == 0


@pytest.mark.parametrize("script", ["turns.py", "train_speed.py"])
def test_scripts_import_only_what_charrnn_exports(turns, script):
    tree = ast.parse(Path(turns.__file__).with_name(script).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {
        a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
    }
    assert {module for module in modules if module.startswith("charrnn")} == {"charrnn"}


def test_the_first_to_go_alternates(turns, job):
    log = []
    sides = FakeSide("a", [1, 1, 1], log=log), FakeSide("b", [1, 1, 1], log=log)
    turns.compare(sides, job("train"), bursts=3)
    assert [name for name, action in log if action == "burst"] == ["a", "b", "b", "a", "a", "b"]


def test_the_ratio_is_the_median_over_the_turns(turns, job):
    sides = FakeSide("a", [10, 40, 90]), FakeSide("b", [10, 10, 45])
    outcome = turns.compare(sides, job("train"), bursts=3)
    assert (outcome.ours, outcome.theirs, outcome.ratio) == (40, 10, 2)
    assert outcome.ratios == [1, 4, 2]


def test_a_side_works_on_one_job_at_a_time(turns, job, monkeypatch, capsys):
    log = []

    def make(job):
        log.append(f"start {job.task}")
        try:
            while True:
                log.append("work")
                yield 3
        finally:
            log.append(f"stop {job.task}")

    requests = [["start", asdict(job("train"))], ["burst", 0], ["start", asdict(job("evaluate"))]]
    clock = SimpleNamespace(perf_counter=itertools.count(step=0.001).__next__)
    monkeypatch.setattr(turns, "time", clock)
    monkeypatch.setattr(turns, "BURST_SECONDS", 0)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(map(json.dumps, requests))))
    turns.serve(make)
    assert log[:6] == ["start train", *["work"] * 2, *["work"] * 2, "stop train"]
    assert log[6:9] == ["start evaluate", *["work"] * 2]
    started, rate, started_again = map(json.loads, capsys.readouterr().out.splitlines())
    assert started is started_again is None
    assert rate > 0


def test_another_interpreter_does_not_inherit_pythonpath(turns, monkeypatch, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os; input(); print('\"%s\"' % os.environ.get('PYTHONPATH'))")
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PYTHONPATH", "here")
    with turns.both_sides(against=sys.executable) as (this, other):
        assert (this.ask("?"), other.ask("?")) == ("here", "None")


def test_a_side_that_died_is_named(turns, monkeypatch, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("")
    monkeypatch.setattr(sys, "argv", [str(script)])
    with turns.Side("other") as side:
        side._process.wait()  # or it might end only after it was asked
        with pytest.raises(SystemExit, match="other ended at"):
            side.ask("machine")


def test_the_script_serves(turns, job, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with turns.Side("this") as side:
        assert side.ask("package") == str(ROOT / "charrnn")
        side.ask("start", asdict(job("train")))
        assert side.ask("burst", 0) > 0
        assert (side.ask("memory") > 0) == Path("/proc/self/status").exists()


@pytest.mark.parametrize(
    ("task", "characters"),
    [("train", 8 * 5), ("default run", 8 * TrainConfig().seq_len), ("evaluate", 8 * 512)],
)
def test_versions_count_the_characters_of_a_step_or_a_call(train_speed, job, task, characters):
    work = train_speed.JOBS["this"][task](job(task))
    assert [next(work), next(work)] == [characters] * 2
    work.close()


def test_all_characters_but_the_first_are_evaluated_without_a_warm_up(train_speed, job):
    work = train_speed.JOBS["charrnn"]["evaluate"](job("evaluate"))
    assert next(work) == next(work) == 8 * 512 - 1


def test_versions_are_compared_in_one_table(train_speed, monkeypatch, capsys):
    @contextmanager
    def both_sides(against):
        assert against == sys.executable
        yield FakeSide("this", [3000.0] * 9, 2**20), FakeSide("other", [2500.0] * 9, 4 * 2**20)

    monkeypatch.setattr(train_speed, "both_sides", both_sides)
    arguments = ["--against", sys.executable, "--cells", "lstm", "gru", "--sizes", "2x512"]
    monkeypatch.setattr(sys, "argv", ["train_speed.py", *arguments, "--bursts", "1"])
    train_speed.main()
    table = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    assert table == [
        "| task | cell | size | this, 0.1.0 | other, 0.1.0 | ratio | required | goal | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| train | lstm | 2x512 B64 T128 | 3.0 | 2.5 | 1.20 | 1.08 | 1.25 | yes |",
        "| train | gru | 2x512 B64 T128 | 3.0 | 2.5 | 1.20 | 1.08 | 1.25 | yes |",
        "| default run | gru | 1x384 B32 | 3.0 | 2.5 | 1.20 | 1.2 | 1.4 | yes |",
        "| evaluate | lstm | 2x512 B64 | 3.0 | 2.5 | 1.20 | 1.08 | 1.25 | yes |",
        "| evaluate | gru | 2x512 B64 | 3.0 | 2.5 | 1.20 | 1.08 | 1.25 | yes |",
        "| peak memory | lstm | 2x512 | 1 | 4 | 0.25 | at most 0.8 | at most 0.5 | goal |",
    ]
