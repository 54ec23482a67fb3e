"""An interrupted run equals an uninterrupted one, bit for bit, on each of OpenBLAS's kernels.

The bits differ between kernels, and a run that is resumed on another one says so.
"""

from __future__ import annotations

import functools
import shutil
import signal
import tempfile
from pathlib import Path

from charrnn.checkpoints.container import Reader
from tests.tiny import TEXT

from .command import OUT, Command, Ended, fresh, left_over
from .row import Outcome, Skip, randomness

# The processor feature that each kernel needs, and OpenBLAS's names ("Katmai" is its oldest).
KERNELS = {"SkylakeX": "avx512f", "Haswell": "avx2", "Prescott": "pni"}
NAMES = {"Prescott": ["Prescott", "Katmai"]}
SETTINGS = [(kernel, threads) for kernel in KERNELS for threads in (1, 2)]
OPTIONS = ["--hidden-size=64", "--embedding-size=16", "--batch-size=16", "--seq-len=16"]
OPTIONS += ["--dropout=0.2", "--weight-dropout=0.2", "--learning-rate=0.003"]
OPTIONS += ["--workers=1", "--max-steps=24", "--eval-every=6", "--save-every=1000"]


def train(folder: Path, setting: tuple[str, int], *options: str) -> Command:
    """Start training in `folder`."""
    (folder / "novel.txt").write_text(TEXT)
    kernel, threads = setting
    python = fresh(OPENBLAS_CORETYPE=kernel, OPENBLAS_NUM_THREADS=threads)
    return Command("train", "novel.txt", *options, folder=folder, call=python)


@functools.cache
def whole(setting: tuple[str, int]) -> bytes:
    """Return the model of an undisturbed run; raise Skip if the kernel is not available."""
    kernel = setting[0]
    if KERNELS[kernel] not in Path("/proc/cpuinfo").read_text().split():
        raise Skip(f"this processor does not support {kernel}")
    with tempfile.TemporaryDirectory() as folder:
        ended = train(Path(folder), setting, *OPTIONS).end()
        assert ended.code == 0, ended.err
        with Reader(Path(folder, "novel.resume.safetensors"), "resume") as reader:
            blas = reader.document["fingerprint"]["blas"]
        if not all(pool["architecture"] in NAMES.get(kernel, [kernel]) for pool in blas):
            raise Skip(f"this NumPy has no {kernel} kernel")
        return Path(folder, OUT).read_bytes()


def case(index: int, folder: Path) -> Outcome:
    """Stop at a random step and resume; resume on another kernel, which is reported."""
    outcome = Outcome(1)
    random = randomness("bits", index)
    setting = SETTINGS[index % len(SETTINGS)]
    expected = whole(setting)
    here, there = folder / "here", folder / "there"
    here.mkdir()
    run = train(here, setting, *OPTIONS)
    if run.until(b"step ", random.randint(1, 3)):
        run.send(signal.SIGTERM)
    ended = run.end()
    outcome.expect(ended.code in (0, 143), f"it ended with {ended.code}: {ended.err}")
    shutil.copytree(here, there)
    if ended.code == 0:  # it finished first
        return outcome
    ended = train(here, setting, "--resume").end()
    outcome.expect(ended.code == 0, f"resuming: {ended.err}")
    outcome.expect("bit for bit" not in ended.err, f"reported another machine: {ended.err}")
    outcome.expect((here / OUT).read_bytes() == expected, f"{setting}: other bits")
    other = random.choice([each for each in SETTINGS if each[0] != setting[0]])
    check_elsewhere(outcome, train(there, other, "--resume").end())
    outcome.expect(not left_over(here), f"left behind: {left_over(here)}")
    return outcome


def check_elsewhere(outcome: Outcome, ended: Ended) -> None:
    """Expect one line about the bits from a run resumed on another kernel."""
    lines = [line for line in ended.err.splitlines() if "not be the same bit for bit" in line]
    outcome.expect((ended.code, len(lines)) == (0, 1), f"{ended.code}: {ended.err}")
