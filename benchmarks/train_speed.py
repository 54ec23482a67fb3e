"""Speed of training and evaluation: charrnn against PyTorch, or against another version of itself.

python benchmarks/train_speed.py [--against PYTHON]
                                 [--cells lstm gru rnn] [--sizes 2x128 1x256 1x512 2x512]
                                 [--cores all|one|both] [--bursts 9] [--json]

A training step is forward, backward, clipping and Adam. `--against` compares the charrnn that this
interpreter imports with the one that the interpreter PYTHON imports, 0.1.0 or later.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from itertools import cycle
from typing import Any

import numpy as np
from turns import (
    ALPHABET,
    CELLS,
    SIDES,
    VERSIONS,
    E,
    Job,
    Outcome,
    V,
    Work,
    both_sides,
    compare,
    describe,
    machine,
    serve,
    table_head,
    table_row,
    thousands,
    torch_layers,
    usable_cores,
    verdict,
)

from charrnn import Checkpoint, Corpus, Limits, ModelConfig, TrainConfig, Trainer, evaluate

SIZES = {"2x128": (50, 50), "1x256": (32, 64), "1x512": (64, 64), "2x512": (64, 128)}  # B, T
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
CHARACTERS = 1_000_000
EVALUATED = 512  # characters that each stream scores; few, so that calls are no longer than bursts
LEARNING_RATE = 1e-3
CLIP_NORM = 5.0
NEVER = 10**9
LARGEST = ("lstm", "2x512")  # the run of which memory is measured
MEMORY_BAR = (1.0, 0.5)
# Against 0.1.0: the ratio that is required, and the goal.
SMALL_BAR = (1.25, 1.5)
LARGE_BAR = (1.08, 1.25)
DEFAULT_RUN_BAR = (1.2, 1.4)
MEMORY_BAR_AGAINST = (0.8, 0.5)


# Against PyTorch: the ratios to aim for, below and from 512 units.
GOALS = {
    ("train", "lstm"): (1.15, 1.2),
    ("train", "gru"): (2.0, 1.6),
    ("train", "rnn"): (1.6, 1.4),
    ("evaluate", "lstm"): (1.0, 1.0),
}


def goal_of(job: Job) -> float | None:
    """Return the ratio to PyTorch to aim for, if there is one."""
    goals = GOALS.get((job.task, job.cell))
    return goals and goals[job.hidden_size >= 512]


def bar_against(job: Job) -> tuple[float, float]:
    """Return the ratio to charrnn 0.1.0 that is required, and the goal."""
    if job.task == "default run":
        return DEFAULT_RUN_BAR
    return SMALL_BAR if job.hidden_size < 512 else LARGE_BAR


def flops(job: Job) -> int:
    """Return the flops of the products for one character of training: three for each weight's
    forward one, of which the first layer's look-up is counted as if it were a product.
    """
    H, G = job.hidden_size, GATES[job.cell]
    inputs = [E] + [H] * (job.num_layers - 1)
    return 6 * (sum(G * H * (H + size) for size in inputs) + V * H)


def random_ids() -> Any:
    """Return a text that nothing can be learnt from, (N,)."""
    return np.random.default_rng(0).integers(V, size=CHARACTERS, dtype=np.uint8)


def chunks(job: Job) -> Iterator[tuple[Any, Any]]:
    """Yield inputs and targets, each (T, B), of streams that lie one after another."""
    B, T = job.batch_size, job.seq_len
    streams = random_ids()[: CHARACTERS // B * B].reshape(B, -1)
    for start in cycle(range(0, streams.shape[1] - T, T)):
        window = np.ascontiguousarray(streams[:, start : start + T + 1].T)
        yield window[:-1], window[1:]


# ---- the jobs ------------------------------------------------------------------------------------

# Versions differ in their modules and may make arguments keyword-only: use exported names and pass
# keywords.


def new_trainer(job: Job, model: ModelConfig, train: TrainConfig) -> Trainer:
    """Create a run on random text that neither ends nor saves."""
    # Later versions create a run with `Trainer.new`, 0.1.0 with the class itself.
    make = getattr(Trainer, "new", Trainer)
    trainer: Trainer = make(
        corpus=random_corpus(CHARACTERS),
        model=model,
        train=train,
        limits=Limits(max_steps=NEVER, save_every=NEVER),
        workers="auto" if job.cores > 1 else 1,
    )
    return trainer


def random_corpus(characters: int) -> Corpus:
    """Return a corpus of this many random characters."""
    alphabet = np.frombuffer(ALPHABET.encode("ascii"), np.uint8)
    return Corpus.from_texts(alphabet[random_ids()[:characters]].tobytes().decode("ascii"))


def charrnn_config(job: Job) -> ModelConfig:
    """Return the shape of the model that is compared with PyTorch's."""
    return ModelConfig(
        cell=job.cell,
        hidden_size=job.hidden_size,
        num_layers=job.num_layers,
        embedding_size=E,
        dropout=0,
    )


