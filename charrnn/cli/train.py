"""The command `charrnn train`."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from charrnn.cli.log import opened, report_record, require_loggable, run_record
from charrnn.cli.options import ENCODING, Command, Groups, options_of, stated, unknown_option
from charrnn.cli.progress import preparing, shown
from charrnn.cli.terminal import pasted, quoted, tell, write_line
from charrnn.errors import as_options, counted

if TYPE_CHECKING:
    from charrnn.checkpoints.output import Output
    from charrnn.text.documents import Reading
    from charrnn.training.autoconfig import Choice
    from charrnn.training.state import Summary
    from charrnn.training.trainer import Trainer

# Signals that save and end a run. Windows has no SIGHUP.
SIGNALS = {
    getattr(signal, name): text
    for name, text in (("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGHUP"))
    if hasattr(signal, name)
}

GROUPS: dict[str, list[str]] = {
    "Output": ["out", "overwrite", "resume", "init_from", "log"],
    "Limits": ["minutes"],
    "Corpus": ["documents", "encoding", "unknown", "valid", "valid_fraction", "hold_out"],
    "Evaluation and saving": ["eval_every", "save_every"],
    "Model": [],
    "Optimization": [],
    "Performance": ["workers", "shards"],
}


def _settings() -> Groups:
    from charrnn.checkpoints.records import TrainConfig
    from charrnn.nn.model import ModelConfig
    from charrnn.text.documents import readings
    from charrnn.training.autoconfig import CHOSEN
    from charrnn.training.limits import Limits

    return {
        "Corpus": [option for reading in readings() for option in options_of(reading)],
        "Model": options_of(ModelConfig, CHOSEN),
        "Optimization": options_of(TrainConfig, CHOSEN),
        "Limits": options_of(Limits),
    }


@click.command(cls=Command, groups=GROUPS, settings=_settings)
@click.argument("corpus", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(),
    help="Write the model to this file; by default, CORPUS.safetensors in the current folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing model and log.")
@click.option("--resume", is_flag=True, help="Resume the interrupted run whose model is --out.")
@click.option(
    "--init-from", metavar="MODEL", type=click.Path(), help="Start from the weights of this model."
)
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(),
    help="Log the run, its steps and its evaluations to this file, as lines of JSON.",
)
@click.option(
    "--valid",
    metavar="FILE",
    type=click.Path(),
    help="Validate on this file instead of a held-out part.",
)
@click.option(
    "--workers",
    metavar="N",
    default="auto",
    show_default=True,
    help="Share each batch among N processes; auto uses as many as the cores allow.",
)
@ENCODING
@unknown_option(
    "In the validation text, stop at characters that the training text lacks (error), skip them "
    "(skip), or replace them with similar ones, such as straight quotes and unaccented letters "
    "(fold)."
)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    corpus: tuple[str, ...],
    out: str | None,
    valid: str | None,
    resume: bool,
    init_from: str | None,
    overwrite: bool,
    log: str | None,
    **_: Any,
) -> int:
    """Train a model on text or tunes.

    CORPUS can be text files, .abc, .mid or .musicxml files, folders of them, or -
    for standard input.

    \b
    Examples:
      charrnn train novel.txt
      charrnn train novel.txt --minutes 60 --hidden-size 512 -o big.safetensors
      charrnn train novel.txt --minutes 90 -o big.safetensors --resume
      charrnn train names.txt --documents lines --epochs 30

    The model size, dropout and learning rate are selected for the corpus, the CPU and the time
    limit unless given. The first limit that is reached ends the run. Press Ctrl-C to save and stop
    earlier; --resume continues.
    """
    for name in ("out", "valid", "init_from", "log"):
        if ctx.params[name] == "":
            raise click.UsageError(f"--{name.replace('_', '-')} must not be empty")
    if "" in corpus:
        raise click.UsageError("CORPUS must not be empty")
    if resume and (overwrite or init_from):
        raise click.UsageError(
            f"--resume and {'--overwrite' if overwrite else '--init-from'} cannot be combined"
        )
    tell(_reading(corpus))  # before the imports, which take a moment
    from charrnn.checkpoints.lock import lock_path
    from charrnn.checkpoints.output import Output, resume_path
    from charrnn.training.autoconfig import expected_loss

    path = Path(out) if out else _default_out(corpus[0])
    output = Output.of_run(path) if resume else Output.new(path, overwrite)
    if valid and ctx.get_parameter_source("valid_fraction") is not ParameterSource.DEFAULT:
        raise click.UsageError("--valid and --valid-fraction cannot be combined")
    files: list[str | Path] = [*corpus, path, resume_path(path), lock_path(path)]
    files += [file for file in (valid, init_from) if file]
    if log and any(_within(log, file) for file in files):
        raise click.UsageError(
            f"--log cannot be {log}, which this run reads or writes; choose another file"
        )
    if log:
        require_loggable(log, resume, overwrite)
    with preparing():
        trainer = _make_trainer(ctx, output)
    for notice in trainer.notices:
        tell(as_options(notice))
    if resume and trainer.finished():
        tell(_completed(trainer, path))
        return 0
    loss = None
    if choice := trainer.choice:
        _tell_choice(choice)
        loss = expected_loss(choice, trainer.data) if init_from is None else None
    _describe(trainer.summary(), resume)
    with opened(log, resume, overwrite) as write, _signals(trainer) as received:
        write(run_record(trainer))
        for report in shown(trainer, loss):
            write(report_record(report))
    return _conclude(ctx, trainer, corpus, path, received)


def _within(path: str, other: str | Path) -> bool:
    """Return whether `path` is `other`, or is in that folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(other))


