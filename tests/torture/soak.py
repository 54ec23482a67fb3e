"""An hour of training, evaluating, sampling and going on in turn: nothing grows."""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path

import charrnn

from .command import OUT, TEXT, Command
from .row import Outcome

MINUTES = float(os.environ.get("TORTURE_SOAK_MINUTES", "60"))


def used() -> tuple[int, int]:
    """Return the pages of memory and the file descriptors in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages, len(list(Path("/proc/self/fd").iterdir()))


def a_round(number: int) -> None:
    """Train, evaluate, sample, stop and resume."""
    corpus = charrnn.Corpus.from_texts(TEXT)
    model = charrnn.ModelConfig(("gru", "lstm", "rnn")[number % 3], 16, 1, 8)
    settings = charrnn.TrainConfig(batch_size=4, seq_len=8)
    limits = charrnn.Limits(max_steps=20, eval_every=5)
    workers = 2 if number % 20 == 0 else 1
    options = {"out": OUT, "overwrite": True, "workers": workers}
    trainer = charrnn.Trainer(corpus, model, settings, limits, **options)
    for report in trainer.run():
        if report.step == 9:
            trainer.stop()
    for _ in charrnn.Trainer.resume(corpus, OUT).run():
        pass
    checkpoint = charrnn.load(OUT)
    charrnn.generate(checkpoint, length=50, seed=number)
    charrnn.evaluate(checkpoint, corpus)


def soak(_: list[str]) -> None:
    """Do rounds until the time is over; leave what was used before and after in a file."""
    began = time.monotonic()
    number, before = 0, None
    while (minutes := (time.monotonic() - began) / 60) < MINUTES:
        if before is None and minutes >= MINUTES / 10:  # what is kept for good is there by now
            before = used()
        a_round(number)
        number += 1
    Path("used").write_text(json.dumps([number, before, used()]))


def case(index: int, folder: Path) -> Outcome:  # noqa: ARG001 (there is but one)
    """Do it."""
    outcome = Outcome(1)
    ended = Command(folder=folder, call=soak).end()
    if outcome.expect(ended.code == 0, f"it ended with {ended.code}: {ended.err}"):
        rounds, before, after = json.loads((folder / "used").read_text())
        growth = 100 * (after[0] / before[0] - 1)
        outcome.figures = {"rounds": rounds, "growth in %": growth, "minutes": MINUTES}
        outcome.expect(growth < 1, f"memory grew by {growth:.1f}%")
        outcome.expect(before[1] == after[1], f"file descriptors: {before[1]} to {after[1]}")
    return outcome
