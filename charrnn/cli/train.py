"""charrnn train."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from charrnn.cli.options import ENCODING, UNKNOWN, SettingsCommand, options_of, stated
from charrnn.cli.terminal import one_line, quoted, sparkline, tell, write_line
from charrnn.errors import CharRNNError, ConfigError, counted

if TYPE_CHECKING:
    from charrnn.training.autoconfig import Choice
    from charrnn.training.run import Report
    from charrnn.training.trainer import Trainer

# Signals that end a run, saved. Windows has no SIGHUP.
SIGNALS = {
    getattr(signal, name): text
    for name, text in (("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGHUP"))
    if hasattr(signal, name)
}
SECONDS_BETWEEN_LINES = 10
PREVIEW = 100  # characters
WIDTH = 30  # evaluations drawn
LEAST_FOR_GUESS = 1000  # characters to validate on
LEAST_TO_READ = 300_000  # characters to train on, an epoch's or several's, for a guess


def _settings() -> list[click.Parameter]:
    from charrnn.nn.model import ModelConfig
    from charrnn.text.documents import readings
    from charrnn.training.autoconfig import CHOSEN
    from charrnn.training.run import Limits, TrainConfig

    return [
        *(option for reading in readings() for option in options_of(reading)),
        *options_of(ModelConfig, CHOSEN),
        *options_of(TrainConfig, CHOSEN),
        *options_of(Limits),
    ]


@click.command(cls=SettingsCommand, settings=_settings)
@click.argument("corpus", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--out",
    type=click.Path(),
    help="Model file to write; by default the first corpus's name + .safetensors, here.",
)
@click.option(
    "--valid", type=click.Path(), help="Validate on this file instead of a held-out part."
)
@click.option("--resume", is_flag=True, help="Go on with the run that writes OUT.")
@click.option("--init-from", type=click.Path(), help="Start from the weights of this model.")
@click.option("--overwrite", is_flag=True, help="Replace an existing model.")
@click.option(
    "--workers",
    default="auto",
    show_default=True,
    help="Processes that share each batch: a number, or auto, by the cores that may be used.",
)
@click.option("--log", type=click.Path(), help="Write a line of JSON for each report to this file.")
@ENCODING
@UNKNOWN
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
    """Train a model on CORPUS: text files, folders of them, or - for standard input.

    \b
    Examples:
      charrnn train novel.txt
      charrnn train novel.txt --minutes 60 --hidden-size 512 --dropout 0.3 -o big.safetensors
      charrnn train names.txt --documents lines --epochs 30
      charrnn train novel.txt -o big.safetensors --resume --minutes 90

    The run can be stopped at any time with Ctrl-C: it is saved, and --resume goes on with it.
    """
    if resume and (overwrite or init_from):
        raise click.UsageError("--resume goes on with a run: leave --init-from and --overwrite out")
    tell(_reading(corpus))  # at once: the imports take a moment
    from charrnn.checkpoints.checkpoint import check_free, check_writable, resume_path

    path = Path(out) if out else _default_out(corpus[0])
    check_writable(path)
    if not resume:
        check_free(path, overwrite)
    if valid and ctx.get_parameter_source("valid_fraction") is not ParameterSource.DEFAULT:
        raise click.UsageError("give --valid or --valid-fraction, not both")
    files: list[str | Path] = [*corpus, path, resume_path(path)]
    files += [file for file in (valid, init_from) if file]
    if log and any(_within(log, file) for file in files):
        raise click.UsageError(f"--log {log} is a file of the run itself: give another name")
    if log and Path(log).is_file() and not resume and not overwrite:
        raise CharRNNError(f"the log {log} exists: give another name, or --overwrite")
    trainer, choice = _make_trainer(ctx, path)
    for notice in trainer.notices:
        tell(notice)
    if resume and trainer.finished():
        name = trainer.counters.ended_by
        option = f"--{name.replace('_', '-')} {getattr(trainer.limits, name) or ''}".rstrip()
        tell(f"the run of {path} was ended by its {option}: raise that to go on with it")
        return 0
    if choice is not None:
        _tell_choice(choice)
        _tell_plan(choice, trainer, guess=init_from is None)
    _describe(trainer, resume)
    with _log(log, resume) as log_file, _signals(trainer) as received:
        for report in _shown(trainer):
            if log_file:
                log_file = _logged(report, log_file)
    return _conclude(ctx, trainer, corpus, path, received)


def _within(path: str, other: str | Path) -> bool:
    """Return whether `path` is `other`, or lies in that folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(other))


def _reading(corpus: tuple[str, ...]) -> str:
    if "-" in corpus:
        return "reading standard input" + ("; end it with Ctrl-D" if sys.stdin.isatty() else "")
    return f"reading {', '.join(corpus[:3])}{' ...' if len(corpus) > 3 else ''}"


