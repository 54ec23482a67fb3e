"""How good a model `charrnn train FILE --minutes M` gives, and no other option.

    python benchmarks/quality.py tinyshakespeare.txt --minutes 1 3 10 60 --seeds 0 1 2

Each run trains, and is evaluated on the last tenth of the text in one pass with the state carried,
in independent blocks of 256 characters, and with dynamic evaluation. A row is written to the
results file as it finishes, and is not done again: the benchmark may be stopped at any time.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from turns import table_head, table_row

COLUMNS = {
    "minutes": "minutes",
    "seed": "seed",
    "model": "model",
    "planned": "epochs planned",
    "epochs": "epochs",
    "took": "took, minutes",
    "carried": "state carried",
    "blocks": "blocks of 256",
    "dynamic": "dynamic",
}


PLAN = re.compile(r"plan: about ([\d.,]+) epoch")


def charrnn(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "charrnn", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True)


def measure(corpus: Path, minutes: float, seed: int) -> dict[str, object]:
    """Train and evaluate once."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.safetensors")
        began = time.monotonic()
        run = charrnn("train", corpus, "--minutes", minutes, "--seed", seed, "--out", model)
        took = time.monotonic() - began
        about = json.loads(charrnn("info", model, "--json").stdout)
        config, training = about["config"], about["training"]

        def loss(*options: object) -> float:
            result = charrnn("evaluate", model, corpus, "--split", "valid", "--json", *options)
            return float(json.loads(result.stdout)["nats_per_char"])

        settings = training["config"]
        read = training["steps"] * settings["batch_size"] * settings["seq_len"]
        return {
            "corpus": corpus.name,
            "minutes": minutes,
            "seed": seed,
            "model": f"{config['cell']} {config['num_layers']}x{config['hidden_size']}, "
            f"dropout {config['dropout']:g}, of weights {config['weight_dropout']:g}",
            "planned": plan[1] if (plan := PLAN.search(run.stderr)) else "–",
            "epochs": round(read / training["characters"], 1),
            "took": round(took / 60, 2),
            "carried": round(loss(), 4),
            "blocks": round(loss("--block-size", 256), 4),
            "dynamic": round(loss("--dynamic"), 4),
        }


def main() -> None:
    """Measure what has not been measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 3, 10, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--results", type=Path, default=Path("quality.jsonl"))
    options = parser.parse_args()
    lines = options.results.read_text("utf-8").splitlines() if options.results.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(row["corpus"], row["minutes"], row["seed"]) for row in rows}
    for minutes in options.minutes:
        for seed in options.seeds:
            if (options.corpus.name, minutes, seed) in done:
                continue
            rows.append(measure(options.corpus, minutes, seed))
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table_head(*COLUMNS.values()))
    for row in sorted(rows, key=lambda row: (row["corpus"], row["minutes"], row["seed"])):
        print(table_row(*(row[name] for name in COLUMNS)))


if __name__ == "__main__":
    main()
