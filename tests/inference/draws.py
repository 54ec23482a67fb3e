"""Frequencies of sampled characters, compared with their probabilities."""

import numpy as np

from charrnn.inference.sampling import choose, gumbel

P = np.array([0.4, 0.3, 0.2, 0.1])


def frequencies(p, temperature=1.0, draws=4000, **filters):
    rng = np.random.default_rng(0)
    noise = next(gumbel(rng, (draws, len(p))))
    ids = choose(np.tile(np.log(p), (draws, 1)), temperature, noise, filters)
    return np.bincount(ids, minlength=len(p)) / draws


def assert_drawn_from(expected, drawn, draws=4000):
    sigma = np.sqrt(expected * (1 - expected) / draws)
    assert (abs(drawn - expected) <= 4 * sigma).all()