def _reading(corpus: tuple[str, ...]) -> str:
    if "-" in corpus:
        return "reading standard input" + ("; press Ctrl-D to end it" if sys.stdin.isatty() else "")
    return f"reading {', '.join(corpus[:3])}{' ...' if len(corpus) > 3 else ''}"


def _default_out(corpus: str) -> Path:
    name = "stdin" if corpus == "-" else Path(os.path.realpath(corpus)).stem
    return Path(f"{name}.safetensors")


def _make_trainer(ctx: click.Context, output: Output) -> Trainer:
    from charrnn.checkpoints.checkpoint import load
    from charrnn.checkpoints.records import TrainConfig
    from charrnn.nn.model import ModelConfig
    from charrnn.text.plain import PLAIN_TEXT
    from charrnn.training.limits import Limits
    from charrnn.training.resume import reading_of_run
    from charrnn.training.train import resume, train

    options = ctx.params
    settings = stated(ctx, ModelConfig) | stated(ctx, TrainConfig) | stated(ctx, Limits)
    workers: int | str = options["workers"]
    if str(workers).isdecimal():
        workers = int(workers)
    common = {
        "valid": options["valid"],
        "workers": workers,
        "encoding": options["encoding"],
        "unknown": options["unknown"],
    }
    if options["resume"]:
        reading = _stated_reading(ctx, lambda: reading_of_run(output.path))
        return resume(options["corpus"], output, reading=reading, **common, **settings)
    base = load(options["init_from"]) if options["init_from"] else None
    reading = _stated_reading(ctx, lambda: base.reading if base else PLAIN_TEXT)
    if workers == 1:
        settings = {"shards": 1} | settings  # an explicit single worker means a single shard
    return train(
        options["corpus"], out=output, init_from=base, reading=reading, **common, **settings
    )


def _stated_reading(ctx: click.Context, known: Callable[[], Reading]) -> Reading | None:
    """Return the `known` Reading with the settings that the user gave, or None without any."""
    from charrnn.text.documents import readings

    for kind in readings():
        if given := stated(ctx, kind):
            reading = known()
            return replace(reading if isinstance(reading, kind) else kind(), **given)
    return None


