"""Training: the loop that yields reports, prints nothing, and can be stopped and gone on with.

A run is a pure function of its settings, its corpus and its step number: every random number is
found by counting, so there is no state besides the arrays and counters that a resume file holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.checkpoints import checkpoint
from charrnn.checkpoints.checkpoint import (
    Checkpoint,
    Reader,
    check_free,
    check_writable,
    resume_path,
)
from charrnn.checkpoints.lock import locked
from charrnn.errors import CheckpointError, DivergedError, counted
from charrnn.inference.evaluate import Evaluation, validated_characters
from charrnn.nn.init import initialise
from charrnn.nn.model import DROPOUTS, ModelConfig
from charrnn.nn.optim import scheduled_rate
from charrnn.nn.parameters import Array, Parameters
from charrnn.text.batches import Encoded, Streams, fit
from charrnn.text.corpus import Corpus
from charrnn.text.split import augmented, split
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.autoconfig import is_getting_worse
from charrnn.training.comm import Exchange, SharedMemory, share_out
from charrnn.training.resume import (
    StoredRun,
    description,
    digests,
    fingerprint,
    read_moments,
    reading_of_run,
    require_run_of,
    require_same,
    require_same_run,
    require_same_texts,
    write_moments,
)
from charrnn.training.run import DEFAULT_MINUTES, Counters, Limits, Report, Snapshot, TrainConfig
from charrnn.training.worker import Learner, Task, serve


class Trainer:
    """One run. Iterate over `run()` to train; `stop()` ends it, saved, after the current step.

    `out` is where the model is written, with its resume file beside it; without it nothing is
    written. `checkpoint()` is the model with the best weights so far. With `valid`, a corpus of its
    own, nothing is held out of the first. With `init_from`, training starts from that model's
    weights, and new characters are added to its alphabet. `workers` is a number of processes, or
    "auto"; more than one need a main guard in a script. An existing model is only replaced with
    `overwrite`. `origin` goes into the model's record: how its settings came about.

    Raises CorpusError for a text that is too short, UnknownCharacterError for a `valid` with
    characters of its own (unless `unknown="skip"`), ConfigError for a `model` of another shape than
    `init_from`, and CheckpointError for an `out` that cannot be written, or
    that another run writes.
    """

    streams: Streams
    valid: Encoded | None

    def __init__(
        self,
        corpus: Corpus,
        model: ModelConfig | None = None,
        train: TrainConfig | None = None,
        limits: Limits | None = None,
        out: str | Path | None = None,
        valid: Corpus | None = None,
        unknown: str = "error",
        init_from: Checkpoint | None = None,
        tokenizer: Tokenizer | None = None,
        workers: int | str = 1,
        overwrite: bool = False,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.out = Path(out) if out is not None else None
        if self.out is not None:
            check_writable(self.out)
            check_free(self.out, overwrite)
        self._on_disk = description(self.out).get("digest")
        train = train or TrainConfig()
        if train.documents == "whole":
            train = replace(train, documents=corpus.reading.documents)
        self.train_config = train
        self.reading = asdict(corpus.reading)
        self.config = model or (init_from.config if init_from else ModelConfig())
        self.limits = limits or Limits()
        self.origin = dict(origin or {})
        self.notices = [*corpus.notices, *(valid.notices if valid is not None else ())]
        if init_from is not None:
            require_same(
                asdict(self.config),
                asdict(init_from.config) | {name: getattr(self.config, name) for name in DROPOUTS},
                "the model to start from",
            )
            tokenizer = init_from.tokenizer
        self.digests = digests(corpus, valid)
        self._read(corpus, valid, unknown, tokenizer)

        if isinstance(workers, int) and self.streams.batch_size < train.batch_size:
            workers = math.gcd(workers, self.streams.batch_size)  # the sizes were made to fit
        self.workers, shards = share_out(workers, train.shards, self.streams.batch_size)
        self.task = Task(
            self.config,
            len(self.tokenizer),
            replace(
                train,
                batch_size=self.streams.batch_size,
                seq_len=self.streams.seq_len,
                shards=shards,
            ),
        )
        texts = {"text": self.streams.text.ids, "text_ends": self.streams.text.ends}
        if self.valid is not None:
            texts |= {"valid": self.valid.ids, "valid_ends": self.valid.ends}
        layout = self.task.layout()
        self.exchange = (
            SharedMemory(layout, texts, self.workers)
            if self.workers > 1
            else Exchange(layout, texts)
        )
        self.learner = Learner(self.task, self.exchange)
        # Workers have the texts in shared memory: keep no other copy.
        self.streams, self.valid = self.learner.streams, self.learner.valid
        self.parameters = self.learner.parameters
        initialise(self.parameters, self.config, train.init, train.seed)
        if init_from is not None:
            for name, values in init_from.parameters.items():
                self.parameters[name][tuple(map(slice, values.shape))] = values
        self.best = self.parameters.flat.copy()
        self.counters = Counters()
        self.history: list[dict[str, Any]] = []
        self.stopped = False
        self._stop_requested = False
        self._gradient_norm = self._learning_rate = 0.0
        self._closing_seconds: float | None = None
        self._good = self._snapshot()
        self._check_space()

    def _read(
        self, corpus: Corpus, valid: Corpus | None, unknown: str, tokenizer: Tokenizer | None
    ) -> None:
        """Split and encode the texts, and make the sizes fit."""
        config = self.train_config
        self.valid_fraction = fraction = config.valid_fraction if valid is None else 0.0
        training, held_out = split(corpus, config.documents, fraction)
        training = augmented(training, corpus.reading)
        characters = training.characters() | held_out.characters()
        if tokenizer is None:
            self.tokenizer = Tokenizer("".join(sorted(characters)))
        else:
            self.tokenizer = tokenizer.extended(characters)
        if valid is not None:
            held_out, _ = split(valid, config.documents, 0.0)
        text = training.encode(self.tokenizer)
        validation = held_out.encode(self.tokenizer, unknown)
        self.valid = validation if len(validation) >= 2 else None
        if self.valid is None and (valid is not None or fraction > 0):
            self.notices.append(
                "too little text is held out to validate on: the last weights will be the model"
            )
        if self.valid is None and self.limits.patience is not None:
            self.notices.append("there is nothing to validate on, so patience never ends the run")
        if tokenizer is not None and len(self.tokenizer) > len(tokenizer):
            new = len(self.tokenizer) - len(tokenizer)
            self.notices.append(f"added to the model's alphabet: {counted(new, 'character')}")
        sizes = fit(len(text), config.batch_size, config.seq_len)
        if sizes != (config.batch_size, config.seq_len):
            self.notices.append(
                f"the corpus has {len(text):,} characters to train on, and one chunk of batch_size "
                f"{config.batch_size} x seq_len {config.seq_len} needs "
                f"{config.batch_size * config.seq_len:,}: made it batch_size {sizes[0]} x "
                f"seq_len {sizes[1]}"
            )
        self.streams = Streams(text, *sizes, config.seed)

    @classmethod
    def resume(
        cls,
        corpus: Corpus,
        out: str | Path,
        limits: Limits | None = None,
        valid: Corpus | None = None,
        unknown: str = "error",
        workers: int | str = 1,
        **given: Any,
    ) -> Trainer:
        """Go on with the run that writes `out`, from its last saved moment.

        `limits` that are stated replace the run's. Settings `given` must be those of the run.
        Raises CheckpointError if there is no such run, and ConfigError for a setting or a corpus
        that is not the run's.
        """
        require_run_of(out)
        check_writable(out)
        require_same(asdict(corpus.reading), asdict(reading_of_run(out)), "the run to resume")
        with Reader(resume_path(out), "resume") as reader:
            require_same_texts(reader, digests(corpus, valid), out)
            stored = StoredRun.of(reader)
            identity = asdict(stored.config) | asdict(stored.train)
            require_same(given, {name: identity[name] for name in given}, "the run to resume")
            trainer = cls(
                corpus,
                stored.config,
                stored.train,
                stored.limits.updated(limits or Limits()),
                None,
                valid,
                unknown,
                tokenizer=stored.tokenizer,
                workers=workers,
                origin=stored.origin,
            )
            trainer.out = Path(out)
            trainer._on_disk = description(out).get("digest")
            trainer._check_space()
            last, good = read_moments(reader, trainer._tensors())
        trainer._restore(last)
        if trainer.limits != stored.limits:
            over = not trainer._evaluation_due(ended=True)
            trainer.counters.ended_by = trainer._ended_by() if over else ""
        trainer._good = good or trainer._snapshot()
        if reader.document.get("fingerprint") != fingerprint(trainer.task.train.shards):
            trainer.notices.append(
                "this processor, NumPy, BLAS or its number of threads is not that of the run "
                "before: it goes on, but not bit for bit as it would have there"
            )
        if last.counters.model_digest != trainer._on_disk:
            require_same_run(out, trainer.checkpoint().describe())
            trainer.notices.append(
                f"{out} is not of the same moment as its resume file: it will be written anew"
            )
        return trainer

    # ---- the loop ----------------------------------------------------------------------------

    def run(self) -> Iterator[Report]:
        """Train until a limit is reached or `stop()` is called, yielding a report of each step and
        of each evaluation.

        Raises DivergedError if training leaves all bounds a second time, CheckpointError if the
        model cannot be written at the end or another run writes it, and WorkerError if a worker
        dies.
        """
        if self.finished():
            return
        with locked(self.out) if self.out is not None else nullcontext():
            if description(self.out).get("digest") not in (self._on_disk, None):
                raise CheckpointError(
                    f"another run has written {self.out} since this one was made: go on with that "
                    "by --resume, or give another place with --out"
                )
            yield from self._started()

    def _started(self) -> Iterator[Report]:
        # With several shards one thread each, so that bits don't depend on who does them.
        threads = threadpool_limits(1 if self.task.train.shards > 1 else None)
        try:
            self.exchange.start(serve, self.task)
            yield from self._run()
        except (GeneratorExit, CheckpointError):  # between steps: what was learnt is still here
            raise
        except BaseException:
            self._restore(self._good)  # a step may have been half done
            raise
        finally:
            self._stop_requested = False
            self.exchange.arrays["stop"][0] = False
            self.exchange.close()
            threads.restore_original_limits()

    def _run(self) -> Iterator[Report]:
        began = time.monotonic() - self.counters.seconds
        while True:
            ended = self._ended_by()
            if self._evaluation_due(bool(ended)):
                report = self._evaluate()
                if report is None:
                    ended = ""  # stopped on the way: it is due again when the run goes on
                else:
                    yield report
                    ended = ended if ended and report.notice is None else self._ended_by()
            self.counters.ended_by = ended
            if self._save_due(bool(ended)):
                try:
                    self.save()
                except (CheckpointError, MemoryError) as error:
                    if ended or self._stop_requested:
                        self.counters.ended_by = ""  # `run()` can try it again
                        raise
                    yield self._report(notice=f"{error}; it is tried again at the next save")
            if ended or self._stop_requested:
                self.stopped = not ended
                return
            notice = self._step()
            self.counters.seconds = time.monotonic() - began
            yield self._report(notice=notice)

    def stop(self) -> None:
        """Ask the run to save and end after the current step; a signal handler may call it."""
        self._stop_requested = True
        self.exchange.arrays["stop"][0] = True

    def finished(self) -> bool:
        """Return whether the run has reached the limit `counters.ended_by`, and is complete."""
        return self.counters.ended_by != ""

    def progress(self) -> float:
        """Return the share of the run that is done, by the limit that is nearest, 0 to 1."""
        return min(1.0, max(self._shares().values()))

    def _shares(self) -> dict[str, float]:
        """Return the share of each limit that is used up."""
        counters, limits = self.counters, self.limits
        shares = {}
        if limits.max_steps is not None:
            shares["max_steps"] = counters.step / limits.max_steps
        if limits.epochs is not None:
            steps = math.ceil(limits.epochs * self.streams.chunks_per_epoch)
            shares["epochs"] = counters.step / steps
        minutes = limits.minutes
        if not shares and minutes is None:
            minutes = DEFAULT_MINUTES
        if minutes is not None:
            # The last evaluation and save are part of the minutes.
            training = 60 * minutes - self._closing_time()
            shares["minutes"] = counters.seconds / training if training > 0 else 1.0
        return shares

    def _closing_time(self) -> float:
        if self._closing_seconds is not None or self.counters.step == 0:
            return self._closing_seconds or 0.0
        if self.valid is None:
            return 0.0
        # Not measured yet: a forward pass is about a third of a training step.
        a_character = self.counters.seconds / self._characters()
        return validated_characters(self.valid) * a_character / 3

    def _characters(self) -> int:
        return self.counters.step * self.streams.batch_size * self.streams.seq_len

    def _step(self) -> str | None:
        """Learn from one chunk; return a notice if training had to go back."""
        config, counters = self.train_config, self.counters
        rate = counters.learning_rate_scale * scheduled_rate(
            config.learning_rate,
            config.schedule,
            self.progress(),
            counters.step,
            config.warmup_steps,
        )
        self.exchange.broadcast(["step", counters.step, rate, counters.loss])
        loss, norm, well = self.learner.step(counters.step, rate, counters.loss)
        if not well:
            return self._go_back()
        counters.loss = loss
        counters.step += 1
        self._gradient_norm, self._learning_rate = norm, rate
        return None

    def _go_back(self) -> str:
        """Return to the last good state with a tenth of the learning rate, once."""
        step, seconds = self.counters.step, self.counters.seconds
        if self.counters.learning_rate_scale < 1:
            saved = self.out is not None and self._good.counters.step > 0
            where = f"; {self.out} is the last good model" if saved else ""
            clip = "a smaller" if self.train_config.clip_norm else "with a"
            raise DivergedError(
                f"training diverged again at step {step}, with a tenth of the learning rate: start "
                f"with a --learning-rate below {self.train_config.learning_rate / 10:g}, or {clip} "
                f"--clip-norm{where}"
            )
        self._restore(self._good)
        self.counters.learning_rate_scale = 0.1
        self.counters.seconds = seconds
        return (
            f"training diverged at step {step}: back to step {self.counters.step}, "
            "with a tenth of the learning rate"
        )

    # ---- evaluation --------------------------------------------------------------------------

    def _evaluation_due(self, ended: bool) -> bool:
        counters = self.counters
        if self.valid is None or counters.step == 0 or counters.evaluated_at == counters.step:
            return False
        return ended or counters.step % self._eval_every() == 0

    def _eval_every(self) -> int:
        """Return the steps between evaluations, by default such that they cost about 5%."""
        if self.limits.eval_every is not None or self.valid is None:
            return self.limits.eval_every or 100
        chunk = self.streams.batch_size * self.streams.seq_len
        return max(100, 7 * validated_characters(self.valid) // chunk)

    def _evaluate(self) -> Report | None:
        """Validate; the best weights are kept. Return None if it was stopped on the way."""
        assert self.valid is not None
        counters = self.counters
        began = time.monotonic()
        self.exchange.broadcast(["validate"])
        evaluation = self.learner.validate()
        if self._stop_requested:
            return None
        if not self.learner.sane(evaluation.nats_per_char):
            return self._report(notice=self._go_back())
        counters.evaluated_at = counters.step
        best = counters.best_loss is None or evaluation.nats_per_char < counters.best_loss
        if best:
            counters.best_loss = evaluation.nats_per_char
            self.best[...] = self.parameters.flat
        self.history.append(
            {"step": counters.step, "train": counters.loss, "valid": evaluation.nats_per_char}
        )
        self._closing_seconds = time.monotonic() - began
        return self._report(evaluation, best)

    def _ended_by(self) -> str:
        """Return the name of the limit that has been reached, "" if none has."""
        if is_getting_worse(self.history, self.limits.patience):
            return "patience"
        return next((name for name, share in self._shares().items() if share >= 1), "")

    def _report(
        self, evaluation: Evaluation | None = None, best: bool = False, notice: str | None = None
    ) -> Report:
        counters = self.counters
        return Report(
            step=counters.step,
            epoch=counters.step / self.streams.chunks_per_epoch,
            progress=self.progress(),
            loss=counters.loss,
            learning_rate=self._learning_rate,
            gradient_norm=self._gradient_norm,
            characters=self._characters(),
            seconds=counters.seconds,
            evaluation=evaluation,
            best=best,
            notice=notice,
        )

    # ---- saving ------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """Return the model with the best weights; before the first evaluation, the current ones."""
        parameters = Parameters(self.parameters.shapes)
        evaluated = self.counters.best_loss is not None
        parameters.flat[...] = self.best if evaluated else self.parameters.flat
        training = {
            **self.origin,
            **asdict(self.task.train),
            "valid_fraction": self.valid_fraction,
            "steps": self.counters.step,
            "characters": len(self.streams.text),
            **self.digests,
            **self.reading,
        }
        return Checkpoint(self.config, self.tokenizer, parameters, training, list(self.history))

    def save(self) -> None:
        """Write the model, then all that going on needs; does nothing without `out`."""
        if not np.isfinite(self.parameters.flat).all():
            self._restore(self._good)
        due = self.counters.step % self._save_every() == 0 and not self._evaluation_due(False)
        if due or self.finished():
            self.counters.saved_at = self.counters.step
        if self.out is not None:
            try:
                self.counters.model_digest = self.checkpoint().save(self.out)
            finally:  # it may have failed after the new file was in its place
                self._on_disk = description(self.out).get("digest")
        if due or self.finished():
            self._good = self._snapshot()
        if self.out is not None:
            run = {
                "config": asdict(self.config),
                "vocabulary": self.tokenizer.alphabet,
                "training": asdict(replace(self.train_config, shards=self.task.train.shards)),
                "limits": asdict(self.limits),
                "origin": self.origin,
                **self.digests,
                "tunes": self.reading,
            }
            last = Snapshot(self._tensors(), self.counters, self.history)
            write_moments(self.out, run, last, self._good, self.task.train.shards)

    def _check_space(self) -> None:
        """Raise CheckpointError if the disk has no room for what `save` writes at most."""
        if self.out is not None:
            resume = 2 * sum(values.nbytes for values in self._tensors().values())
            checkpoint.check_space(self.out, self.best.nbytes, resume)

    def _save_due(self, ended: bool) -> bool:
        counters = self.counters
        if ended or self._stop_requested:
            return True
        if counters.step == 0 or counters.saved_at == counters.step:
            return False
        return counters.step % self._save_every() == 0

    def _save_every(self) -> int:
        return self.limits.save_every or self._eval_every()

    def _tensors(self) -> dict[str, Array]:
        return {
            "parameters": self.parameters.flat,
            "best": self.best,
            "moments": self.learner.moments,
            "state": self.learner.state,
        }

    def _snapshot(self) -> Snapshot:
        tensors = {name: values.copy() for name, values in self._tensors().items()}
        return Snapshot(tensors, replace(self.counters), list(self.history))

    def _restore(self, snapshot: Snapshot) -> None:
        for name, values in self._tensors().items():
            values[...] = snapshot.tensors[name]
        self.counters = replace(snapshot.counters)
        self.history = list(snapshot.history)
