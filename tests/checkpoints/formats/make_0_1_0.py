"""Train models with charrnn 0.1.0, and record what 0.1.0 does with them.

This made the files in `0.1.0/`, which are never made again. It needs charrnn 0.1.0 (29f674c):

    git worktree add ../charrnn-0.1.0 29f674c
    python -m venv venv
    venv/bin/pip install ../charrnn-0.1.0

Call it in a folder that holds only the corpora (*.txt, *.abc); it replaces no file:

    venv/bin/python make_0_1_0.py

On one machine, every call writes the same bytes.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np

import charrnn
from charrnn import Checkpoint, Limits, ModelConfig, TrainConfig, Trainer, TuneReading
from charrnn.cli import main

STEPS, MORE = 100, 150  # of a run, and of one that is resumed after its end

TRAIN = TrainConfig(seq_len=16, batch_size=4, learning_rate=0.02, warmup_steps=5)
LIMITS = Limits(max_steps=STEPS, eval_every=20, save_every=20)
SAMPLES = (
    {"prompt": "", "length": 60, "num_samples": 3, "temperature": 0.8, "seed": 1},
    {"prompt": "d", "length": 60, "num_samples": 3, "temperature": 0.5, "seed": 2},
)


def finished_runs() -> dict[str, Any]:
    """Train to the end with the command line, which records how settings were chosen."""
    common = "--workers 1 --seq-len 16 --batch-size 4 --warmup-steps 5"
    common += f" --max-steps {STEPS} --eval-every 20"
    options = {
        "harbour": "--hidden-size 8 --embedding-size 4",  # the rate and dropout are chosen
        "names": "--cell lstm --hidden-size 4 --embedding-size 0 --documents lines"
        " --optimizer sgd --learning-rate 0.5 --schedule linear --weight-decay 0.001",
        "verses": "--cell rnn --hidden-size 6 --num-layers 2 --embedding-size 0 --init torch"
        " --documents paragraphs --optimizer rmsprop --learning-rate 0.01 --valid-fraction 0.3",
        "tunes-tonic": "--hidden-size 8 --embedding-size 6 --keep-titles --learning-rate 0.02",
    }
    runs = {}
    for name, own in options.items():
        corpus = "tunes.abc" if name.startswith("tunes") else f"{name}.txt"
        command(f"train {corpus} -o {model(name)} {common} {own}")
        runs[name] = {"corpus": [corpus], "max_steps": MORE}
    return runs


def interrupted_runs() -> dict[str, Any]:
    """Stop runs between two saves, at a save, and where an evaluation is due."""
    small = ModelConfig("gru", 6, embedding_size=4, dropout=0.0)
    deep = replace(small, num_layers=2, dropout=0.2, weight_dropout=0.1)
    lstm = ModelConfig("lstm", 8, num_layers=2, embedding_size=4, dropout=0.0)
    bells = charrnn.read("bells.txt")
    tunes = charrnn.read("tunes.abc", tunes=TuneReading("all"))
    two = charrnn.read(["harbour.txt", "verses.txt"])
    sharded = replace(TRAIN, shards=2, optimizer="adamw", weight_decay=0.1)
    no_warmup = replace(TRAIN, warmup_steps=0)
    often = replace(LIMITS, save_every=10)
    valid = charrnn.read("bells-valid.txt")
    # Resumed, it diverges at step 60, and so goes back to the save at step 40.
    interrupt(Trainer(bells, lstm, no_warmup, LIMITS, model("bells"), valid), 50)
    interrupt(Trainer(tunes, small, TRAIN, often, model("tunes-all")), 50)
    interrupt(Trainer(two, deep, sharded, LIMITS, model("shards")), 60)
    return {
        "bells": {"corpus": ["bells.txt"], "valid": "bells-valid.txt"},
        "tunes-all": {"corpus": ["tunes.abc"]},
        "shards": {"corpus": ["harbour.txt", "verses.txt"]},
    }


def interrupt(trainer: Trainer, at: int) -> None:
    """Train until that step, and stop."""
    for report in trainer.run():
        if report.step == at:
            trainer.stop()


def resume(name: str, run: dict[str, Any]) -> str:
    """Resume a copy of a run until it ends; return the name of the resulting model."""
    with TemporaryDirectory() as folder:
        copy = Path(folder, model(name))
        for file in (model(name), resume_file(name)):
            shutil.copy(file, folder)
        text = charrnn.read(run["corpus"], tunes=charrnn.load(copy).tunes)
        valid = charrnn.read(run["valid"]) if "valid" in run else None
        trainer = Trainer.resume(text, copy, Limits(max_steps=run.get("max_steps")), valid)
        for report in trainer.run():
            if report.notice:
                print(name, report.notice)
        shutil.copyfile(copy, model(f"{name}-resumed"))
    return model(f"{name}-resumed")


def record(name: str, corpora: list[list[str]]) -> dict[str, Any]:
    """Return what a model is, what it samples, and how it evaluates on each corpus."""
    checkpoint = charrnn.load(model(name))
    fraction = float(checkpoint.training["valid_fraction"])
    return {
        "config": asdict(checkpoint.config),
        "alphabet": checkpoint.tokenizer.alphabet,
        "history": checkpoint.history,
        "samples": [{**options, "texts": samples(checkpoint, options)} for options in SAMPLES],
        "evaluations": [
            {"corpus": corpus, "split": part, **evaluation(checkpoint, corpus, part)}
            for corpus in corpora
            for part in (["all", "train", "valid"] if fraction else ["all"])
        ],
    }


def samples(checkpoint: Checkpoint, options: dict[str, Any]) -> list[str]:
    """Sample texts that rounding errors, which differ between processors, cannot change."""
    texts = charrnn.generate(checkpoint, **options)
    rng = np.random.default_rng(0)
    weights = checkpoint.parameters.flat
    exact = weights.copy()
    for _ in range(20):
        weights[...] = exact * (1 + 1e-5 * rng.standard_normal(exact.shape))
        assert charrnn.generate(checkpoint, **options) == texts, "choose another seed"
    weights[...] = exact
    return texts


def evaluation(checkpoint: Checkpoint, corpus: list[str], part: str) -> dict[str, Any]:
    """Evaluate a model on part of a corpus."""
    text = charrnn.read(corpus, tunes=checkpoint.tunes)
    return asdict(charrnn.evaluate(checkpoint, text, part))


def model(name: str) -> str:
    """Return the name of a model's file."""
    return f"{name}.safetensors"


