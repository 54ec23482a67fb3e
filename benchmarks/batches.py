"""What wider batches and shorter chunks cost: the loss after equally many characters.

    python benchmarks/batches.py FILES... --characters 2e6 --units 256
                                 --batches 32x64 64x32 128x16 64x64 --results batches.jsonl

The last tenth of the text is not read at all, and the tenth before it is held out. The learning
rate is that of 32 x 64 times the square root of the update's growth, with a warm-up over equally
many characters (LEGW, You et al. 2019). A row is written to the results file as it finishes, and is
not done again. The results do not depend on the speed of the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

from turns import table_head, table_row

import charrnn
from charrnn.training.autoconfig import SIZES

UPDATE = 32 * 64  # characters
WARM_UP = 20 * UPDATE


def training_part(files: list[Path]) -> charrnn.Corpus:
    """Return the first nine tenths of the files' text, as one text."""
    text = "".join(charrnn.read(files).pieces())
    return charrnn.Corpus.from_texts(text[: len(text) * 9 // 10])


def measure(
    corpus: charrnn.Corpus, units: int, batch: int, chunk: int, characters: float
) -> dict[str, float]:
    """Train on this many characters; return the loss and the processor time."""
    rate = next(rate for _, size, rate in SIZES if size == units)
    began = time.process_time()
    trainer = charrnn.train(
        corpus,
        hidden_size=units,
        batch_size=batch,
        seq_len=chunk,
        learning_rate=rate * math.sqrt(batch * chunk / UPDATE),
        warmup_steps=round(WARM_UP / (batch * chunk)),
        dropout=0.0,
        weight_dropout=0.0,
        shards=1,
        seed=0,
        max_steps=round(characters / (batch * chunk)),
        eval_every=10**9,
    )
    trainer.fit(progress=False)
    return {
        "loss": round(trainer.history[-1].valid, 4),
        "core-seconds": round(time.process_time() - began),
    }


def main() -> None:
    """Measure what has not been measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--characters", type=float, default=2e6)
    parser.add_argument("--units", type=int, nargs="+", default=[256])
    parser.add_argument("--batches", nargs="+", default=["32x64", "64x32", "128x16", "256x8"])
    parser.add_argument("--results", type=Path, default=Path("batches.jsonl"))
    options = parser.parse_args()
    corpus = training_part(options.files)
    lines = options.results.read_text("utf-8").splitlines() if options.results.exists() else []
    rows = [json.loads(line) for line in lines]
    for units in options.units:
        for shape in options.batches:
            batch, chunk = map(int, shape.split("x"))
            key = {
                "corpus": options.files[0].stem,
                "characters": options.characters,
                "units": units,
                "batch": shape,
            }
            if any(row | key == row for row in rows):
                continue
            rows.append(key | measure(corpus, units, batch, chunk, options.characters))
            print(rows[-1], flush=True)
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table_head(*rows[0]))
    for row in rows:
        print(table_row(*row.values()))


if __name__ == "__main__":
    main()