def _default_out(corpus: str) -> Path:
    name = "stdin" if corpus == "-" else Path(os.path.realpath(corpus)).stem
    return Path(f"{name}.safetensors")


def _make_trainer(ctx: click.Context, out: Path) -> tuple[Trainer, Choice | None]:
    from charrnn.checkpoints.checkpoint import load
    from charrnn.nn.model import ModelConfig
    from charrnn.text.documents import readings
    from charrnn.text.formats import suffixes_of
    from charrnn.text.loading import read
    from charrnn.text.plain import PLAIN_TEXT
    from charrnn.training.autoconfig import choose
    from charrnn.training.comm import usable_cores
    from charrnn.training.resume import reading_of_run
    from charrnn.training.run import Limits, TrainConfig
    from charrnn.training.trainer import Trainer

    options = ctx.params
    model_settings, train_settings = stated(ctx, ModelConfig), stated(ctx, TrainConfig)
    limits = Limits(**stated(ctx, Limits))
    base = load(options["init_from"]) if options["init_from"] else None
    ModelConfig(**model_settings)  # wrong settings are told before a long text is read
    train_config = TrainConfig(**train_settings)
    reading = base.reading if base else reading_of_run(out) if options["resume"] else PLAIN_TEXT
    for kind in readings():
        if given := stated(ctx, kind):
            reading = replace(reading if isinstance(reading, kind) else kind(), **given)
    corpus = read(options["corpus"], options["encoding"], reading)
    for kind in readings():
        for name, value in stated(ctx, kind).items():
            if not isinstance(corpus.reading, kind):
                suffixes = " or ".join(suffixes_of(kind.documents))
                raise ConfigError(
                    f"{name} is {value}, and {options['corpus'][0]} is no file of "
                    f"{kind.documents}: leave --{name.replace('_', '-')} out, or give {suffixes} "
                    "files"
                )
    common: dict[str, Any] = {
        "corpus": corpus,
        "valid": read(options["valid"], options["encoding"], reading) if options["valid"] else None,
        "unknown": options["unknown"],
    }
    workers: str = options["workers"]
    common["workers"] = int(workers) if workers.isdecimal() else workers
    if options["resume"]:
        given = model_settings | train_settings
        return Trainer.resume(out=out, limits=limits, **common, **given), None
    held_out = 0.0 if options["valid"] else train_config.valid_fraction
    choice = choose(
        max(1, round(len(corpus.ids) * (1 - held_out))) * corpus.reading.copies,
        len(corpus.characters()),
        int(workers) if workers.isdecimal() and int(workers) else usable_cores(),
        limits,
        base.config if base else None,
        **model_settings | train_settings,
    )
    trainer = Trainer(
        model=choice.model,
        train=choice.train,
        limits=choice.limits,
        out=out,
        init_from=base,
        overwrite=options["overwrite"],
        origin=choice.record(),
        **common,
    )
    return trainer, choice


def _tell_choice(choice: Choice) -> None:
    """Say what was chosen, as options."""
    settings = asdict(choice.model) | asdict(choice.train)
    chosen = [f"--{name.replace('_', '-')} {settings[name]:g}" for name in choice.chosen]
    if chosen:
        tell(f"chosen for this text, these cores and this time: {' '.join(chosen)}")


def _tell_plan(choice: Choice, trainer: Trainer, guess: bool) -> None:
    """Say what is expected of the run; its loss is a `guess`, for a network that knows nothing
    and has the time to learn."""
    from charrnn.training.autoconfig import AFTER, BEFORE, expected, times

    plan = (
        f"plan: to read the text some {times(choice.epochs)}, in about "
        f"{max(0.1, choice.minutes):,.1f} minutes"
    )
    guess = guess and choice.epochs * len(trainer.streams.text) >= LEAST_TO_READ
    if guess and trainer.valid and len(trainer.valid) >= LEAST_FOR_GUESS:
        decode = trainer.tokenizer.decode
        before, after = trainer.streams.text.ids[-BEFORE:], trainer.valid.ids[:AFTER]
        loss = expected(decode(before), decode(after), choice.cores * choice.minutes)
        plan += f", to a loss of about {loss:.1f} nats/char (a guess, by what bzip2 does with it)"
    tell(plan)


