"""An hour of training, evaluating, sampling and resuming: nothing grows."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

import charrnn
from tests.tiny import TEXT

from .command import OUT, Command
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
    trainer = charrnn.Trainer.new(corpus, model, train=settings, limits=limits, **options)
    for report in trainer.run():
        if report.step == 9:
            trainer.stop()
    for _ in charrnn.Trainer.resume(corpus, OUT).run():
        pass
    checkpoint = charrnn.load(OUT)
    charrnn.generate(checkpoint, length=50, seed=number)
    charrnn.evaluate(checkpoint, corpus)


def fill_the_table_of_names() -> None:
    """Bring CPython's table of interned strings to its final size, about 1 MB.

    pathlib interns every file name. The table is rebuilt after some ten thousand names, even if
    earlier ones have been freed, and memory grows in two or three jumps of 1.2 MB in total over an
    hour or so; after that, millions of names change nothing.
    """
    for number in range(200_000):
        sys.intern(f"name {number}")


def soak(_: list[str]) -> None:
    """Run rounds until the time is over; write to a file their number, and the resources used after
    each tenth of the time.
    """
    fill_the_table_of_names()
    began = time.monotonic()
    number = 0
    tenths: list[tuple[int, int]] = []
    while len(tenths) < 10:
        a_round(number)
        number += 1
        if time.monotonic() - began >= 6 * MINUTES * (1 + len(tenths)):
            tenths.append(used())
    Path("used").write_text(json.dumps([number, tenths]))


def case(index: int, folder: Path) -> Outcome:  # noqa: ARG001 (there is only one)
    """Run the rounds and check that nothing grows."""
    outcome = Outcome(1)
    ended = Command(folder=folder, call=soak).end()
    if outcome.expect(ended.code == 0, f"it ended with {ended.code}: {ended.err}"):
        rounds, tenths = json.loads((folder / "used").read_text())
        pages, descriptors = zip(*tenths, strict=True)
        half = len(pages) // 2  # the memory of a moment depends on the last round
        growth = 100 * (max(pages[half:]) / max(pages[:half]) - 1)
        outcome.figures = {"rounds": rounds, "growth in %": growth, "minutes": MINUTES}
        outcome.expect(growth < 1, f"memory grew by {growth:.1f}%: {pages} pages")
        outcome.expect(len(set(descriptors)) == 1, f"file descriptors: {descriptors}")
    return outcome
