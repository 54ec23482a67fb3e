"""Optimizers over one flat vector, learning-rate schedules, and clipping.

The update rules are those of torch.optim, so that curves can be compared. An optimizer updates the
vector in pieces that stay in the processor's cache from one ufunc to the next.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from charrnn.nn.parameters import Array

PIECE = 1 << 14  # numbers; with their moments and scratch space a few hundred kilobytes


class Optimizer(ABC):
    """An update rule and its `moments`, (moments, P), zeros unless given.

    To add one, write its `update` below and list it in OPTIMIZERS. `weight_decay` adds that
    fraction of the weights to the gradient (L2), unless an optimizer decouples the two.
    """

    moments_per_weight: ClassVar[int] = 0

    def __init__(
        self,
        size: int,
        dtype: DTypeLike = np.float32,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        moments: Array | None = None,
    ) -> None:
        if moments is None:
            moments = np.zeros((self.moments_per_weight, size), dtype)
        self.moments = moments
        self.steps = 0
        self.weight_decay = weight_decay
        self.momentum = momentum
        self._scratch: Array = np.empty((2, min(PIECE, size)), dtype)

    def step(self, w: Array, g: Array, learning_rate: float) -> None:
        """Update the weights `w` (P,) by the gradient `g` (P,), which is overwritten."""
        self.steps += 1
        for start in range(0, len(w), PIECE):
            piece = slice(start, start + PIECE)
            w_piece, g_piece = w[piece], g[piece]
            scratch = self._scratch[:, : len(w_piece)]
            self.decay(w_piece, g_piece, learning_rate, scratch[0])
            self.update(w_piece, g_piece, self.moments[:, piece], learning_rate, scratch)

    def decay(self, w: Array, g: Array, learning_rate: float, tmp: Array) -> None:  # noqa: ARG002 (one signature)
        """g += weight_decay w."""
        if self.weight_decay:
            np.multiply(w, self.weight_decay, out=tmp)
            np.add(g, tmp, out=g)

    @abstractmethod
    def update(self, w: Array, g: Array, moments: Array, learning_rate: float, tmp: Array) -> None:
        """Update the piece `w` (p,) by `g` (p,); `tmp` (2, p) is scratch space."""


class SGD(Optimizer):
    """Stochastic gradient descent with momentum: m = momentum m + g;  w -= lr m."""

    moments_per_weight = 1

    def update(self, w: Array, g: Array, moments: Array, learning_rate: float, tmp: Array) -> None:
        """Update one piece."""
        (m,), x = moments, tmp[0]
        np.multiply(m, self.momentum, out=m)
        np.add(m, g, out=m)
        np.multiply(m, learning_rate, out=x)
        np.subtract(w, x, out=w)


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012).

    v = rho v + (1 - rho) g^2;  w -= lr g / (sqrt v + eps)
    """

    moments_per_weight = 1
    rho, epsilon = 0.99, 1e-8

    def update(self, w: Array, g: Array, moments: Array, learning_rate: float, tmp: Array) -> None:
        """Update one piece."""
        (v,), x = moments, tmp[0]
        average_square(v, g, self.rho, x)
        root_step(w, g, v, learning_rate, self.epsilon, x)


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): v += g^2;  w -= lr g / (sqrt v + eps)."""

    moments_per_weight = 1
    epsilon = 1e-10

    def update(self, w: Array, g: Array, moments: Array, learning_rate: float, tmp: Array) -> None:
        """Update one piece."""
        (v,), x = moments, tmp[0]
        np.multiply(g, g, out=x)
        np.add(v, x, out=v)
        root_step(w, g, v, learning_rate, self.epsilon, x)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), with the bias corrections folded into two scalars.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr m^ / (sqrt v^ + eps)
    where m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t)
    """

    moments_per_weight = 2
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def update(self, w: Array, g: Array, moments: Array, learning_rate: float, tmp: Array) -> None:
        """Update one piece."""
        (m, v), (x, y) = moments, tmp
        correction1 = 1 - self.beta1**self.steps
        correction2 = 1 - self.beta2**self.steps
        np.multiply(m, self.beta1, out=m)
        np.multiply(g, 1 - self.beta1, out=x)
        np.add(m, x, out=m)
        average_square(v, g, self.beta2, x)
        np.sqrt(v, out=x)
        np.multiply(x, 1 / math.sqrt(correction2), out=x)
        np.add(x, self.epsilon, out=x)
        np.multiply(m, learning_rate / correction1, out=y)
        np.divide(y, x, out=x)
        np.subtract(w, x, out=w)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): first w -= lr decay w."""

    def decay(self, w: Array, g: Array, learning_rate: float, tmp: Array) -> None:  # noqa: ARG002 (one signature)
        """w *= 1 - lr weight_decay."""
        np.multiply(w, 1 - learning_rate * self.weight_decay, out=w)


def average_square(v: Array, g: Array, decay: float, tmp: Array) -> None:
    """v = decay v + (1 - decay) g^2, in place."""
    np.multiply(v, decay, out=v)
    np.multiply(g, g, out=tmp)
    np.multiply(tmp, 1 - decay, out=tmp)
    np.add(v, tmp, out=v)


def root_step(
    w: Array, g: Array, v: Array, learning_rate: float, epsilon: float, tmp: Array
) -> None:
    """w -= lr g / (sqrt v + eps), in place."""
    np.sqrt(v, out=tmp)
    np.add(tmp, epsilon, out=tmp)
    np.divide(g, tmp, out=tmp)
    np.multiply(tmp, learning_rate, out=tmp)
    np.subtract(w, tmp, out=w)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "sgd": SGD,
}

# Factors of the learning rate when the fraction p of the run is done, 0 to 1.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,  # noqa: ARG005
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "linear": lambda p: 1 - p,
    "exponential": lambda p: 0.01**p,
}


def scheduled_rate(
    learning_rate: float, schedule: str, progress: float, step: int, warmup_steps: int
) -> float:
    """Return the learning rate of `step` (from 0), at `progress` (0 to 1) through the run."""
    warmup = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    return learning_rate * warmup * SCHEDULES[schedule](min(1.0, progress))


def squares(g: Array) -> list[float]:
    """Return the sum of squares of each piece of `g`; their sum is the squared norm."""
    pieces = (g[start : start + PIECE] for start in range(0, len(g), PIECE))
    return [float(np.dot(piece, piece)) for piece in pieces]


def clip_by_norm(g: Array, norm: float, max_norm: float) -> None:
    """Scale `g`, whose norm is `norm`, down to `max_norm` in place (Pascanu et al. 2013).

    A `max_norm` of 0 disables clipping.
    """
    if 0 < max_norm < norm:
        np.multiply(g, max_norm / norm, out=g)


def clip_by_value(g: Array, max_value: float) -> None:
    """Limit each number of `g` in place to +-`max_value`; 0 disables clipping."""
    if max_value > 0:
        np.clip(g, -max_value, max_value, out=g)