def _describe(trainer: Trainer, resume: bool) -> None:
    from charrnn.training.memory import estimate

    texts = [text.ids.nbytes for text in (trainer.streams.text, trainer.valid) if text is not None]
    memory = estimate(trainer.task, trainer.workers, sum(texts))
    config, streams = trainer.config, trainer.streams
    validation = f", {len(trainer.valid):,} to validate on" if trainer.valid else ""
    tell(
        f"{len(streams.text):,} characters to train on{validation}; "
        f"alphabet of {len(trainer.tokenizer)}"
    )
    tell(
        f"{config.cell}, {config.num_layers} x {config.hidden_size}: "
        f"{trainer.parameters.flat.size:,} parameters; chunks of {streams.batch_size} x "
        f"{streams.seq_len}, {streams.chunks_per_epoch:,} an epoch; "
        f"{counted(trainer.workers, 'worker')}, "
        f"about {memory / 1e6:,.0f} MB of memory"
    )
    if resume:
        tell(f"going on from step {trainer.counters.step:,}")


@contextmanager
def _signals(trainer: Trainer) -> Iterator[list[int]]:
    """Let signals stop the run, saved; a list gathers them. An ignored one stays ignored."""
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


@contextmanager
def _log(path: str | None, append: bool) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    try:
        file = Path(path).open("a" if append else "w", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise CharRNNError(f"the log {path} cannot be written: {error.strerror}") from None
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def _logged(report: Report, log: IO[str]) -> IO[str] | None:
    """Write a report to the log; return None, and say so, if the log takes no more."""
    try:
        log.write(json.dumps(_as_json(report)) + "\n")
        return log
    except OSError as error:
        tell(f"the log ends here, it cannot be written: {error.strerror}")
        return None


def _as_json(report: Report) -> dict[str, Any]:
    evaluation = report.evaluation
    content = asdict(report)
    content["evaluation"] = None
    if evaluation is not None:
        content["evaluation"] = asdict(evaluation) | {"bits_per_char": evaluation.bits_per_char}
    return content


def _shown(trainer: Trainer) -> Iterator[Report]:
    """Yield the reports of the run, showing them on standard error."""
    bar = _bar() if sys.stderr.isatty() else None
    started, shown = time.monotonic(), time.monotonic()
    before = trainer.counters.step
    try:
        for report in trainer.run():
            yield report
            steps = report.step - before
            speed = (
                steps
                * trainer.streams.batch_size
                * trainer.streams.seq_len
                / max(time.monotonic() - started, 1e-9)
            )
            if bar is not None:
                bar.set_description_str(_short(report, trainer, speed), refresh=False)
                bar.update(max(0, int(1000 * report.progress) - bar.n))
            write = partial(_write_above, bar)
            if report.notice:
                write(f"charrnn: {report.notice}")
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
        valid = f", valid {trainer.history[-1]['valid'] / math.log(2):.3f} bits/char"
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
    losses = [entry[kind] for kind in ("train", "valid") for entry in entries]
    drawn = sparkline(losses)
    return f"training {drawn[: len(entries)]}  validation {drawn[len(entries) :]}"


def _preview(trainer: Trainer) -> str:
    from charrnn.inference.sampling import generate

    seed = trainer.counters.step  # another text each time
    text = generate(trainer.checkpoint(), length=PREVIEW, temperature=0.8, seed=seed)[0]
    return one_line(text)


def _conclude(
    ctx: click.Context, trainer: Trainer, corpus: tuple[str, ...], out: Path, received: list[int]
) -> int:
    counters = trainer.counters
    if trainer.stopped:
        number = received[0]
        options = ["--out", str(out), "--resume"]
        for name in ("valid", "encoding", "unknown", "log"):
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                options += [f"--{name}", str(ctx.params[name])]
        tell(f"ended by {SIGNALS[number]} at step {counters.step:,}; saved. Go on with:")
        write_line("  " + _command("train", corpus, options))
        return 128 + number
    if counters.ended_by == "patience":
        tell("ended early: more minutes don't help, the loss in validation is rising")
    if counters.best_loss is None:
        tell(f"{out} holds the weights of step {counters.step:,}")
    else:
        nats = counters.best_loss
        tell(f"{out} holds the best weights: {nats:.4f} nats = {nats / math.log(2):.3f} bits/char")
    from charrnn.training.autoconfig import verdict

    epochs = counters.step / trainer.streams.chunks_per_epoch
    if trainer.history:
        tell(verdict(trainer.history, epochs))
    if trainer.reading:
        tell("now let it compose:")
        command = _command("compose", (str(out),), ["--out", "tunes"])
    else:
        tell("now let it write:")
        command = _command("sample", (str(out),), ["--temperature", "0.8"])
    write_line("  " + command)
    return 0


def _command(name: str, arguments: tuple[str, ...], options: list[str]) -> str:
    """Return a command line to type; no file's name in it looks like an option."""
    files = [
        f"./{argument}" if argument.startswith("-") and argument != "-" else argument
        for argument in arguments
    ]
    return " ".join(map(quoted, ["charrnn", name, *files, *options]))
