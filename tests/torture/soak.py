"""An hour of training, evaluating, sampling and going on in turn: nothing grows."""

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
    """Bring CPython's table of names to the size at which it stays, about 1 MB.

    pathlib puts each name of a file there. The table is made anew after some ten thousand names,
    whether those before are still in it or not, and memory grows in two or three leaps, of 1.2 MB
    together, which come after an hour or so; then millions of names change nothing.
    """
    for number in range(200_000):
        sys.intern(f"name {number}")


def soak(_: list[str]) -> None:
    """Do rounds until the time is over; leave in a file how many, and what was used after a tenth
    of it, when all is there that is kept for good, and at each tenth from then on.
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


def case(index: int, folder: Path) -> Outcome:  # noqa: ARG001 (there is but one)
    """Do it."""
    outcome = Outcome(1)
    ended = Command(folder=folder, call=soak).end()
    if outcome.expect(ended.code == 0, f"it ended with {ended.code}: {ended.err}"):
        rounds, tenths = json.loads((folder / "used").read_text())
        pages, descriptors = zip(*tenths, strict=True)
        growth = 100 * (max(pages) / pages[0] - 1)
        outcome.figures = {"rounds": rounds, "growth in %": growth, "minutes": MINUTES}
        outcome.expect(growth < 1, f"memory grew by {growth:.1f}%: {pages} pages")
        outcome.expect(len(set(descriptors)) == 1, f"file descriptors: {descriptors}")
    return outcome