def resume_file(name: str) -> str:
    """Return the name of a model's resume file."""
    return f"{name}.resume.safetensors"


def command(line: str) -> None:
    """Run the command line, which must succeed."""
    try:
        main(line.split())
    except SystemExit as ended:
        if ended.code:
            raise


@contextmanager
def steady_clock() -> Iterator[None]:
    """Advance the clock by a hundredth of a second a call: resume files hold the time trained."""
    ticks = count()
    with patch("time.monotonic", lambda: next(ticks) / 100):
        yield


def make() -> None:
    """Write all files."""
    assert charrnn.__version__ == "0.1.0"
    with steady_clock():
        runs = finished_runs() | interrupted_runs()
        Path(resume_file("verses")).unlink()  # a model shared without its resume file
        del runs["verses"]
        for name, run in runs.items():
            run["resumed"] = resume(name, run)
    corpora = {name: [run["corpus"]] for name, run in runs.items()} | {"verses": [["verses.txt"]]}
    corpora["bells"].append(["bells-valid.txt"])
    corpora |= {f"{name}-resumed": corpora[name] for name in runs}
    models = {model(name): record(name, texts) for name, texts in sorted(corpora.items())}
    expected = {"models": models, "runs": {model(name): run for name, run in runs.items()}}
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    Path("expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make()
