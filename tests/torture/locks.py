"""Two runs on one output: the second fails immediately, naming the first, which continues."""

from __future__ import annotations

import signal
from pathlib import Path

import charrnn
from charrnn.checkpoints.checkpoint import load
from tests.tiny import OPTIONS as TINY
from tests.tiny import TEXT

from .command import OUT, Command, Ended, left_over, train
from .row import Outcome, randomness

OPTIONS = [*TINY, "--eval-every=5", "--max-steps=1000000", "--schedule=constant", "--workers=1"]
WAYS = ["", "--resume", "--overwrite", "--out=./novel.safetensors", "--out=novel", "Python"]


def from_python(_: list[str]) -> None:
    """Start a run from Python."""
    charrnn.Trainer.new(charrnn.Corpus.from_texts(TEXT), out=OUT, overwrite=True)


def second_run(way: str, folder: Path) -> Ended:
    """Start a run on an output that another run is writing."""
    if way == "Python":
        return Command(folder=folder, call=from_python).end()
    return train(*OPTIONS, *([way] if way else []), folder=folder).end()


def case(index: int, folder: Path) -> Outcome:
    """Start a second run at any moment of the first, even before its first save."""
    outcome = Outcome(1)
    random = randomness("locks", index)
    way = WAYS[index % len(WAYS)]
    first = train(*OPTIONS, folder=folder)
    # The first save follows the first of these lines; before it there is no run to resume.
    steps = random.randint(2 if way == "--resume" else 1, 5)
    outcome.expect(first.until(b"step ", steps), "the first did not train")
    second = second_run(way, folder)
    named = "being written by another run" in second.err and f"process {first.pid}," in second.err
    outcome.expect(
        named and second.code == (70 if way == "Python" else 1),
        f"{way}: {second.code}: {second.err}",
    )
    outcome.expect("Traceback" not in second.err or way == "Python", second.err)
    outcome.expect(first.until(b"step ", 2), "the first did not continue")
    end = random.choice([signal.SIGKILL, signal.SIGTERM])
    first.send(end)
    code = first.end().code
    outcome.expect(code == (143 if end == signal.SIGTERM else -9), f"it ended with {code}")
    load(folder / OUT)
    after = train("--resume", "--max-steps=1", folder=folder).end()
    outcome.expect(after.code == 0, f"the lock outlived its run: {after.err}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
