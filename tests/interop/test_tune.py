"""Tunes in a model's page: read and performed as in charrnn.music, shown and played."""

import json
import subprocess

import numpy as np
import pytest

from charrnn.checkpoints.records import StoredReading, TrainConfig, TrainingRecord
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.layout import beat
from charrnn.music.performance import BEAT, DOWNBEAT, WEAK, performance
from charrnn.music.tune import tempo_of
from charrnn.nn.model import ModelConfig
from tests.helpers import ROOT, random_checkpoint
from tests.interop.node import NEEDS_NODE, WEB
from tests.processes import PATIENCE

TUNES = read_abc((ROOT / "corpora" / "tunes.abc").read_text("utf-8")).tunes
SPECIAL = read_abc(
    """X:1
T:Hornpipe & reel
M:4/4
L:1/8
K:Ebmin
z2|:_B2-B=c(3d^ef g2-|g^^f__e3z3-:|[M:6/8][K:F#dor]C,3C'3/2d'/4e/4z||A-|A3 (5:4:5abcde|1 A6:|2 B6|]

X:2
M:none
K:C
C4D|E/F/G//A3/2|]

X:3
M:9/8
K:A
|:e|a2g f2e d2c|(2AB c3 d3:|
"""
).tunes

HARNESS = """
const { source, texts } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { readTune, performanceOf, beatOf, tempoOf } =
  new Function(source + "; return { readTune, performanceOf, beatOf, tempoOf };")();
process.stdout.write(JSON.stringify(texts.map((text) => {
  const tune = readTune(text);
  return tune && { ...performanceOf(tune), beat: beatOf(tune.meter), tempo: tempoOf(tune.meter),
    title: tune.title, complete: tune.complete };
})));
"""


def read_in_node(texts):
    message = {"source": (WEB / "tune.js").read_text("utf-8"), "texts": texts}
    run = subprocess.run(
        ["node", "-e", HARNESS],
        input=json.dumps(message).encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    return json.loads(run.stdout)


def compares_with_python(test):
    for mark in NEEDS_NODE:
        test = mark(test)
    return test


@compares_with_python
@pytest.mark.parametrize("tunes", [TUNES, SPECIAL], ids=["corpus", "special"])
def test_tunes_are_performed_as_in_python(tunes):
    read = read_in_node([canonical(tune, title=True) for tune in tunes])
    for tune, found in zip(tunes, read, strict=True):
        expected = [
            (note.number, note.pitch, note.start, note.duration, note.sounds)
            for note in performance(tune)
        ]
        *times, velocities = np.array(found["played"], float).T
        np.testing.assert_allclose(np.transpose(times), np.array(expected, float), atol=1e-9)
        assert set(velocities) <= {WEAK, BEAT, DOWNBEAT}
        assert found["beat"] == float(beat(tune.meter))
        assert found["tempo"] == tempo_of(tune.meter)
        assert found["title"] == tune.title
        assert found["complete"]


@compares_with_python
def test_text_without_music_is_no_tune():
    texts = ["", "Once upon a time", "M:6/8\nK:C\n", "|||::"]
    assert read_in_node(texts) == [None] * len(texts)


@compares_with_python
def test_a_tune_may_break_off_anywhere():
    text = canonical(SPECIAL[0])
    found = read_in_node([text[:end] for end in range(len(text))])
    assert not any(tune["complete"] for tune in found[: text.index(":|")] if tune)


# ---- in a browser --------------------------------------------------------------------------------

TUNE = "M:6/8\nK:Dmaj\n|:Adf agf|"
FINISHED = TUNE + "e2d d3:|\n\n"


@pytest.fixture
def tab(visit):
    training = TrainingRecord(TrainConfig(documents="tunes"), reading=StoredReading("tunes"))
    alphabet = "".join(sorted(set(FINISHED + "Gz<>")))
    return visit(random_checkpoint(ModelConfig("gru", 8, 1, 4), alphabet, training=training))


def article(tab, words):
    """Wait for a tune whose description has these words."""
    tab.until(f"document.querySelector('#tune .settings')?.textContent === {json.dumps(words)}")


def test_a_tune_is_drawn_while_it_is_written_and_played_when_finished(tab):
    tab.evaluate(f"setText({json.dumps(TUNE)})")
    article(tab, "D major, 6/8, 1 bar, unfinished")
    tab.evaluate(f"setText({json.dumps(FINISHED)})")
    article(tab, "D major, 6/8, 2 bars")
    assert tab.evaluate("document.querySelectorAll('#tune .note').length") == 9
    tab.click("#tune .play")
    assert tab.evaluate("document.querySelectorAll('#tune .playing').length") == 1
    tab.until("document.querySelector('#tune .lit')")
    tab.click("#tune .play")
    assert tab.evaluate("document.querySelectorAll('#tune .playing').length") == 0


def test_the_tune_at_the_cursor_is_shown(tab):
    text = FINISHED + "M:3/4\nK:Gmaj\nG6|]\n\n"
    tab.evaluate(f"setText({json.dumps(text)})")
    article(tab, "G major, 3/4, 1 bar")
    tab.evaluate("field.setSelectionRange(20, 20); field.click()")
    article(tab, "D major, 6/8, 2 bars")


def test_another_tune_silences_the_one_that_plays(tab):
    tab.evaluate(f"setText({json.dumps(FINISHED)})")
    article(tab, "D major, 6/8, 2 bars")
    tab.click("#tune .play")
    tab.evaluate("setText('K:Gmaj\\nGAB|]')")
    article(tab, "G major, 4/4, 1 bar")
    assert tab.evaluate("playing") is None


def test_the_space_bar_plays_only_outside_of_the_text(tab):
    tab.evaluate(f"setText({json.dumps(FINISHED)})")
    article(tab, "D major, 6/8, 2 bars")
    tab.click("#editor")
    tab.press(" ", "Space", 32)
    assert tab.evaluate("playing") is None
    assert tab.evaluate("text").count(" ") == FINISHED.count(" ") + 1


def test_text_without_a_tune_shows_no_player(tab):
    tab.evaluate("setText('Once upon a time')")
    tab.until("drawing === 0")
    assert tab.evaluate("document.querySelector('#tune').hidden")
