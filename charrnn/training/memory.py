"""The memory of a run, estimated from its sizes before any of it is allocated.

The estimate is for the peak: while a save is written in addition to what training keeps. Each
number below is a float32, and each line an array or a family of arrays.
"""

from __future__ import annotations

from charrnn.inference.evaluate import CHUNK
from charrnn.nn.cells import CELLS
from charrnn.nn.model import HEAD_BLOCK
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
    each = 3 * P + _chunk(task)  # gradients, and the working weights of two networks
    numbers = shared + alone + written + workers * each
    return PROCESS + WORKER * (workers - 1) + text + 4 * numbers


def _chunk(task: Task) -> int:
    """Return how many numbers a process keeps for one chunk, or one pass of an evaluation."""
    config, train = task.config, task.train
    cell, H, V = CELLS[config.cell], config.hidden_size, task.vocabulary_size
    width = train.seq_len * train.batch_size // train.shards  # characters of a shard's chunk
    inputs = [config.embedding_size, *[H] * (config.num_layers - 1)]
    split = len(range(cell.gates)[cell.split])
    # Per character: states, gates and their gradients, and what is kept of u, h and x (twice).
    layers = sum((cell.states + 2 * cell.gates + split + 1) * H + 2 * size for size in inputs)
    layers += config.num_layers * H * (1 if config.dropout else 0)  # the masks
    states = config.num_layers * cell.states * H  # an evaluation keeps no more
    logits = 3 * min(HEAD_BLOCK, V * width)
    table = 2 * cell.gates * H * V
    return width * (layers + 2 * H) + CHUNK * states + logits + table