def untrained(job: Job) -> Checkpoint:
    """Return a model with random weights."""
    return new_trainer(job, charrnn_config(job), TrainConfig()).checkpoint()


def reports(trainer: Trainer) -> Work:
    """Pull reports from a Trainer, as the command line does."""
    characters = 0
    with closing(trainer.run()) as run:  # type: ignore[type-var]
        for report in run:
            assert report.notice is None, report.notice
            yield report.characters - characters
            characters = report.characters


def charrnn_train(job: Job) -> Work:
    """Train as PyTorch's side does."""
    train = TrainConfig(
        batch_size=job.batch_size,
        seq_len=job.seq_len,
        learning_rate=LEARNING_RATE,
        schedule="constant",
        clip_norm=CLIP_NORM,
        valid_fraction=0,
    )
    return reports(new_trainer(job, charrnn_config(job), train))


def charrnn_default_run(job: Job) -> Work:
    """Train a network of the job's size; all other settings are the version's defaults."""
    model = ModelConfig(cell=job.cell, hidden_size=job.hidden_size, num_layers=job.num_layers)
    return reports(new_trainer(job, model, TrainConfig(batch_size=job.batch_size)))


def charrnn_evaluate(job: Job) -> Work:
    """Call `evaluate` on one text again and again, and count what it scores.

    The characters that each stream reads to warm up take time but do not count.
    """
    checkpoint, corpus = untrained(job), random_corpus(job.batch_size * EVALUATED + 1)
    while True:
        yield evaluate(checkpoint, corpus, streams=job.batch_size).characters


def charrnn_blocks(job: Job) -> Work:
    """Call `evaluate` on B blocks of text at once, without a warm-up: PyTorch's side has none."""
    checkpoint, corpus = untrained(job), random_corpus(job.batch_size * EVALUATED)
    while True:
        yield evaluate(checkpoint, corpus, block_size=EVALUATED).characters


def torch_train(job: Job) -> Work:
    """Train with PyTorch's modules and its fused Adam, the state carried."""
    import torch
    from torch.nn.functional import cross_entropy

    embedding, recurrent, head = layers = torch_layers(job)
    adam = torch.optim.Adam(layers.parameters(), lr=LEARNING_RATE, fused=True)
    state = None
    for inputs, targets in torch_chunks(job):
        output, state = recurrent(embedding(inputs), state)
        loss: Any = cross_entropy(head(output).flatten(0, 1), targets.flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layers.parameters(), CLIP_NORM)
        adam.step()
        loss.item()
        state = tuple(s.detach() for s in state) if job.cell == "lstm" else state.detach()
        yield inputs.numel()


def torch_evaluate(job: Job) -> Work:
    """Score chunks with PyTorch's modules: each target's loss, and whether it was guessed."""
    import torch
    from torch.nn.functional import cross_entropy

    embedding, recurrent, head = torch_layers(job).eval()
    state = None
    with torch.inference_mode():
        for inputs, targets in torch_chunks(job):
            output, state = recurrent(embedding(inputs), state)
            logits = head(output).flatten(0, 1)
            cross_entropy(logits, targets.flatten(), reduction="none")
            torch.eq(logits.argmax(1), targets.flatten())
            yield inputs.numel()


