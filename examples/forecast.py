"""Forecast noisy sines: the recurrent layers by themselves, on numbers instead of characters.

    python examples/forecast.py --cell lstm

In each of B parallel sines, each value is forecast from those before it:

    h = recurrent(x)        y = W h + b        error = mean (y - next x)^2

They are read in chunks of T steps. The state is carried over from chunk to chunk, but the gradient
is not (truncated backpropagation through time). After CHUNKS chunks, new sines start from a zero
state: the same sines forever would teach little about finding the period of a new one. Each chunk
is forecast before the model learns from it, so the errors are on values it has never seen.
"""

import argparse

import numpy as np

from charrnn.nn.cells import CELLS
from charrnn.nn.optim import OPTIMIZERS
from charrnn.nn.parameters import Array, Parameters
from charrnn.nn.recurrent import Recurrent, Tape, recurrent_shapes

T, CHUNKS, B, H = 25, 20, 32, 32
NOISE, LEARNING_RATE = 0.1, 0.01


class Forecaster:
    """A recurrent layer, a linear read-out, and an optimizer."""

    def __init__(self, cell: str, rng: np.random.Generator) -> None:
        shapes = {**recurrent_shapes(cell, 1, H), "weight": (1, H), "bias": (1, 1)}
        self.parameters, self.gradients = Parameters(shapes), Parameters(shapes)
        self.parameters.flat[:] = rng.uniform(-1, 1, self.parameters.flat.shape) / np.sqrt(H)
        self.optimizer = OPTIMIZERS["adam"](self.parameters.flat.size)
        self.recurrent = Recurrent(cell, self.parameters)

    def forecast(self, x: Array, state: Array) -> tuple[Array, Array, Array, Tape]:
        """Return what follows each of `x` (T, B, 1), likewise; h (T, B, H); the next state; and
        what the backward pass needs.
        """
        h, state, tape = self.recurrent.forward(x, state)
        return h @ self.parameters["weight"].T + self.parameters["bias"], h, state, tape

    def learn(self, x: Array, target: Array, state: Array, rate: float) -> tuple[Array, Array]:
        """Forecast, take one step downhill, and return the forecasts and the next state."""
        y, h, state, tape = self.forecast(x, state)
        d_y = 2 * (y - target) / target.size
        self.gradients["weight"][:] = np.einsum("tbi,tbh->ih", d_y, h)
        self.gradients["bias"][:] = d_y.sum()
        self.recurrent.backward(tape, d_y @ self.parameters["weight"], self.gradients)
        self.optimizer.step(self.parameters.flat, self.gradients.flat, rate)
        return y, state


def sines(steps: int, streams: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return sines of random phase and period (steps, streams, 1), without noise and with it."""
    t = np.arange(steps)[:, None, None]
    phase, period = rng.uniform(0, 2 * np.pi, streams), rng.uniform(12, 36, streams)
    clean = np.sin(phase + 2 * np.pi * t / period).astype(np.float32).transpose(0, 2, 1)
    return clean, clean + NOISE * rng.standard_normal(clean.shape, np.float32)


def main() -> None:
    """Train, print the errors, and draw a forecast that feeds on itself."""
    parser = argparse.ArgumentParser(description="Forecast noisy sines.")
    parser.add_argument("--cell", choices=CELLS, default="gru")
    parser.add_argument("--steps", type=int, default=3000, help="chunks to learn from")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    model, errors = Forecaster(options.cell, rng), []

    print("  step   error  the last value again  the noise itself")
    for step in range(options.steps):
        t = step % CHUNKS * T
        if t == 0:
            clean, noisy = sines(CHUNKS * T + 1, B, rng)
            state = model.recurrent.zero_state(B)
        x, target, truth = noisy[t : t + T], noisy[t + 1 : t + T + 1], clean[t + 1 : t + T + 1]
        y, state = model.learn(x, target, state, LEARNING_RATE * (1 - step / options.steps))
        errors.append([np.mean((guess - target) ** 2) for guess in (y, x, truth)])
        if (step + 1) % max(1, options.steps // 10) == 0:
            print("{:6} {:7.4f} {:21.4f} {:17.4f}".format(step + 1, *np.mean(errors, axis=0)))
            errors.clear()

    print("\nA new sine (o) and its forecast (*), which continues from its own forecasts:")
    clean, noisy = sines(130, 1, rng)
    y, _, state, _ = model.forecast(noisy[:100], model.recurrent.zero_state(1))
    for truth in clean[100:, 0, 0]:
        line = [" "] * 61
        for value, mark in ((truth, "o"), (y[-1, 0, 0], "*")):
            line[int(np.clip(30.5 + 24 * value, 0, 60))] = mark
        print("".join(line).rstrip())
        y, _, state, _ = model.forecast(y[-1:], state)


if __name__ == "__main__":
    main()
