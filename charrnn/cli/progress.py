"""The progress of `charrnn train`: a bar on a terminal, or a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from charrnn.cli.terminal import columns, one_line, sparkline, tell, wrapped, write_line
from charrnn.errors import as_options
from charrnn.progress import listening

if TYPE_CHECKING:
    from charrnn.training.state import Report
    from charrnn.training.trainer import Trainer

SECONDS_BETWEEN_LINES = 10
SECONDS_TO_PLAN = 1.0  # of training, from which the length of the run is estimated
SILENCE = 1.0  # seconds after which the preparation of a run says what it is doing
PREVIEW = 100  # characters
POINTS = 30  # evaluations in a sparkline, at most
INDENT = "    "
BAR = 10  # columns


@contextmanager
def preparing() -> Iterator[None]:
    """Show what takes more than a moment in this context: as a bar on a terminal, or as lines."""
    bar, since, pause = None, time.monotonic(), SILENCE

    def show(what: str, fraction: float) -> None:
        nonlocal bar, since, pause
        if bar is None and time.monotonic() - since < pause:
            return
        if not sys.stderr.isatty():
            tell(f"{what}: {fraction:.0%}")
            since, pause = time.monotonic(), SECONDS_BETWEEN_LINES
            return
        bar = bar or _bar()
        bar.set_description_str(what, refresh=what != bar.desc)
        bar.update(int(1000 * fraction) - bar.n)

    try:
        with listening(show):
            yield
    finally:
        if bar is not None:
            bar.leave = False
            bar.close()


def shown(trainer: Trainer, loss: tuple[float, float] | None = None) -> Iterator[Report]:
    """Yield the reports of the run and show them on standard error; of a new run also the plan,
    with the `loss` to expect, once its speed is known.
    """
    bar = _bar() if sys.stderr.isatty() else None
    started, shown = time.monotonic(), time.monotonic()
    summary = trainer.summary()
    before, chunk = summary.step, summary.batch_size * summary.seq_len
    first, planned = None, trainer.choice is None
    try:
        for report in trainer.run():
            yield report
            elapsed = max(time.monotonic() - started, 1e-9)
            speed = (report.step - before) * chunk / elapsed
            if bar is not None:
                bar.set_description_str(_short(report, trainer, speed, columns()), refresh=False)
                bar.update(max(0, int(1000 * report.progress) - bar.n))
            write = partial(_write_above, bar)
            if report.notice:
                write(f"charrnn: {one_line(as_options(report.notice))}")
            if first is not None and not planned and first.progress < report.progress < 1:
                timed = report.seconds - first.seconds  # without the start of the workers
                if report.evaluation is not None or timed >= SECONDS_TO_PLAN:
                    write(_plan(*report.outlook(first), loss))
                    planned = True
            first = first or report
            if report.evaluation is not None:
                write(_line(report, speed))
                for curve in _curves(trainer, columns()):
                    write(INDENT + curve)
                write(INDENT + _preview(trainer), cut=True)
                shown = time.monotonic()
            elif bar is None and time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
                write(_line(report, speed))
                shown = time.monotonic()
    finally:
        if bar is not None:
            bar.close()


def _plan(epochs: float, minutes: float, loss: tuple[float, float] | None) -> str:
    """Return the expected length and loss of the run."""
    from charrnn.training.diagnosis import in_epochs

    plan = f"charrnn: plan: about {in_epochs(epochs)} in {max(0.1, minutes):,.1f} min"
    if loss is None:
        return plan
    low, high = (f"{value:.{1 if value >= 1 else 2}f}" for value in loss)
    return f"{plan}; expected loss {low} to {high} nats/char (estimated with a trigram model)"


def _write_above(bar: Any, line: str, cut: bool = False) -> None:
    """Write a line, wrapped on a terminal, above the bar if there is one."""
    if bar is not None:
        bar.clear()
    write_line(wrapped(line, columns(), INDENT, cut))
    if bar is not None:
        bar.refresh()


def _bar() -> Any:
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread
    return tqdm(
        total=1000,
        file=sys.stderr,
        bar_format=f"{{percentage:3.0f}}%|{{bar:{BAR}}}| {{desc}}",
        dynamic_ncols=True,
    )


def _short(report: Report, trainer: Trainer, speed: float, width: int | None) -> str:
    """Return what stands beside the bar: as much as fits, the most important first."""
    parts = [f"{_time_left(report)} left", f"loss {report.loss:.3f}"]
    if trainer.history:
        parts.append(f"valid {trainer.history[-1].valid:.3f}")
    parts.append(f"{speed:,.0f} chars/s")
    room = (width or 80) - len("100%|| ") - BAR
    while len(parts) > 1 and len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


def _line(report: Report, speed: float) -> str:
    parts = [f"step {report.step:,}", f"epoch {report.epoch:.2f}", f"loss {report.loss:.4f}"]
    if report.evaluation is not None:
        nats, bits = report.evaluation.nats_per_char, report.evaluation.bits_per_char
        best = " (best)" if report.best else ""
        parts.append(f"valid {nats:.4f} = {bits:.3f} bits/char{best}")
    parts += [f"{speed:,.0f} chars/s", f"{_time_left(report)} left"]
    return "  ".join(part.replace(" ", "\xa0", 1) for part in parts)


def _time_left(report: Report) -> str:
    if report.progress <= 0:
        return "?"
    seconds = int(report.seconds * (1 - report.progress) / report.progress)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def _curves(trainer: Trainer, width: int | None) -> list[str]:
    """Return sparklines of the training and the validation loss, on one scale, as one line or, if
    they don't fit, as two; none for a single point.
    """
    room = (width or 1000) - len(INDENT)
    entries = trainer.history[-min(POINTS, max(2, room - len("validation "))) :]
    if len(entries) < 2:
        return []
    drawn = sparkline([entry.train for entry in entries] + [entry.valid for entry in entries])
    curves = [f"training {drawn[: len(entries)]}", f"validation {drawn[len(entries) :]}"]
    line = "  ".join(curves)
    return [line] if len(line) <= room else curves


def _preview(trainer: Trainer) -> str:
    from charrnn.inference.sampling import generate

    seed = trainer.summary().step  # a different sample each time
    model = trainer.checkpoint()
    text = generate(model, length=PREVIEW, temperature=0.8, seed=seed)[0]
    return one_line(model.reading.preview(text))