def torch_chunks(job: Job) -> Any:
    """Yield `chunks` as PyTorch's tensors."""
    import torch

    for arrays in chunks(job):
        yield tuple(torch.from_numpy(ids).long() for ids in arrays)


Jobs = dict[str, Callable[[Job], Work]]
OF_A_VERSION: Jobs = {
    "train": charrnn_train,
    "default run": charrnn_default_run,
    "evaluate": charrnn_evaluate,
}
JOBS: dict[str, Jobs] = {
    "charrnn": {"train": charrnn_train, "evaluate": charrnn_blocks},
    "torch": {"train": torch_train, "evaluate": torch_evaluate},
    **dict.fromkeys(VERSIONS, OF_A_VERSION),
}


# ---- the tables ----------------------------------------------------------------------------------

Show = Callable[[str], None]


def columns(job: Job, outcome: Outcome | None, peak: float) -> tuple[str, ...]:
    """Return an outcome's part of a row."""
    if outcome is None:
        return ("–",) * 4
    rates = thousands(outcome.ours), thousands(outcome.theirs)
    share = f"{flops(job) * outcome.ours / peak:.0%}" if job.task == "train" else "–"
    return *rates, f"{outcome.ratio:.2f}", share


def job_of(task: str, cell: str, size: str, cores: int) -> Job:
    """Return the job of one of the `SIZES`."""
    L, H = map(int, size.split("x"))
    return Job(task, cell, L, H, *SIZES[size], cores)


def jobs_against(cells: Sequence[str], sizes: Sequence[str], cores: int) -> Iterator[Job]:
    """Yield the jobs that two versions do; the default run goes with GRU."""
    for cell in cells:
        yield from (job_of("train", cell, size, cores) for size in sizes)
    if "gru" in cells:
        yield Job("default run", "gru", 1, 384, 32, 0, cores)
    for cell in cells:
        for size in sizes:
            yield replace(job_of("evaluate", cell, size, cores), seq_len=0)


def memory(against: str | None = None) -> tuple[float, float]:
    """Return the peak resident bytes of the largest run at both sides, in fresh processes."""
    job = job_of("train", *LARGEST, usable_cores())
    peaks = []
    with both_sides(against=against) as sides:
        for side in sides:
            side.ask("start", asdict(job))
            side.ask("burst", 1.0)
            peaks.append(side.ask("memory"))
            side.ask("stop")
    return peaks[0], peaks[1]


def compare_versions(options: argparse.Namespace, show: Show) -> dict[str, Any]:
    """Compare two versions of charrnn, and show a row as soon as it is measured."""
    records: list[dict[str, Any]] = []
    with both_sides(against=options.against) as sides:
        about = {side.name: side.ask("machine") for side in sides}
        for side in sides:
            show(f"{side.name}: {describe(about[side.name])}, at {side.ask('package')}")
        show("\nThousands of characters a second; memory in MiB.\n")
        labels = [f"{name}, {its['charrnn']}" for name, its in about.items()]
        show(table_head("task", "cell", "size", *labels, "ratio", "required", "goal", "met"))
        for job in jobs_against(options.cells, options.sizes, usable_cores()):
            outcome, bar = compare(sides, job, options.bursts), bar_against(job)
            met = verdict(outcome.ratio, bar)
            size = f"{job.num_layers}x{job.hidden_size} B{job.batch_size}"
            size += f" T{job.seq_len}" if job.seq_len else ""
            rates = thousands(outcome.ours), thousands(outcome.theirs)
            show(table_row(job.task, job.cell, size, *rates, f"{outcome.ratio:.2f}", *bar, met))
            records.append(asdict(job) | {"bar": bar, "met": met, **asdict(outcome)})
    summary: dict[str, Any] = {"sides": about, "rows": records}
    if LARGEST[0] in options.cells and LARGEST[1] in options.sizes:
        ours, theirs = memory(options.against)
        if ours and theirs:
            ratio = ours / theirs
            met = verdict(ratio, MEMORY_BAR_AGAINST, most=True)
            mebibytes = f"{ours / 2**20:.0f}", f"{theirs / 2**20:.0f}"
            bars = (f"at most {limit}" for limit in MEMORY_BAR_AGAINST)
            show(table_row("peak memory", *LARGEST, *mebibytes, f"{ratio:.2f}", *bars, met))
            summary["memory"] = {
                "this": ours,
                "other": theirs,
                "bar": MEMORY_BAR_AGAINST,
                "met": met,
            }
    return summary


