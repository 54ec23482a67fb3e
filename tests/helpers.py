"""Helpers for tests: runs, models, model files, and commands."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.checkpoints.container import canonical_json, digest
from charrnn.checkpoints.records import TrainingRecord
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.tokenizer import Tokenizer

ROOT = Path(__file__).parent.parent

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, as on Linux")
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, pipes and files")
needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
needs_data = pytest.mark.skipif("CHARRNN_DATA" not in os.environ, reason="CHARRNN_DATA is not set")


def compares_with(program):
    """Mark a test that needs another program; skip it where that is not installed."""
    missing = pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")
    return lambda test: pytest.mark.oracle(missing(test))


# ---- runs ----------------------------------------------------------------------------------------


def finish(trainer):
    """Train to the end and return the reports."""
    return list(trainer.run())


def run_to(trainer, step):
    """Train until `step`, stop there, and return the reports."""
    reports = []
    for report in trainer.run():
        reports.append(report)
        if report.step >= step:
            trainer.stop()
    return reports


def wait_for_line(stream, start=b"step "):
    """Read what a process writes until a line begins with `start`."""
    assert any(line.startswith(start) for line in iter(stream.readline, b""))


# ---- models --------------------------------------------------------------------------------------


def random_checkpoint(config, alphabet, seed=0, scale=1.0, training=None, history=()):
    """Return a model with normally distributed weights."""
    parameters = Parameters(config.shapes(len(alphabet)))
    parameters.flat[:] = np.random.default_rng(seed).normal(0, scale, parameters.flat.shape)
    return Checkpoint(
        config, Tokenizer(alphabet), parameters, training or TrainingRecord(), list(history)
    )


def constant_checkpoint(alphabet, probabilities=None, training=None):
    """Return a model whose prediction is constant; by default, uniform over the alphabet."""
    config = ModelConfig("rnn", hidden_size=1, embedding_size=0)
    parameters = Parameters(config.shapes(len(alphabet)))
    if probabilities is not None:
        parameters["head.bias"][...] = np.log(probabilities)
    return Checkpoint(config, Tokenizer(alphabet), parameters, training or TrainingRecord())


# ---- files ---------------------------------------------------------------------------------------


def document_of(path):
    """Return the JSON object in a model or resume file."""
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["charrnn"])


def rewrite(path, change=None, tensors=None, metadata=None, sign=True):
    """Replace a model or resume file with one of other tensors, metadata or document.

    With `sign`, its digest is made valid again, as someone who forges a file would do.
    """
    tensors = load_file(path) if tensors is None else tensors
    if metadata is None:
        document = document_of(path)
        if change:
            change(document)
        if sign:
            document["digest"] = digest(tensors, document)
        metadata = {"charrnn": canonical_json(document)}
    path.write_bytes(save(tensors, metadata))


def failing(number):
    """Return a function that raises OSError with this errno."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


# ---- commands ------------------------------------------------------------------------------------


def assert_refused(result, code, *words):
    """Assert that a command printed nothing but one line with these words on standard error."""
    assert (result.code, result.out) == (code, "")
    *before, last = result.err.splitlines()
    progress = r"charrnn: reading .*|charrnn: .*: \d+%"
    assert [line for line in before if not re.fullmatch(progress, line)] == []
    assert last.startswith("charrnn: error: ")
    for word in words:
        assert word in last
