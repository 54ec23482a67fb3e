"""A thousandfold learning rate: the run rolls back once or exits with 3; no NaN is saved."""

from __future__ import annotations

from pathlib import Path

from charrnn.checkpoints.checkpoint import load
from charrnn.nn.cells import CELLS
from charrnn.nn.optim import OPTIMIZERS
from tests.tiny import OPTIONS as TINY

from .command import OUT, left_over, train
from .row import Outcome

PAIRS = [(cell, optimizer) for cell in CELLS for optimizer in OPTIMIZERS]
RATES = {"sgd": 0.1}  # for optimizers that need another rate than Adam


def case(index: int, folder: Path) -> Outcome:
    """Train each cell with each optimizer, with and without clipping, with several seeds."""
    outcome = Outcome(1)
    cell, optimizer = PAIRS[index % len(PAIRS)]
    seed = index // len(PAIRS)
    rate = 1000 * RATES.get(optimizer, 3e-3)
    options = [f"--cell={cell}", f"--optimizer={optimizer}", f"--learning-rate={rate}"]
    options += ["--warmup-steps=0", f"--seed={seed}", f"--clip-norm={seed % 2}", "--workers=1"]
    ended = train(
        *TINY, *options, "--max-steps=60", "--eval-every=10", "--save-every=3", folder=folder
    ).end()
    outcome.expect(ended.code in (0, 3), f"it ended with {ended.code}: {ended.err}")
    outcome.expect("Traceback" not in ended.err, ended.err)
    if ended.code == 3:
        outcome.expect("diverged again" in ended.last, f"it said: {ended.last}")
        outcome.expect("--learning-rate" in ended.last, f"it said: {ended.last}")
        outcome.expect("continuing from step" in ended.err, "it did not roll back first")
    if (folder / OUT).exists():
        load(folder / OUT)  # rejects values that are not finite
        resumed = train("--resume", "--max-steps=61", folder=folder).end()
        outcome.expect(resumed.code in (0, 3), f"resuming: {resumed.code}: {resumed.err}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
