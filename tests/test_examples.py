"""The examples run as a reader would run them, and learn."""

import os
import subprocess
import sys

import pytest

import charrnn
from charrnn.nn.cells import CELLS
from tests.helpers import ROOT
from tests.processes import PATIENCE


def run(name, *options):
    command = [sys.executable, "-W", "error", ROOT / "examples" / name, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("cell", CELLS)
def test_forecast_comes_near_the_noise(cell):
    table, plot = run("forecast.py", "--cell", cell, "--steps", "300").split("\n\n")
    rows = [[float(number) for number in row.split()] for row in table.splitlines()[1:]]
    assert [row[0] for row in rows] == list(range(30, 301, 30))
    _, first_error, *_ = rows[0]
    _, error, last_value, noise = rows[-1]
    assert noise < error < min(first_error, last_value) / 2
    assert [line.count("*") for line in plot.splitlines()[1:]] == [1] * 30


def test_onnx_sample_writes_what_the_model_would(model_file, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = charrnn.load(model_file)
    charrnn.export(model, tmp_path / "tiny.onnx")
    text = run("onnx_sample.py", tmp_path / "tiny.onnx", "The ", "60", "1e-6")
    assert text == "The " + charrnn.generate(model, "The ", length=60, temperature=0)[0] + "\n"