def compare_with_torch(options: argparse.Namespace, show: Show) -> dict[str, Any]:
    """Compare charrnn with PyTorch, and show a row as soon as it is measured."""
    about = machine()
    cores = usable_cores()
    peaks = dict.fromkeys(("all", "one"), 0.0)  # flops a second
    records: list[dict[str, Any]] = []

    show(describe(about) + "; thousands of characters a second\n")
    all_cores = [f"{name}, {cores} cores" for name in SIDES]
    shares = "ratio", "share of product"
    one_core = [f"{name}, 1 core" for name in SIDES]
    show(table_head("task", "cell", "size", *all_cores, *shares, "goal", "met", *one_core, *shares))
    with both_sides() as all_sides, both_sides(one_core=True) as one_sides:
        sides = {"all": all_sides, "one": one_sides}
        for task in ("train",) if options.cores == "one" else ("train", "evaluate"):
            for cell in options.cells:
                for size in options.sizes:
                    job = job_of(task, cell, size, cores)
                    outcomes: dict[str, Outcome | None] = {"all": None, "one": None}
                    for which, pair in sides.items():
                        if options.cores in (which, "both") and (task, which) != (
                            "evaluate",
                            "one",
                        ):
                            peaks[which] = max(peaks[which], pair[0].ask("product"))
                            its_job = job if which == "all" else replace(job, cores=1)
                            outcomes[which] = compare(pair, its_job, options.bursts)
                    both = [columns(job, outcomes[which], peaks[which]) for which in sides]
                    goal, outcome, met = goal_of(job), outcomes["all"], "–"
                    if outcome and goal:
                        met = "yes" if outcome.ratio >= goal else "no"
                    label = f"{size} B{SIZES[size][0]} T{SIZES[size][1]}"
                    show(table_row(task, cell, label, *both[0], goal or "–", met, *both[1]))
                    found = {key: asdict(value) for key, value in outcomes.items() if value}
                    records.append(asdict(job) | {"goal": goal, "met": met, **found})
    summary: dict[str, Any] = {"machine": about, "product_flops": peaks, "rows": records}
    show("")
    for which, peak in peaks.items():
        if peak:
            label = "1 core" if which == "one" else f"{cores} cores"
            show(f"A product of 2048 x 2048 matrices, {label}: {peak / 1e9:.0f} GFLOP/s.")
    if LARGEST[0] in options.cells and LARGEST[1] in options.sizes and options.cores != "one":
        ours, theirs = memory()
        if ours and theirs:
            summary["memory"] = {"charrnn": ours, "torch": theirs, "bar": MEMORY_BAR}
            show(
                f"Peak resident memory, lstm 2x512: charrnn {ours / 2**20:.0f} MiB, torch "
                f"{theirs / 2**20:.0f} MiB, ratio {ours / theirs:.2f} (at most {MEMORY_BAR[0]}, "
                f"goal {MEMORY_BAR[1]}): {verdict(ours / theirs, MEMORY_BAR, most=True)}"
            )
    return summary


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--against", metavar="PYTHON", help="Compare with the charrnn of this interpreter."
    )
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument(
        "--cores", choices=("all", "one", "both"), help="Cores to use; by default both."
    )
    parser.add_argument("--bursts", type=int, default=9, help="Turns of each side in a row.")
    parser.add_argument("--json", action="store_true", help="JSON; the table goes to stderr.")
    parser.add_argument("--side", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(lambda job: JOBS[options.side][job.task](job))
        return
    if options.against and options.cores:
        parser.error("--against uses all cores: leave out --cores")
    if options.against and not shutil.which(options.against):
        parser.error(f"--against {options.against} is not an executable file")
    options.cores = options.cores or "both"
    out = sys.stderr if options.json else sys.stdout

    def show(line: str) -> None:
        print(line, file=out, flush=True)

    measure = compare_versions if options.against else compare_with_torch
    summary = measure(options, show)
    if options.json:
        print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
