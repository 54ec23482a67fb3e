"""Softmax cross-entropy, fused and stable, in place on the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.parameters import Array


def cross_entropy(
    logits: Array, targets: NDArray[np.integer[Any]]
) -> tuple[Array, NDArray[np.bool_]]:
    """Return -log softmax(logits)[target] in nats, and whether the target was the likeliest,
    both (N,). `logits` (N, V) are overwritten with softmax(logits).

    With m = max(l), -log softmax(l)[y] = log sum e^(l - m) - (l[y] - m), which cannot overflow.
    """
    rows = np.arange(len(targets))
    likeliest = logits.argmax(axis=1)  # of equal logits, only the first counts
    np.subtract(logits, logits[rows, likeliest][:, None], out=logits)
    chosen = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    np.divide(logits, total, out=logits)
    return np.log(total[:, 0]) - chosen, likeliest == targets


def cross_entropy_backward(
    probabilities: Array, targets: NDArray[np.integer[Any]], scale: float
) -> None:
    """Turn softmax(logits) (N, V) into `scale` times dL/dlogits, in place.

    d/dl (-log softmax(l)[y]) = softmax(l) - onehot(y)
    """
    probabilities[np.arange(len(targets)), targets] -= 1
    np.multiply(probabilities, scale, out=probabilities)
