"""Two runs on one output: the second ends at once and names the first, which goes on."""

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
    """Try it from Python."""
    charrnn.Trainer.new(charrnn.Corpus.from_texts(TEXT), out=OUT, overwrite=True)


def second_run(way: str, folder: Path) -> Ended:
    """Try to write what another run writes."""
    if way == "Python":
        return Command(folder=folder, call=from_python).end()
    return train(*OPTIONS, *([way] if way else []), folder=folder).end()


def case(index: int, folder: Path) -> Outcome:
    """Start a second run while the first is anywhere, even before its first save."""
    outcome = Outcome(1)
    random = randomness("locks", index)
    way = WAYS[index % len(WAYS)]
    first = train(*OPTIONS, folder=folder)
    # Its first save comes after the first of these lines; before that there is no run to resume.
    steps = random.randint(2 if way == "--resume" else 1, 5)
    outcome.expect(first.until(b"step ", steps), "the first did not train")
    second = second_run(way, folder)
    named = "another run writes" in second.err and f"process {first.pid}," in second.err
    outcome.expect(
        named and second.code == (70 if way == "Python" else 1),
        f"{way}: {second.code}: {second.err}",
    )
    outcome.expect("Traceback" not in second.err or way == "Python", second.err)
    outcome.expect(first.until(b"step ", 2), "the first did not go on")
    end = random.choice([signal.SIGKILL, signal.SIGTERM])
    first.send(end)
    code = first.end().code
    outcome.expect(code == (143 if end == signal.SIGTERM else -9), f"it ended with {code}")
    load(folder / OUT)
    after = train("--resume", "--max-steps=1", folder=folder).end()
    outcome.expect(after.code == 0, f"the lock outlived its run: {after.err}")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")
    return outcome