def _tell_choice(choice: Choice) -> None:
    """Print the selected settings as options."""
    settings = asdict(choice.model) | asdict(choice.train)
    chosen = [f"--{name.replace('_', '-')} {settings[name]:g}" for name in choice.chosen]
    if chosen:
        limits = choice.limits
        others = limits.minutes is None and (limits.max_steps or limits.epochs)
        limit = "limit" if others else "time limit"
        tell(f"selected for this corpus, CPU and {limit}: {' '.join(chosen)}")


def _describe(run: Summary, resume: bool) -> None:
    """Print the key figures of a run that is about to start."""
    valid = f", {run.valid_characters:,} for validation" if run.valid_characters else ""
    tell(f"corpus: {run.characters:,} characters for training{valid}; alphabet of {run.alphabet}")
    config = run.config
    tell(
        f"model: {config.cell}, {config.num_layers} x {config.hidden_size}, "
        f"{counted(run.parameters, 'parameter')}"
    )
    tell(
        f"training: batches of {run.batch_size} x {run.seq_len} characters, "
        f"{counted(run.chunks_per_epoch, 'step')} per epoch, {counted(run.workers, 'worker')}, "
        f"about {run.memory / 1e6:,.0f} MB of memory"
    )
    if resume:
        tell(f"resuming from step {run.step:,}")


def _completed(trainer: Trainer, path: Path) -> str:
    """Return the message that the run of `path` is already complete."""
    from charrnn.training.limits import DEFAULT_MINUTES

    run = trainer.summary()
    done = f"{pasted(path)} is complete at step {run.step:,}"
    if run.ended_by == "patience":
        return f"{done} (early stopping); raise --patience to continue"
    value = getattr(trainer.limits, run.ended_by) or DEFAULT_MINUTES
    value = f"{value:g}" if isinstance(value, float) else value
    option = "--" + run.ended_by.replace("_", "-")
    return f"{done} ({option} {value} reached); raise the limit to continue"


@contextmanager
def _signals(trainer: Trainer) -> Iterator[list[int]]:
    """Let signals save and end the run; yield the list of those received. Keep ignored signals."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signal's contract)
        received.append(number)
        trainer.stop()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(
    ctx: click.Context, trainer: Trainer, corpus: tuple[str, ...], out: Path, received: list[int]
) -> int:
    run = trainer.summary()
    if trainer.stopped:
        number = received[0]
        options = ["--out", str(out), "--resume"]
        for name in ("valid", "encoding", "unknown", "log"):
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                options += [f"--{name}", str(ctx.params[name])]
        tell(f"stopped by {SIGNALS[number]} at step {run.step:,} and saved; to continue:")
        write_line("  " + _command("train", corpus, options))
        return 128 + number
    if run.ended_by == "patience":
        tell(f"early stopping at step {run.step:,}: the validation loss is rising")
    if run.best_loss is None:
        tell(f"saved {pasted(out)}: weights from step {run.step:,}")
    else:
        nats = run.best_loss
        bits = nats / math.log(2)
        tell(f"saved {pasted(out)}: validation loss {nats:.4f} nats/char ({bits:.3f} bits/char)")
    from charrnn.training.diagnosis import verdict

    if trainer.history:
        tell(as_options(verdict(trainer.history, run.epochs)))
    if trainer.data.reading.documents == "tunes":
        tell("to compose tunes:")
        command = _command("compose", (str(out),), ["--out", "tunes"])
    else:
        tell("to generate text:")
        command = _command("sample", (str(out),), ["--temperature", "0.8"])
    write_line("  " + command)
    return 0


def _command(name: str, arguments: tuple[str, ...], options: list[str]) -> str:
    """Return a command line to paste into a shell."""
    words = ["charrnn", name, *map(pasted, arguments), *map(quoted, options)]
    return " ".join(words)
