"""Character n-grams with Witten-Bell smoothing: the least that a network should beat.

python benchmarks/ngram.py FILE... [--max-order 6] [--seed 0] [--json]

A model of order n predicts a character c from the n characters h before it. Witten-Bell smoothing
mixes what followed h in training with the model one order lower, which sees h' (h without its first
character), and trusts h the less, the more different characters followed it:

    p_n(c | h) = (count(hc) + kinds(h) p_{n-1}(c | h')) / (count(h) + kinds(h))
    p_0(c)     = (count(c) + kinds / V) / (count + kinds)

count(hc) is how often c followed h, count(h) its sum over c, kinds(h) the number of different c
among them, V the size of the alphabet; where h never occurred, p_n(c | h) = p_{n-1}(c | h').
(I. Witten and T. Bell, The zero-frequency problem, IEEE Transactions on Information Theory, 1991,
method C; interpolated as in S. Chen and J. Goodman, An empirical study of smoothing techniques for
language modeling, 1998.)

As a network, it scores each document from its first character to its terminator, and knows nothing
of the document before. The terminator also stands before the first character: it tells that a
document begins.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charrnn.text.documents import DOCUMENTS
from charrnn.text.loading import read
from charrnn.text.split import split

TERMINATOR = DOCUMENTS["paragraphs"].terminator


class NGrams:
    """The counts of training documents, for every order up to `max_order`."""

    def __init__(self, documents: Sequence[str], max_order: int, alphabet_size: int) -> None:
        self.max_order = max_order
        self.alphabet_size = alphabet_size
        # context, of 0 to max_order characters -> how often each character followed it
        self.followers: dict[str, Counter[str]] = defaultdict(Counter)
        for document in documents:
            text = TERMINATOR + document
            for at in range(len(TERMINATOR), len(text)):
                for begin in range(max(0, at - max_order), at + 1):
                    self.followers[text[begin:at]][text[at]] += 1
        self.counts = {context: found.total() for context, found in self.followers.items()}

    def probability(self, context: str, character: str) -> float:
        """Return p_n(character | context), n being the length of the context."""
        p = 1 / self.alphabet_size
        for begin in range(len(context), -1, -1):
            count = self.counts.get(context[begin:])
            if count is None:  # nor did a longer context occur
                break
            followers = self.followers[context[begin:]]
            p = (followers[character] + len(followers) * p) / (count + len(followers))
        return p

    def nats_per_char(self, documents: Sequence[str], order: int) -> float:
        """Return the mean of -ln p over all characters of `documents`, terminators included."""
        nats, characters = 0.0, 0
        for document in documents:
            text = TERMINATOR + document
            for at in range(len(TERMINATOR), len(text)):
                context = text[max(0, at - order) : at]
                nats -= math.log(self.probability(context, text[at]))
            characters += len(document)
        return nats / characters


def drawn(
    documents: Sequence[str], seed: int, fraction: float = 0.1
) -> tuple[list[str], list[str]]:
    """Return the documents to fit, and a drawn part held out; duplicates are dropped first."""
    unique = list(dict.fromkeys(documents))
    order = np.random.default_rng(seed).permutation(len(unique))
    held_out = {int(index) for index in order[: round(fraction * len(unique))]}
    fitted = [document for index, document in enumerate(unique) if index not in held_out]
    return fitted, [unique[index] for index in sorted(held_out)]


def main() -> None:
    """Print the loss of each order on the held-out documents of some files."""
    parser = argparse.ArgumentParser(description="Witten-Bell character n-grams on documents")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--max-order", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    documents = list(split(read(arguments.files), "paragraphs", valid_fraction=0.0)[0].texts)
    train, held_out = drawn(documents, arguments.seed)
    print(f"{len(train):,} documents to fit, {len(held_out):,} held out", file=sys.stderr)
    grams = NGrams(train, arguments.max_order, len(set().union(*train, *held_out)))
    orders = range(arguments.max_order + 1)
    losses = {order: grams.nats_per_char(held_out, order) for order in orders}
    if arguments.json:
        print(json.dumps(losses))
        return
    for order, nats in losses.items():
        print(f"order {order}  {nats:.4f} nats per character")


if __name__ == "__main__":
    main()
