"""Texts drawn from a grammar, with all allowed characters equally likely."""

import random

ALPHABET = "\n#'(,-/0123456789:=ABCDEFGKMT[]^_abcdefghijlmnoprxyz|"


def walk(grammar, seed):
    """Return a random text that the grammar allows, up to its first empty line."""
    rng = random.Random(seed)
    state, text = grammar.start, ""
    while not text.endswith("\n\n"):
        mask = grammar.allowed(state)
        allowed = [c for c, may in zip(grammar.alphabet, mask.tolist(), strict=True) if may]
        assert allowed, f"a dead end: {text}"
        text += rng.choice(allowed)
        state = grammar.advance(state, text[-1])
        assert len(text) < 30_000
    return text
