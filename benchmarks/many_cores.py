"""A model of training speed on many cores, from parts that can be measured on one or two.

    python benchmarks/many_cores.py --units 256 384 512 --cores 1 2 4 6 8 12 16

A step of c workers takes

    gradients(T, B / c) + sum of c parts of P / c weights + Adam on P / c weights + (c - 1) messages

where `batch_for(c)` gives B and T. Each term is measured in this process with one BLAS thread, the
messages with a second process. The model is compared with real runs where the machine has the
cores. It does not know that cores share their memory's bandwidth and, on laptops, their power.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from contextlib import closing

import numpy as np
from threadpoolctl import threadpool_limits
from turns import describe, machine, table_head, table_row

import charrnn
from charrnn.nn.init import initialise
from charrnn.nn.model import CharRNN, ModelConfig
from charrnn.nn.optim import OPTIMIZERS
from charrnn.nn.parameters import count
from charrnn.training.comm import Member, SharedMemory
from charrnn.training.cores import batch_for, usable_cores

ALPHABET = 65
MESSAGES = 4  # a command and three barriers: each a message there and back
SECONDS = 1.0  # to measure each part for
BARRIERS = 2000


def seconds_of(work: Callable[[], object], seconds: float = SECONDS) -> float:
    """Return how long a call takes, the median of as many as fit."""
    work()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def gradients(units: int, steps: int, columns: int) -> float:
    """Return the time for the gradients of one shard."""
    model = CharRNN(ModelConfig("gru", units, dropout=0.0), ALPHABET)
    initialise(model.parameters, model.config, "orthogonal", 0)
    ids = np.random.default_rng(0).integers(ALPHABET, size=(2, steps, columns), dtype=np.uint8)
    state, written = model.zero_state(columns), model.new_gradients()
    return seconds_of(lambda: model.train(ids[0], ids[1], state, written))


def update(units: int, cores: int) -> float:
    """Return the time for one worker's part of the sum and of the update."""
    weights = count(ModelConfig("gru", units).shapes(ALPHABET))
    parts = np.full((cores, weights), 1e-20, np.float32)  # its sum stays small
    mine = slice(0, -(-weights // cores))
    flat = parts[0].copy()
    adam = OPTIMIZERS["adam"](mine.stop, moments=np.zeros((2, mine.stop), np.float32))

    def work() -> None:
        total = parts[0, mine]
        for part in parts[1:]:
            np.add(total, part[mine], out=total)
        adam.step(flat[mine], total, 0.0)

    return seconds_of(work, SECONDS / 2)


def meet(exchange: Member) -> None:
    """Meet process 0 again and again."""
    for _ in range(BARRIERS):
        exchange.barrier()


def message() -> float:
    """Return the time of a barrier of two processes."""
    with closing(SharedMemory({}, {}, 2)) as exchange:
        exchange.start(meet)
        exchange.barrier()
        began = time.perf_counter()
        for _ in range(BARRIERS - 1):
            exchange.barrier()
        return (time.perf_counter() - began) / (BARRIERS - 1)


def predicted(units: int, cores: int, barrier: float) -> tuple[float, Mapping[str, float]]:
    """Return the characters per second, and the milliseconds of each part of a step."""
    batch, chunk = batch_for(cores)
    parts = {
        "gradients": gradients(units, chunk, batch // cores),
        "update": update(units, cores),
        "messages": MESSAGES * (cores - 1) * barrier,
    }
    milliseconds = {name: 1000 * seconds for name, seconds in parts.items()}
    return batch * chunk / sum(parts.values()), milliseconds


def measured(units: int, cores: int) -> float:
    """Return the characters per second of a real run."""
    batch, chunk = batch_for(cores)
    text = "".join(map(chr, np.random.default_rng(0).integers(60, 60 + ALPHABET, 300_000)))
    trainer = charrnn.train(
        charrnn.Corpus.from_texts(text),
        workers=cores,
        hidden_size=units,
        **{"batch_size": batch, "seq_len": chunk, "dropout": 0.0, "weight_dropout": 0.0},
        **{"learning_rate": 1e-3, "valid_fraction": 0.0, "max_steps": 10**9},
    )
    with closing(trainer.run()) as run:
        for _ in range(5):
            next(run)
        times, before = [], time.perf_counter()
        while sum(times) < 4 * SECONDS:
            next(run)
            times.append(time.perf_counter() - before)
            before += times[-1]
    return batch * chunk / float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--units", type=int, nargs="+", default=[256, 384, 512])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2, 4, 6, 8, 12, 16])
    options = parser.parse_args()
    print(describe(machine()) + "; GRU, one layer, one BLAS thread a worker")
    with threadpool_limits(1):
        barrier = message()
        print(f"a barrier of two processes takes {1e6 * barrier:.0f} microseconds\n")
        parts = "gradients, ms", "update, ms", "messages, ms"
        names = "units", "cores", "batch x chunk", *parts, "characters/s", "on 1 core", "measured"
        print(table_head(*names))
        for units in options.units:
            alone = None
            for cores in options.cores:
                speed, times = predicted(units, cores, barrier)
                alone = alone or speed
                real = f"{measured(units, cores):,.0f}" if cores <= usable_cores() else "–"
                batch, chunk = batch_for(cores)
                shown = (f"{value:.1f}" for value in times.values())
                sizes = units, cores, f"{batch} x {chunk}"
                print(table_row(*sizes, *shown, f"{speed:,.0f}", f"{speed / alone:.1f}", real))


if __name__ == "__main__":
    main()
