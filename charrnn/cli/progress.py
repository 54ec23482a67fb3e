"""What `charrnn train` shows while it runs: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from charrnn.cli.terminal import one_line, sparkline, write_line
from charrnn.errors import as_options

if TYPE_CHECKING:
    from charrnn.training.state import Report
    from charrnn.training.trainer import Trainer

SECONDS_BETWEEN_LINES = 10
PREVIEW = 100  # characters
WIDTH = 30  # evaluations drawn


def shown(trainer: Trainer) -> Iterator[Report]:
    """Yield the reports of the run, showing them on standard error."""
    bar = _bar() if sys.stderr.isatty() else None
    started, shown = time.monotonic(), time.monotonic()
    summary = trainer.summary()
    before, chunk = summary.step, summary.batch_size * summary.seq_len
    try:
        for report in trainer.run():
            yield report
            elapsed = max(time.monotonic() - started, 1e-9)
            speed = (report.step - before) * chunk / elapsed
            if bar is not None:
                bar.set_description_str(_short(report, trainer, speed), refresh=False)
                bar.update(max(0, int(1000 * report.progress) - bar.n))
            write = partial(_write_above, bar)
            if report.notice:
                write(f"charrnn: {as_options(report.notice)}")
            if report.evaluation is not None:
                write(_line(report, speed))
                write("    " + _curves(trainer))
                write("    " + _preview(trainer))
                shown = time.monotonic()
            elif bar is None and time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
                write(_line(report, speed))
                shown = time.monotonic()
    finally:
        if bar is not None:
            bar.close()


def _write_above(bar: Any, line: str) -> None:
    """Write a line, above the bar if there is one; nobody need be there to read it."""
    if bar is not None:
        bar.clear()
    write_line(line)
    if bar is not None:
        bar.refresh()


def _bar() -> Any:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread
    return tqdm(
        total=1000,
        file=sys.stderr,
        bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
        dynamic_ncols=True,
    )


def _short(report: Report, trainer: Trainer, speed: float) -> str:
    valid = ""
    if trainer.history:
        valid = f", valid {trainer.history[-1].valid / math.log(2):.3f} bits/char"
    return f"loss {report.loss:.3f}{valid}, {speed:,.0f} chars/s, {_time_left(report)} left"


def _line(report: Report, speed: float) -> str:
    valid = ""
    if report.evaluation is not None:
        nats, bits = report.evaluation.nats_per_char, report.evaluation.bits_per_char
        valid = f"  valid {nats:.4f} = {bits:.3f} bits/char{' (best)' if report.best else ''}"
    return (
        f"step {report.step:,}  epoch {report.epoch:.2f}  loss {report.loss:.4f}{valid}  "
        f"{speed:,.0f} chars/s  {_time_left(report)} left"
    )


def _time_left(report: Report) -> str:
    if report.progress <= 0:
        return "?"
    seconds = int(report.seconds * (1 - report.progress) / report.progress)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def _curves(trainer: Trainer) -> str:
    """Return drawings of the loss while training and in validation, on one scale."""
    entries = trainer.history[-WIDTH:]
    losses = [entry.train for entry in entries] + [entry.valid for entry in entries]
    drawn = sparkline(losses)
    return f"training {drawn[: len(entries)]}  validation {drawn[len(entries) :]}"


def _preview(trainer: Trainer) -> str:
    from charrnn.inference.sampling import generate

    seed = trainer.summary().step  # another text each time
    text = generate(trainer.checkpoint(), length=PREVIEW, temperature=0.8, seed=seed)[0]
    return one_line(text)
