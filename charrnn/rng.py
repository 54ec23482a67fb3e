"""Counter-based random numbers: each use has its own stream, so there is no state to save."""

from __future__ import annotations

import numpy as np

from charrnn.errors import require

# The purposes of streams. The streams of a seed never overlap.
INITIAL, OFFSET, DROPOUT, SAMPLE, TUNES, HEADERS, BODIES, BARS, HASH, KEYS, ENDS = range(11)
MAX_SEED = 2**64 - 1
Rng = np.random.Generator


def generator(seed: int, purpose: int, index: int = 0) -> Rng:
    """Return stream number `index` for a `purpose` under `seed`; it is always the same stream.

    Philox (Salmon et al. 2011) encrypts a counter: the key is the seed, and the counter's upper
    words hold the stream number and the purpose. Raises ConfigError for a seed outside 64 bits.
    """
    require(0 <= seed <= MAX_SEED, f"`seed` must be between 0 and {MAX_SEED:,}, got {seed}")
    return Rng(np.random.Philox(key=seed, counter=[0, 0, index, purpose]))
