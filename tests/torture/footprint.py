"""The memory that a run announces and the memory it takes; and runs under a memory limit."""

from __future__ import annotations

import re
import resource
import signal
from pathlib import Path

from tests.processes import workers_of
from tests.tiny import TEXT

from .command import Command, fresh, left_over
from .row import Outcome, randomness

# Cell, layers, units, embedding, batch, steps, optimizer, workers.
SIZES = [
    ("gru", 1, 512, 64, 32, 64, "adam", 1),
    ("lstm", 2, 256, 32, 16, 32, "adam", 1),
    ("rnn", 3, 128, 0, 64, 64, "sgd", 1),
    ("gru", 1, 384, 64, 32, 64, "adam", 2),
    ("lstm", 1, 16, 8, 4, 8, "adam", 1),
]
NAMES = ["cell", "num-layers", "hidden-size", "embedding-size", "batch-size", "seq-len"]
NAMES += ["optimizer", "workers"]


def case(index: int, folder: Path) -> Outcome:
    """Measure a run while it trains, and run another under a memory limit."""
    outcome = Outcome(1)
    random = randomness("footprint", index)
    sizes = list(SIZES[index % len(SIZES)])
    if index >= len(SIZES):  # vary the sizes
        sizes[2] = int(sizes[2] * random.uniform(0.7, 1.5))
        sizes[4] *= random.choice([1, 2])
    options = [f"--{name}={value}" for name, value in zip(NAMES, sizes, strict=True)]
    options += ["--dropout=0", "--weight-dropout=0", "--save-every=1", "--eval-every=1"]
    (folder / "novel.txt").write_text(TEXT * 10)
    run = Command(
        "train", "novel.txt", *options, "--max-steps=1000000", folder=folder, call=fresh()
    )
    # By the second evaluation it has done everything it does, in any order.
    outcome.expect(run.until(b"step ", 2), f"{sizes}: {run.told!r}")
    of_workers = sum(map(own, workers_of(run.pid)))
    run.send(signal.SIGKILL)  # an unscheduled save would take more memory
    ended = run.end()
    said = re.search(r"about ([\d,]+) MB of memory", ended.err)
    if not outcome.expect(said is not None, f"no estimate: {ended.err}"):
        return outcome
    estimate = 1e6 * int(said[1].replace(",", ""))
    error = 100 * (estimate / (run.memory + of_workers) - 1)
    outcome.figures["most above in %"], outcome.figures["most below in %"] = error, -error
    outcome.expect(abs(error) <= 25, f"{sizes}: {estimate / 1e6:.0f} MB said, {error:.0f}% off")

    # Python with NumPy maps much more memory than it uses, so a lower limit would fail at import.
    limit = int(400e6 + random.uniform(0, 2) * estimate)

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    options += ["--max-steps=2", "--overwrite"]
    ended = Command(
        "train", "novel.txt", *options, folder=folder, before=before, call=fresh()
    ).end()
    fine = ended.code == 0 or ended.one_line_error()
    outcome.expect(fine, f"{sizes} in {limit / 1e6:.0f} MB: {ended.code}: {ended.err}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome


def own(pid: int) -> int:
    """Return the private memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))
