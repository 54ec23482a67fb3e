"""Dynamic evaluation: the weights adapt to the text in small steps (Krause et al. 2018).

Each segment of the text is scored before the model trains on it, so the model never scores text
that it has seen. With g the gradient of segment number k, the weights w take the step

    v += (g^2 - v) / k                 the mean squared gradient so far
    w -= RATE g / (sqrt v + EPSILON)

which scales the step of each weight by the usual size of its gradient. Only a copy of the model
changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoints.checkpoint import Checkpoint, part_of
from charrnn.errors import CharRNNError
from charrnn.nn.blas import threads_for
from charrnn.nn.model import QUIET, CharRNN
from charrnn.nn.parameters import Array, Parameters
from charrnn.text.batches import Encoded, require_two
from charrnn.text.corpus import Corpus

SEGMENT = 32  # characters
# The best of 1e-4 to 1e-3 and segments of 16 to 64, on a split of tinyshakespeare's training part.
RATE = 3e-4
EPSILON = 1e-3


def read_and_learn(network: CharRNN, text: Encoded) -> Iterator[tuple[Array, NDArray[np.bool_]]]:
    """Read `text` in one pass with the state carried, and train `network` on it.

    Yield for each segment the losses of its predictions in nats, before the model trained on it,
    and whether the most likely character was right, both (T,).
    """
    gradients = network.new_gradients()
    w, g = network.parameters.flat, gradients.flat
    v, step = np.zeros_like(w), np.empty_like(w)
    state = network.zero_state(1)
    with threads_for(1):
        for k, start in enumerate(range(0, len(text) - 1, SEGMENT), 1):
            window = text.ids[start : start + SEGMENT + 1, None]
            inputs, targets = window[:-1], window[1:]
            resets = text.resets(np.array([start]), len(inputs))
            losses, correct, _ = network.losses(inputs, targets, state, resets)
            yield losses[:, 0], correct[:, 0]
            _, state, _ = network.train(inputs, targets, state, gradients, resets=resets)
            np.multiply(g, g, out=step)
            np.subtract(step, v, out=step)
            np.multiply(step, 1 / k, out=step)
            np.add(v, step, out=v)
            np.sqrt(v, out=step)
            np.add(step, EPSILON, out=step)
            np.divide(g, step, out=step)
            np.multiply(step, RATE, out=step)
            np.subtract(w, step, out=w)


def trainable_copy(checkpoint: Checkpoint) -> CharRNN:
    """Return a network with its own weights."""
    parameters = Parameters(checkpoint.parameters.shapes)
    parameters.flat[...] = checkpoint.parameters.flat
    return CharRNN(checkpoint.config, len(checkpoint.tokenizer), parameters=parameters)


@QUIET
def adapt(checkpoint: Checkpoint, corpus: Corpus, *, unknown: str = "error") -> Checkpoint:
    """Return a copy of the model, adapted to `corpus` in one pass.

    Raises CorpusError for fewer than 2 characters, UnknownCharacterError for characters outside the
    model's alphabet (unless `unknown` is "skip" or "fold"), and CharRNNError if the weights don't
    stay finite.
    """
    text = part_of(checkpoint, corpus, unknown=unknown)
    require_two(text, "adaptation")
    network = trainable_copy(checkpoint)
    for _ in read_and_learn(network, text):
        pass
    if not np.isfinite(network.parameters.flat).all():
        raise CharRNNError("the model's weights are too large to adapt; they became infinite")
    return Checkpoint(
        checkpoint.config,
        checkpoint.tokenizer,
        network.parameters,
        checkpoint.training,
        checkpoint.history,
    )
