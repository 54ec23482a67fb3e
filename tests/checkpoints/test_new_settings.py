"""Adding a setting keeps older files readable, and older versions report newer files as such.

The tests add a field to every settings class in a copy of the package.
"""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

import charrnn
from charrnn.errors import CheckpointError
from tests.checkpoints.test_old_files import every_run, resume
from tests.helpers import ROOT

# The first field of each settings class, by file.
PLACES = {
    "nn/model.py": "    cell: str = setting(",  # ModelConfig
    "checkpoints/records.py": "    init: str = setting(",  # TrainConfig
    "training/limits.py": "    epochs: float | None = setting(",  # Limits
    "training/state.py": "    step: int = 0\n    seconds: float",  # Counters
    "music/dataset.py": "    transpose: str = setting(",  # TuneReading
}
FIELD = '    toy: float = setting(0.5, "Toy.")\n'


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """The folder of a copy of the package in which every settings class has one more field."""
    folder = tmp_path_factory.mktemp("newer")
    shutil.copytree(
        ROOT / "charrnn", folder / "charrnn", ignore=shutil.ignore_patterns("__pycache__")
    )
    for number, (name, place) in enumerate(PLACES.items()):
        path = folder / "charrnn" / name
        text = path.read_text("utf-8")
        assert text.count(place) == 1
        field = FIELD.replace("toy", f"toy_{number}")
        if name == "training/state.py":
            field = field.replace('setting(0.5, "Toy.")', "0.5")
        # After the last field, to keep the order of positional arguments.
        start = text.index(place)
        end = text.index("\n\n    ", start)
        path.write_text(text[: end + 1] + field + text[end + 1 :], "utf-8")
    return folder


@pytest.fixture
def run_newer(process, newer):
    def run(*arguments):
        return process(*arguments, env={"PYTHONPATH": str(newer)})

    return run


@pytest.mark.slow
@every_run
def test_older_files_load_sample_and_resume(run_newer, tmp_path, cli, folder, name, run):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    told = run_newer("info", name, "--json")
    assert json.loads(told.out)["config"]["toy_0"] == 0.5
    sampled = run_newer("sample", name, "--seed", 1, "--length", 40)
    assert sampled.out == cli("sample", folder / name, "--seed", 1, "--length", 40).out
    resumed = resume(run_newer, name, run)
    assert resumed.code == 0, resumed.err
    now, then = load_file(tmp_path / name), load_file(folder / run["resumed"])
    for parameter, weights in then.items():
        np.testing.assert_allclose(now[parameter], weights, atol=1e-5)
    with pytest.raises(CheckpointError, match="was written by a newer charrnn"):
        charrnn.load(tmp_path / name)
