"""Random numbers that need no state: each use has a stream of its own, found by counting."""

from __future__ import annotations

import numpy as np

from charrnn.errors import require

# What a stream is for. Streams of one seed never overlap, whatever is drawn from them.
INITIAL, OFFSET, DROPOUT, SAMPLE, TUNES, HEADERS, BODIES, BARS, SPLIT = range(9)
MAX_SEED = 2**64 - 1
Rng = np.random.Generator


def generator(seed: int, purpose: int, index: int = 0) -> Rng:
    """Return the stream number `index` of a `purpose` under `seed`, always the same one.

    Philox (Salmon et al. 2011) enciphers a counter: its key is the seed, and stream number and
    purpose stand in the counter's upper words. Raises ConfigError for a seed outside 64 bits.
    """
    require(0 <= seed <= MAX_SEED, f"`seed` is {seed}: it must be 0 to {MAX_SEED}")
    return Rng(np.random.Philox(key=seed, counter=[0, 0, index, purpose]))
