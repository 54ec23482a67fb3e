"""The training loop: it yields reports, prints nothing, and can be stopped and resumed.

A run is a pure function of its settings, its corpus and its step number. Random numbers are
counter-based, so the arrays and counters in a resume file are the whole state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.checkpoints.container import Reader
from charrnn.checkpoints.output import Output, resume_path
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import CheckpointError, DivergedError
from charrnn.inference.evaluate import Evaluation, validated_characters
from charrnn.nn.blas import limited, training_threads
from charrnn.nn.model import DROPOUTS, ModelConfig
from charrnn.nn.optim import scheduled_rate
from charrnn.nn.parameters import Array, Parameters
from charrnn.text.corpus import Corpus
from charrnn.training.autoconfig import Choice
from charrnn.training.comm import Exchange, SharedMemory
from charrnn.training.limits import Limits
from charrnn.training.memory import estimate
from charrnn.training.plan import Plan, beginning, check_space, reconsidered
from charrnn.training.prepare import digests, prepare
from charrnn.training.resume import (
    StoredRun,
    fingerprint,
    read_snapshots,
    require_same,
    require_same_reading,
    require_same_run,
    require_same_texts,
    write_resume_file,
)
from charrnn.training.state import Report, Snapshot, Summary
from charrnn.training.worker import Learner, Step, Validate, serve


class Trainer:
    """One training run. Iterate over `run()` to train; `stop()` saves and ends it after the current
    step.

    Create one with `Trainer.new` or `Trainer.resume`. `checkpoint()` returns the model with the
    best weights so far.
    """

    def __init__(self, plan: Plan, last: Snapshot, good: Snapshot | None = None) -> None:
        """Create the run of `plan` in the state `last`; a divergence returns to `good`."""
        self.config, self.train_config, self.limits = plan.config, plan.train, plan.limits
        self.workers, self.task = plan.workers, plan.task
        self.selection, self.output, self.choice = plan.selection, plan.output, plan.choice
        texts = {"text": plan.data.text.ids, "text_ends": plan.data.text.ends}
        if plan.data.valid is not None:
            texts |= {"valid": plan.data.valid.ids, "valid_ends": plan.data.valid.ends}
        layout = self.task.layout()
        self.exchange = (
            SharedMemory(layout, texts, self.workers)
            if self.workers > 1
            else Exchange(layout, texts)
        )
        self.learner = Learner(self.task, self.exchange)
        # The texts are in shared memory if there are workers: keep no other copy.
        self.data = replace(plan.data, text=self.learner.text, valid=self.learner.valid)
        self.parameters = self.learner.parameters
        self.best = np.empty_like(self.parameters.flat)
        self._restore(last)
        self._good = good or last
        self.stopped = False
        self.notices = [*self.data.notices, *plan.notices]
        if self.data.valid is None and self.limits.patience is not None:
            self.notices.append("`patience` has no effect without validation")
        self._gradient_norm = self._learning_rate = 0.0
        self._closing_seconds: float | None = None

    def __repr__(self) -> str:
        run = self.summary()
        share = f"step {run.step:,}, {self.progress():.0%} done"
        return f"<Trainer {self.config.describe()}, {share}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "a Trainer cannot be copied or pickled; copy trainer.checkpoint(), or resume the run "
            "from its files"
        )

    @classmethod
    def new(
        cls,
        corpus: Corpus,
        model: ModelConfig | None = None,
        *,
        train: TrainConfig | None = None,
        limits: Limits | None = None,
        out: str | Path | Output | None = None,
        valid: Corpus | None = None,
        unknown: str = "error",
        init_from: Checkpoint | None = None,
        workers: int | str = 1,
        overwrite: bool = False,
        choice: Choice | None = None,
    ) -> Trainer:
        """Start a run.

        `out` is the model file to write, with its resume file next to it; without it, nothing is
        written. An existing model is replaced only with `overwrite`. With `valid`, a separate
        corpus, nothing is held out. With `init_from`, training starts from that model's weights,
        and new characters are added to its alphabet. `workers` is the number of processes, or
        "auto"; with more than one, a script needs a main guard. `choice` is how the settings were
        selected.

        Raises CorpusError for a corpus that is too short, UnknownCharacterError if `valid` has
        characters that the corpus lacks (unless `unknown` is "skip" or "fold"), ConfigError for a
        `model` of another shape than `init_from`, and CheckpointError for an `out` that cannot be
        written or that another run is writing.
        """
        if out is not None and not isinstance(out, Output):
            out = Output.new(out, overwrite)
        train = train or TrainConfig()
        config = model or (init_from.config if init_from else ModelConfig())
        if init_from is not None:
            require_same(
                asdict(config),
                asdict(init_from.config) | {name: getattr(config, name) for name in DROPOUTS},
                "with `init_from`",
            )
        tokenizer = init_from.tokenizer if init_from is not None else None
        data = prepare(corpus, train, valid, unknown, tokenizer)
        train = replace(train, documents=data.config.documents)
        if isinstance(workers, int) and data.config.batch_size < train.batch_size:
            workers = math.gcd(workers, data.config.batch_size)  # a reduced batch
        selection = choice.selection() if choice is not None else None
        plan = Plan(config, train, limits or Limits(), data, selection, out, choice)
        plan = plan.shared_out(workers)
        first = beginning(plan.task, init_from)
        check_space(plan)
        return cls(plan, first)

    @classmethod
    def resume(
        cls,
        corpus: Corpus,
        out: str | Path | Output,
        *,
        limits: Limits | None = None,
        valid: Corpus | None = None,
        unknown: str = "error",
        workers: int | str = 1,
        **given: Any,
    ) -> Trainer:
        """Continue the run that writes `out` from its last save.

        Stated `limits` replace the run's. Settings `given` must equal those of the run. Raises
        CheckpointError if there is no run to resume, and ConfigError if a setting or the corpus has
        changed.
        """
        output = out if isinstance(out, Output) else Output.of_run(out)
        out = output.path
        with Reader(resume_path(out), "resume") as reader:
            stored = StoredRun.parsed(reader)
            require_same_reading(corpus.reading, stored.reading)
            require_same_texts(stored, digests(corpus, valid), out)
            identity = asdict(stored.config) | asdict(stored.train)
            require_same(given, {name: identity[name] for name in given}, "on resume")
            data = prepare(corpus, stored.train, valid, unknown, stored.tokenizer)
            new_limits = stored.limits.updated(limits or Limits())
            plan = Plan(stored.config, stored.train, new_limits, data, stored.selection, output)
            plan = plan.shared_out(workers)
            check_space(plan)
            last, good = read_snapshots(reader, plan.task.tensors())
            notices = []
            if reader.document.get("fingerprint") != fingerprint(plan.task.train.shards):
                notices.append(
                    "the processor, NumPy, BLAS or its number of threads has changed; the run "
                    "continues, but its result will not be the same bit for bit"
                )
        if last.counters.model_digest != output.digest:
            notices.append(
                f"{out} does not match its resume file; {out} will be rewritten from the resumed "
                "run"
            )
        if new_limits != stored.limits:
            last = reconsidered(last, plan)
        trainer = cls(replace(plan, notices=tuple(notices)), last, good)
        if last.counters.model_digest != output.digest:
            require_same_run(out, trainer.checkpoint())
        return trainer

    # ---- the loop ----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Report]:
        return self.run()

    def fit(self, progress: bool | None = None) -> Checkpoint:
        """Train to the end and return the model with the best weights; raises what `run` raises.

        `progress` shows a progress bar; by default, in terminals and notebooks.
        """
        from tqdm.auto import tqdm

        hidden = None if progress is None else not progress  # None: only on a terminal
        with tqdm(total=1000, disable=hidden, bar_format="{percentage:3.0f}%|{bar}| {desc}") as bar:
            for report in self.run():
                valid = f", valid {self.history[-1].valid:.3f}" if self.history else ""
                bar.set_description_str(f"step {report.step:,}, loss {report.loss:.3f}{valid}")
                bar.update(int(1000 * report.progress) - bar.n)
        return self.checkpoint()

    def run(self) -> Iterator[Report]:
        """Train until a limit is reached or `stop()` is called; yield a report for each step and
        each evaluation.

        Raises DivergedError if training diverges a second time, CheckpointError if the model cannot
        be written at the end or another run is writing it, and WorkerError if a worker dies.
        """
        if self.finished():
            return
        with self.output.claimed() if self.output is not None else nullcontext():
            yield from self._started()

    def _started(self) -> Iterator[Report]:
        try:
            self.exchange.start(serve, self.task)
            yield from self._run()
        except (GeneratorExit, CheckpointError):  # between steps: the state is consistent
            raise
        except BaseException:
            self._restore(self._good)  # a step may be half done
            raise
        finally:
            self.exchange.withdraw_stop()
            self.exchange.close()

    def _run(self) -> Iterator[Report]:
        began = time.monotonic() - self.counters.seconds
        while True:
            ended = self._ended_by()
            if self._evaluation_due(bool(ended)):
                report = self._evaluate()
                if report is None:
                    ended = ""  # stopped during the evaluation: it is due again on resume
                else:
                    yield report
                    ended = ended if ended and report.notice is None else self._ended_by()
            self.counters.ended_by = ended
            if self._save_due(bool(ended)):
                try:
                    self.save()
                except (CheckpointError, MemoryError) as error:
                    if ended or self.exchange.stop_requested():
                        self.counters.ended_by = ""  # `run()` can try again
                        raise
                    yield self._report(notice=f"{error}; trying again at the next save")
                    if self.exchange.stop_requested():
                        continue  # requested meanwhile: nothing has been saved yet
            if ended or self.exchange.stop_requested():
                self.stopped = not ended
                return
            notice = self._step()
            self.counters.seconds = time.monotonic() - began
            yield self._report(notice=notice)

    def stop(self) -> None:
        """Save and end after the current step; safe to call from a signal handler."""
        self.exchange.request_stop()

    def finished(self) -> bool:
        """Return whether the run is complete: it has reached the limit `counters.ended_by`."""
        return self.counters.ended_by != ""

    def progress(self) -> float:
        """Return the fraction of the run that is done, towards the nearest limit."""
        return min(1.0, max(self._shares().values()))

    def summary(self) -> Summary:
        """Return the key figures of the run."""
        texts = [text for text in (self.data.text, self.data.valid) if text is not None]
        counters, config = self.counters, self.data.config
        return Summary(
            characters=len(self.data.text),
            valid_characters=len(self.data.valid) if self.data.valid is not None else 0,
            alphabet=len(self.data.tokenizer),
            config=self.config,
            parameters=self.parameters.flat.size,
            batch_size=config.batch_size,
            seq_len=config.seq_len,
            chunks_per_epoch=self.data.chunks_per_epoch,
            workers=self.workers,
            memory=estimate(self.task, self.workers, sum(text.ids.nbytes for text in texts)),
            step=counters.step,
            epochs=counters.step / self.data.chunks_per_epoch,
            best_loss=counters.best_loss,
            ended_by=counters.ended_by,
        )

    def _shares(self) -> dict[str, float]:
        """Return the fraction of each limit that is used up."""
        return self.limits.shares(self.counters, self.data, self._closing_seconds)

    def _step(self) -> str | None:
        """Train on one chunk; return a notice if training diverged."""
        config, counters = self.train_config, self.counters
        rate = counters.learning_rate_scale * scheduled_rate(
            config.learning_rate,
            config.schedule,
            self.progress(),
            counters.step,
            config.warmup_steps,
        )
        command = Step(counters.step, rate, counters.loss)
        with self._threads():
            self.exchange.broadcast(command)
            stepped = self.learner.step(command)
        if not stepped.sane:
            return self._go_back()
        counters.loss = stepped.mean_loss
        counters.step += 1
        self._gradient_norm, self._learning_rate = stepped.gradient_norm, rate
        return None

    def _threads(self) -> AbstractContextManager[object]:
        """Return a context that limits BLAS threads; between steps the caller's limit applies."""
        return limited(training_threads(self.task.train.shards))

    def _go_back(self) -> str:
        """Return to the last good state, once, with a tenth of the learning rate, and say so."""
        step, seconds = self.counters.step, self.counters.seconds
        if self.counters.learning_rate_scale < 1:
            saved = self.output is not None and self._good.counters.step > 0
            where = f" ({self.output.path} is the last good model)" if self.output and saved else ""
            clip = "a smaller `clip_norm`" if self.train_config.clip_norm else "set `clip_norm`"
            raise DivergedError(
                f"training diverged again at step {step:,}{where}; use a `learning_rate` below "
                f"{self.train_config.learning_rate / 10:g}, or {clip}"
            )
        self._restore(self._good)
        self.counters.learning_rate_scale = 0.1
        self.counters.seconds = seconds
        return (
            f"training diverged at step {step:,}; continuing from step {self.counters.step:,} with "
            "a tenth of the learning rate"
        )

    # ---- evaluation --------------------------------------------------------------------------

    def _evaluation_due(self, ended: bool) -> bool:
        counters = self.counters
        if self.data.valid is None or counters.step == 0 or counters.evaluated_at == counters.step:
            return False
        return ended or self._is_due(counters.evaluated_at, self._eval_every())

    def _is_due(self, last: int, every: int) -> bool:
        """Return whether to evaluate or save again, after the step `last`."""
        return self.limits.is_due(last, every, self.counters, self.data, self._closing_seconds)

    def _eval_every(self) -> int:
        """Return the steps between evaluations; by default, they take about 5% of the time."""
        if self.limits.eval_every is not None or self.data.valid is None:
            return self.limits.eval_every or 100
        return max(100, 7 * validated_characters(self.data.valid) // self.data.chunk_size)

    def _evaluate(self) -> Report | None:
        """Evaluate on the held-out part; keep the best weights. Return None if it was stopped."""
        counters = self.counters
        began = time.monotonic()
        with self._threads():
            self.exchange.broadcast(Validate())
            evaluation = self.learner.validate()
        if self.exchange.stop_requested():
            return None
        if not self.learner.sane(evaluation.nats_per_char):
            return self._report(notice=self._go_back())
        counters.evaluated_at = counters.step
        best = counters.best_loss is None or evaluation.nats_per_char < counters.best_loss
        if best:
            counters.best_loss = evaluation.nats_per_char
            self.best[...] = self.parameters.flat
        self.history.append(HistoryEntry(counters.step, counters.loss, evaluation.nats_per_char))
        self._closing_seconds = time.monotonic() - began
        return self._report(evaluation, best)

    def _ended_by(self) -> str:
        """Return the name of the limit that has been reached, or ""."""
        return self.limits.ended_by(self.counters, self.data, self.history, self._closing_seconds)

    def _report(
        self, evaluation: Evaluation | None = None, best: bool = False, notice: str | None = None
    ) -> Report:
        counters = self.counters
        return Report(
            step=counters.step,
            epoch=counters.step / self.data.chunks_per_epoch,
            progress=self.progress(),
            loss=counters.loss,
            learning_rate=self._learning_rate,
            gradient_norm=self._gradient_norm,
            characters=counters.step * self.data.chunk_size,
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
        record = TrainingRecord(
            self.data.config,
            steps=self.counters.step,
            characters=len(self.data.text),
            **self.data.digests,
            selection=self.selection,
            reading=self.data.reading,
        )
        return Checkpoint(self.config, self.data.tokenizer, parameters, record, list(self.history))

    def save(self) -> None:
        """Write the model file, then the resume file; does nothing without `out`."""
        if not np.isfinite(self.parameters.flat).all():
            self._restore(self._good)
        due = self._save_scheduled() and not self._evaluation_due(False)
        if due or self.finished():
            self.counters.saved_at = self.counters.step
        if self.output is not None:
            self.counters.model_digest = self.output.save(self.checkpoint().save)
        if due or self.finished():
            self._good = self._snapshot()
        if self.output is not None:
            run = StoredRun(
                self.config,
                self.data.tokenizer,
                replace(self.train_config, shards=self.task.train.shards),
                self.limits,
                self.selection,
                self.data.reading,
                self.data.digests,
            )
            last = Snapshot(self._live(), self.counters, self.history)
            write_resume_file(self.output.path, run, last, self._good)

    def _save_due(self, ended: bool) -> bool:
        counters = self.counters
        if ended or self.exchange.stop_requested():
            return True
        if counters.step == 0 or counters.saved_at == counters.step:
            return False
        return self._save_scheduled()

    def _save_scheduled(self) -> bool:
        """Return whether this step is one to save at: by default, any with an evaluation."""
        counters = self.counters
        if self.limits.save_every is not None:
            return counters.step % self.limits.save_every == 0
        if self.data.valid is None:
            return self._is_due(counters.saved_at, self._eval_every())
        return counters.evaluated_at == counters.step

    def _live(self) -> dict[str, Array]:
        """Return the arrays of a snapshot: the run's own, and a copy of the carried state."""
        return {
            "parameters": self.parameters.flat,
            "best": self.best,
            "moments": self.learner.moments,
            "state": self.learner.carried_state(),
        }

    def _snapshot(self) -> Snapshot:
        tensors = {name: values.copy() for name, values in self._live().items()}
        return Snapshot(tensors, replace(self.counters), list(self.history))

    def _restore(self, snapshot: Snapshot) -> None:
        self.parameters.flat[...] = snapshot.tensors["parameters"]
        self.best[...] = snapshot.tensors["best"]
        self.learner.moments[...] = snapshot.tensors["moments"]
        self.learner.carry(snapshot.tensors["state"])
        self.counters = replace(snapshot.counters)
        self.history = list(snapshot.history)
