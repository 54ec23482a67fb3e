"""Reading a large text: megabytes a second, and the memory that it takes.

python benchmarks/read_speed.py [--megabytes 1000]

It writes two texts to the temporary folder, one of English letters and one of 3,000 characters,
reads each in a new process as `charrnn train` does, and prints a table.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from turns import describe, machine, table_head, table_row

PIECE = 1_000_000  # characters
TEXTS = {"ASCII, 65 characters": 65, "UTF-8, 3,000 characters": 3_000}


def write(path: Path, size: int, alphabet: int) -> None:
    """Write a text of `size` bytes or a little more, its frequencies those of Zipf: one drawn
    piece, again and again.
    """
    ranks = np.minimum(np.random.default_rng(0).zipf(1.3, PIECE), alphabet) - 1
    first = 32 if alphabet < 128 else 0x4E00
    piece = "".join(map(chr, (first + ranks).tolist())).encode()
    with path.open("wb") as file:
        for _ in range(-(-size // len(piece))):
            file.write(piece)


def measure(path: Path) -> tuple[float, float]:
    """Read a file in a process of its own: seconds, and the peak of its anonymous memory
    in MiB (Linux), looked at a hundred times a second.
    """
    code = "import sys, charrnn.text.loading as r; r.read(sys.argv[1])"
    began, peak = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            found = re.search(r"RssAnon:\s+(\d+)", status.read_text() if status.exists() else "")
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(0.01)
    return time.perf_counter() - began, peak / 1024


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    print(describe(machine()) + "\n")
    print(table_head("text", "MB", "MB a second", "at least", "memory, MiB"))
    size = options.megabytes * 10**6
    for name, alphabet in TEXTS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "large.txt")
            write(path, size, alphabet)
            seconds, peak = measure(path)
        print(
            table_row(name, str(size // 10**6), f"{size / 1e6 / seconds:.0f}", "100", f"{peak:.0f}")
        )


if __name__ == "__main__":
    main()
