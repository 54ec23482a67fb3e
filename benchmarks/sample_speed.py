"""Sampling speed: characters as they come, charrnn against a PyTorch loop on the same cores.

python benchmarks/sample_speed.py [--cells lstm gru rnn] [--sizes 2x128 2x512 2x256]
                                  [--bursts 9] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from itertools import islice
from typing import Any

from turns import (
    ALPHABET,
    CELLS,
    SIDES,
    E,
    Job,
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

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.inference.sampling import stream
from charrnn.nn.init import initialise
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.tokenizer import Tokenizer

# Streams at once; the ratio that is asked for, and the one aimed at.
SIZES = {"2x128": (1, (10.0, 15.0)), "2x512": (1, (5.0, 10.0)), "2x256": (64, (2.0, 4.0))}
PIECE = 16  # characters of each stream between looks at the clock
ENDLESS = 10**9


def charrnn_sample(job: Job) -> Work:
    """Take characters from the sampler, of a model with random weights."""
    config = ModelConfig(job.cell, job.hidden_size, job.num_layers, E, dropout=0)
    parameters = Parameters(config.shapes(V))
    initialise(parameters, config, "orthogonal", 0)
    model = Checkpoint(config, Tokenizer(ALPHABET), parameters)
    characters = stream(model, length=ENDLESS, num_samples=job.batch_size)
    while True:
        yield sum(len(text) for _, text in islice(characters, PIECE * job.batch_size))


def torch_sample(job: Job) -> Work:
    """The plain loop: one character of every stream at a time."""
    import torch

    embedding, recurrent, head = torch_layers(job).eval()
    ids = torch.zeros(1, job.batch_size, dtype=torch.long)
    state = None
    with torch.inference_mode():
        while True:
            characters = 0
            for _ in range(PIECE):
                output, state = recurrent(embedding(ids), state)
                p = torch.softmax(head(output[0]), dim=1)
                ids = torch.multinomial(p, 1).T
                characters += sum(len(ALPHABET[id]) for id in ids[0].tolist())
            yield characters


JOBS = {"charrnn": charrnn_sample, "torch": torch_sample}


def main() -> None:
    """Compare, and print a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--bursts", type=int, default=9, help="Turns of each side in a row.")
    parser.add_argument("--json", action="store_true", help="JSON; the table goes to stderr.")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(JOBS[options.side])
        return
    out = sys.stderr if options.json else sys.stdout
    about = machine()
    records: list[dict[str, Any]] = []

    def show(line: str) -> None:
        print(line, file=out, flush=True)

    show(describe(about) + "; thousands of characters a second, all streams together\n")
    show(table_head("cell", "size", "streams", *SIDES, "ratio", "required", "goal", "met"))
    with both_sides() as sides:
        for cell in options.cells:
            for size in options.sizes:
                L, H = map(int, size.split("x"))
                streams, bar = SIZES[size]
                job = Job("sample", cell, L, H, streams, 1, usable_cores())
                outcome = compare(sides, job, options.bursts)
                rates = thousands(outcome.ours), thousands(outcome.theirs)
                ratio, met = f"{outcome.ratio:.2f}", verdict(outcome.ratio, bar)
                show(table_row(cell, size, streams, *rates, ratio, *bar, met))
                records.append(asdict(job) | {"bar": bar, "met": met, "all": asdict(outcome)})
    if options.json:
        print(json.dumps({"machine": about, "rows": records}, indent=1))


if __name__ == "__main__":
    main()
