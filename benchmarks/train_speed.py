"""Training speed: forward, backward, clipping and Adam, charrnn against PyTorch on the same cores.

python benchmarks/train_speed.py [--cells lstm gru rnn] [--sizes 2x128 1x256 1x512 2x512]
                                 [--cores all|one|both] [--bursts 9] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from dataclasses import asdict, replace
from itertools import count, cycle
from typing import Any

import numpy as np
from turns import (
    ALPHABET,
    CELLS,
    SIDES,
    E,
    Job,
    Outcome,
    Side,
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
    verdict,
)

from charrnn.checkpoints.records import TrainConfig
from charrnn.nn.init import initialise
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.text.batches import Encoded, Streams
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer
from charrnn.training.comm import usable_cores
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer

SIZES = {"2x128": (50, 50), "1x256": (32, 64), "1x512": (64, 64), "2x512": (64, 128)}  # B, T
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
CHARACTERS = 1_000_000
LEARNING_RATE = 1e-3
CLIP_NORM = 5.0
NEVER = 10**9
MEMORY_BAR = (1.0, 0.5)


def bar_of(task: str, job: Job) -> tuple[float, float]:
    """Return the ratio that is asked for, and the one aimed at."""
    if task == "train" and job.cell == "gru":
        return 2.0, 3.0
    if task == "train" and job.cell == "lstm" and job.hidden_size == 512:
        return 1.5, 2.0
    return 1.3, 2.0


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


# ---- the jobs ------------------------------------------------------------------------------------


def charrnn_train(job: Job) -> Work:
    """Pull reports from a Trainer, as the command line does."""
    trainer = Trainer(
        Corpus.from_texts(Tokenizer(ALPHABET).decode(random_ids())),
        charrnn_config(job),
        TrainConfig(
            batch_size=job.batch_size,
            seq_len=job.seq_len,
            learning_rate=LEARNING_RATE,
            schedule="constant",
            clip_norm=CLIP_NORM,
            valid_fraction=0,
        ),
        Limits(max_steps=NEVER, save_every=NEVER),
        workers="auto" if job.cores > 1 else 1,
    )
    with closing(trainer.run()) as reports:  # type: ignore[type-var]
        for report in reports:
            assert report.notice is None, report.notice
            yield job.batch_size * job.seq_len


def charrnn_evaluate(job: Job) -> Work:
    """Score chunks in one process, with as many BLAS threads as there are cores."""
    model = CharRNN(charrnn_config(job), V, training=False)
    initialise(model.parameters, model.config, "orthogonal", 0)
    text = Encoded(random_ids(), np.array([CHARACTERS - 1]))
    streams = Streams(text, job.batch_size, job.seq_len, seed=0)
    state = model.zero_state(job.batch_size)
    for step in count():
        chunk = streams.chunk(step)
        _, _, state = model.losses(chunk.inputs, chunk.targets, state, chunk.resets)
        yield chunk.inputs.size


def charrnn_config(job: Job) -> ModelConfig:
    """Return the model's shape."""
    return ModelConfig(job.cell, job.hidden_size, job.num_layers, E, dropout=0)


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
    """Yield inputs and targets, each (T, B), of streams that lie one after another."""
    import torch

    B, T = job.batch_size, job.seq_len
    streams = torch.from_numpy(random_ids()[: CHARACTERS // B * B].reshape(B, -1))
    for start in cycle(range(0, streams.shape[1] - T, T)):
        window = streams[:, start : start + T + 1].T.long()
        yield window[:-1].contiguous(), window[1:].contiguous()


JOBS = {
    ("charrnn", "train"): charrnn_train,
    ("charrnn", "evaluate"): charrnn_evaluate,
    ("torch", "train"): torch_train,
    ("torch", "evaluate"): torch_evaluate,
}


# ---- the table -----------------------------------------------------------------------------------


def columns(job: Job, outcome: Outcome | None, peak: float) -> tuple[str, ...]:
    """Return an outcome's part of a row."""
    if outcome is None:
        return ("–",) * 4
    rates = thousands(outcome.charrnn), thousands(outcome.torch)
    share = f"{flops(job) * outcome.charrnn / peak:.0%}" if job.task == "train" else "–"
    return *rates, f"{outcome.ratio:.2f}", share


def memory(job: Job) -> tuple[float, float]:
    """Return the peak resident bytes of a run at both sides, in fresh processes."""
    peaks = []
    for name in SIDES:
        with Side(name, one_core=False) as side:
            side.ask("start", asdict(job))
            side.ask("burst", 1.0)
            peaks.append(side.ask("memory"))
    return peaks[0], peaks[1]


def main() -> None:
    """Compare, and print a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--cores", choices=("all", "one", "both"), default="both")
    parser.add_argument("--bursts", type=int, default=9, help="Turns of each side in a row.")
    parser.add_argument("--json", action="store_true", help="JSON; the table goes to stderr.")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(lambda job: JOBS[options.side, job.task](job))
        return
    out = sys.stderr if options.json else sys.stdout
    about = machine()
    cores = usable_cores()
    peaks = dict.fromkeys(("all", "one"), 0.0)  # flops a second
    records: list[dict[str, Any]] = []

    def show(line: str) -> None:
        print(line, file=out, flush=True)

    show(describe(about) + "; thousands of characters a second\n")
    all_cores = [f"{name}, {cores} cores" for name in SIDES]
    shares = "ratio", "share of product"
    bars = "at least", "aim", "met"
    one_core = [f"{name}, 1 core" for name in SIDES]
    show(table_head("task", "cell", "size", *all_cores, *shares, *bars, *one_core, *shares))
    with both_sides() as all_sides, both_sides(one_core=True) as one_sides:
        sides = {"all": all_sides, "one": one_sides}
        for task in ("train",) if options.cores == "one" else ("train", "evaluate"):
            for cell in options.cells:
                for size in options.sizes:
                    L, H = map(int, size.split("x"))
                    job = Job(task, cell, L, H, *SIZES[size], cores)
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
                    bar, outcome = bar_of(task, job), outcomes["all"]
                    met = verdict(outcome.ratio, bar) if outcome else "–"
                    B, T = SIZES[size]
                    show(table_row(task, cell, f"{size} B{B} T{T}", *both[0], *bar, met, *both[1]))
                    found = {key: asdict(value) for key, value in outcomes.items() if value}
                    records.append(asdict(job) | {"bar": bar, "met": met, **found})
    summary: dict[str, Any] = {"machine": about, "product_flops": peaks, "rows": records}
    show("")
    for which, peak in peaks.items():
        if peak:
            label = "1 core" if which == "one" else f"{cores} cores"
            show(f"A product of 2048 x 2048 matrices, {label}: {peak / 1e9:.0f} GFLOP/s.")
    if "lstm" in options.cells and "2x512" in options.sizes and options.cores != "one":
        ours, theirs = memory(Job("train", "lstm", 2, 512, *SIZES["2x512"], cores))
        if ours and theirs:
            summary["memory"] = {"charrnn": ours, "torch": theirs, "bar": MEMORY_BAR}
            show(
                f"Peak resident memory, lstm 2x512: charrnn {ours / 2**20:.0f} MiB, torch "
                f"{theirs / 2**20:.0f} MiB, ratio {ours / theirs:.2f} (at most {MEMORY_BAR[0]}, "
                f"aim {MEMORY_BAR[1]}): {verdict(ours / theirs, MEMORY_BAR, most=True)}"
            )
    if options.json:
        print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
