"""Forecast noisy sines: the recurrent layers by themselves, on numbers instead of characters.

    python examples/forecast.py --cell lstm

Each of B streams is a sine with a phase and a period of its own, plus noise, and the next value
is forecast from all before it:

    h = recurrent(x)        y = W h + b        error = mean (y - next x)^2

The streams are read in chunks of T steps. The state is carried from chunk to chunk, the gradient
is not: truncated backpropagation through time. Every chunk is forecast before it is learned from,
so the errors printed are honest. None can stay below the noise's own.
"""

import argparse

import numpy as np

from charrnn.nn.cells import CELLS, Array
from charrnn.nn.recurrent import Recurrent, recurrent_shapes
from charrnn.parameters import Parameters

T, B, H = 25, 32, 32
NOISE, LEARNING_RATE, MOMENTUM = 0.1, 0.1, 0.9


class Forecaster:
    """Recurrent layers and a linear read-out, trained by gradient descent with momentum."""

    def __init__(self, cell: str, rng: np.random.Generator) -> None:
        shapes = {**recurrent_shapes(cell, 1, H), "weight": (1, H), "bias": (1, 1)}
        self.parameters, self.gradients = Parameters(shapes), Parameters(shapes)
        self.parameters.flat[:] = rng.uniform(-1, 1, self.parameters.flat.shape) / np.sqrt(H)
        self.velocity = np.zeros_like(self.parameters.flat)
        self.recurrent = Recurrent(cell, self.parameters, self.gradients)

    def forecast(self, x: Array, state: Array) -> tuple[Array, Array, Array]:
        """Return the forecasts (T, 1, B) after each of `x` (T, 1, B), h (T, H, B), next state."""
        h, state = self.recurrent.forward(x, state)
        return self.parameters["weight"] @ h + self.parameters["bias"], h, state

    def learn(self, x: Array, target: Array, state: Array) -> tuple[Array, Array]:
        """Forecast, take one step downhill, and return the forecasts and the next state."""
        y, h, state = self.forecast(x, state)
        d_y = 2 * (y - target) / target.size
        self.gradients["weight"][:] = np.einsum("tib,thb->ih", d_y, h)
        self.gradients["bias"][:] = d_y.sum()
        self.recurrent.backward(self.parameters["weight"].T @ d_y)
        self.velocity[:] = MOMENTUM * self.velocity - LEARNING_RATE * self.gradients.flat
        self.parameters.flat += self.velocity
        return y, state


def sines(steps: int, streams: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return sines of random phase and period (steps, 1, streams), without noise and with it."""
    t = np.arange(steps)[:, None, None]
    phase, period = rng.uniform(0, 2 * np.pi, streams), rng.uniform(12, 36, streams)
    clean = np.sin(phase + 2 * np.pi * t / period).astype(np.float32)
    return clean, clean + NOISE * rng.standard_normal(clean.shape, np.float32)


def main() -> None:
    """Train, print the errors, and draw a forecast that feeds on itself."""
    parser = argparse.ArgumentParser(description="Forecast noisy sines.")
    parser.add_argument("--cell", choices=CELLS, default="gru")
    parser.add_argument("--steps", type=int, default=2000, help="chunks to learn from")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    model = Forecaster(options.cell, rng)

    clean, noisy = sines(options.steps * T + 1, B, rng)
    state, errors = model.recurrent.zero_state(B), []
    print("  step   error  last value again  the noise itself")
    for step in range(1, options.steps + 1):
        chunk = slice((step - 1) * T, step * T)
        x, target, truth = noisy[chunk], noisy[1:][chunk], clean[1:][chunk]
        y, state = model.learn(x, target, state)
        errors.append([np.mean((guess - target) ** 2) for guess in (y, x, truth)])
        if step % max(1, options.steps // 10) == 0:
            print("{:6} {:7.4f} {:17.4f} {:17.4f}".format(step, *np.mean(errors, axis=0)))
            errors.clear()

    print("\nA new sine (o), and its forecast (*), each value made from the forecast before:")
    clean, noisy = sines(130, 1, rng)
    y, _, state = model.forecast(noisy[:100], model.recurrent.zero_state(1))
    for truth in clean[100:, 0, 0]:
        line = [" "] * 61
        for value, mark in ((truth, "o"), (y[-1, 0, 0], "*")):
            line[int(np.clip(30.5 + 24 * value, 0, 60))] = mark
        print("".join(line).rstrip())
        y, _, state = model.forecast(y[-1:], state)


if __name__ == "__main__":
    main()
