"""The memory of a run, estimated from its sizes before any of it is allocated.

The estimate is for the peak: while a save is written in addition to what training keeps. Each
number below is a float32, and each line an array or a family of arrays.
"""

from __future__ import annotations

from charrnn.nn.cells import CELLS
from charrnn.nn.model import HEAD_BLOCK, READ_BLOCK
from charrnn.nn.optim import OPTIMIZERS
from charrnn.nn.parameters import count
from charrnn.training.worker import Task

PROCESS = 45_000_000  # bytes of Python, NumPy and the package
WORKER = 20_000_000  # not shared, for each further process


def estimate(task: Task, workers: int, text: int) -> int:
    """Return the estimated peak memory of a run in bytes, all processes together.

    `text` is the size of the encoded text in bytes, which all processes share.
    """
    P = count(task.config.shapes(task.vocabulary_size))
    moments = OPTIMIZERS[task.train.optimizer].moments_per_weight
    kept = moments + 2  # a snapshot: the moments, the weights, the best weights
    shared = (1 + moments + task.train.shards) * P  # weights, moments, each shard's gradients
    alone = P + 2 * kept * P  # the best weights; the last good snapshot; the one being saved
    written = 2 * kept * P  # the latter as bytes, and the copy that safetensors makes
    each = 2 * P + _chunk(task)  # the weights arranged for products, forward and backward
    numbers = shared + alone + written + workers * each
    return PROCESS + WORKER * (workers - 1) + text + 4 * numbers


def _chunk(task: Task) -> int:
    """Return how many numbers a process keeps for a chunk and an evaluation."""
    config, train = task.config, task.train
    cell, H, V = CELLS[config.cell], config.hidden_size, task.vocabulary_size
    width = train.seq_len * train.batch_size // train.shards  # characters of a shard's chunk
    # Per character: states, gates, what is kept of u, and the outputs after dropout.
    layer = cell.states + 2 * cell.gates - cell.split + (1 if config.dropout else 0)
    logits = 3 * min(HEAD_BLOCK, V * width)
    table = 2 * cell.gates * H * V
    return (width * (config.num_layers * layer + 1) + READ_BLOCK * layer) * H + logits + table
