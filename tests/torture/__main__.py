"""`python -m tests.torture`: run all rows and print the table; exit with 1 after any failure.

Outcomes are recorded in a file as they arrive, and the same command continues from there. Remove
the file to start again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from .row import SEED, Row
from .rows import ROWS
from .runner import Result, do, quick_place


def recall(record: Path, head: dict[str, object]) -> dict[str, Result]:
    """Return the results in `record`; create it if it does not exist."""
    results = {name: Result() for name in ROWS}
    if not record.exists():
        record.write_text(json.dumps(head) + "\n", encoding="utf-8")
        return results
    first, *lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    if json.loads(first) != head:
        sys.exit(f"{record} has another form or seed; remove it, or choose another --record")
    for line in lines:
        if line.endswith("\n") and (outcome := json.loads(line))["row"] in results:
            results[outcome["row"]].add(outcome)
    return results


def table_line(row: Row, result: Result, cases: int) -> str:
    """Return a row of the table, in Markdown."""
    done = f"{result.count:,}"
    if len(result.done) < cases:
        done += f" ({len(result.done):,} of {cases:,} cases)"
    notes = [f"{name} {value:,.2f}" for name, value in sorted(result.figures.items())]
    notes += [f"skipped: {reason}" for reason in sorted(result.skipped)]
    return f"| {row.what} | {done} | {len(result.bad)} | {'; '.join(notes)} |"


def main() -> int:
    """Run the requested rows."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_const", const="short", dest="form", default="short")
    form.add_argument("--full", action="store_const", const="full", dest="form")
    parser.add_argument("--only", choices=ROWS, action="append", help="run only this row")
    parser.add_argument("--cases", type=int, help="run at most this many cases per row")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--record", type=Path, help="default: torture-FORM.jsonl")
    parser.add_argument(
        "--place", type=Path, default=quick_place(), help="folder for temporary files"
    )
    parser.add_argument("--at-once", type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    full = arguments.form == "full"
    record = arguments.record or Path(f"torture-{arguments.form}.jsonl")
    results = recall(record, {"form": arguments.form, "seed": arguments.seed})
    bad = 0
    print(
        f"{arguments.form} form, seed {arguments.seed}, {datetime.date.today()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}\n\n| what | how many | bad | |\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(dir=arguments.place) as place:
        for name in arguments.only or ROWS:
            row, result = ROWS[name], results[name]
            cases = row.cases(full)
            if not cases:
                continue
            began = time.monotonic()
            do(
                name,
                range(min(cases, arguments.cases or cases)),
                Path(place),
                arguments.form,
                arguments.seed,
                arguments.at_once,
                record,
                result,
            )
            print(table_line(row, result, cases), flush=True)
            seconds = time.monotonic() - began
            print(f"{name}: {seconds:.1f} s", *result.bad[:5], sep="\n", file=sys.stderr)
            bad += len(result.bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
