"""The melody benchmark: what it counts, and that it can be stopped and taken up again."""

import doctest
import json
import sys

import pytest

from tests.helpers import ROOT


@pytest.fixture
def melody(benchmark):
    return benchmark("melody")


def tune(melody, meter, body):
    return melody.read_abc(f"X:1\nM:{meter}\nL:1/8\nK:C\n{body}\n").tunes[0]


def test_its_example(melody):
    assert doctest.testmod(melody).failed == 0


@pytest.mark.parametrize(
    ("body", "bars"),
    [
        ("c4|d4|]", 2),
        ("c2|d4|e2|]", 2),  # a pick-up and the bar that completes it are one
        ("|:c2|d4|e2:|", 2),
        ("|:c4|1d4:|2e4|]", 2),  # and so are two endings
        ("|:c2|d4|1e2:|2e2|:f2|d4|e2:|", 4),
    ],
)
def test_bars_are_counted_as_written(melody, body, bars):
    assert melody.written_bars(tune(melody, "2/4", body)) == bars


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("AB", "|:c4|d4:|e4|f4|]"),  # a repeat that was not asked for
        ("ABA", "c4||d4||e4|]"),  # a section that comes back changed
        ("AABB", "|:c4:|d4|]"),
    ],
)
def test_a_form_that_is_not_there_is_seen(melody, form, body):
    assert not melody.has(tune(melody, "2/4", body), melody.Request(form=form))


def test_a_form_that_is_there_is_seen(melody):
    body = "|:c4::d4:||:c4:|"
    assert melody.has(tune(melody, "2/4", body), melody.Request(form="AABBAA"))


def test_what_was_measured_is_not_measured_again(melody, monkeypatch, tmp_path, capsys):
    tunes = (ROOT / "corpora" / "tunes.abc").read_text("utf-8").split("\n\n")[:60]
    (tmp_path / "tunes.abc").write_text("\n\n".join(tunes), "utf-8")
    arguments = [str(tmp_path / "tunes.abc"), "--tunes", "1", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["melody.py", *arguments, "--json"])
    calls = []
    kinds = "loss", "ngrams", "people", "people_as_requested", "tunes", "requests", "speed", "files"
    for kind in kinds:
        monkeypatch.setattr(
            melody.Bench, kind, lambda *_, kind=kind: calls.append(kind) or {"of": kind}
        )
    melody.main()
    first = json.loads(capsys.readouterr().out)
    assert len(first) == len(calls) > 10
    melody.main()
    assert json.loads(capsys.readouterr().out) == first
    assert len(first) == len(calls)
