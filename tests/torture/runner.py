"""Run rows, several cases at a time, and record each outcome as it arrives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def quick_place() -> Path | None:
    """Return a folder in memory, if there is one with space: no row needs a disk."""
    place = Path("/dev/shm")
    if os.access(place, os.W_OK) and shutil.disk_usage(place).free > 1 << 30:
        return place
    return None


@dataclass
class Result:
    """The outcomes of a row so far."""

    count: int = 0
    bad: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    figures: dict[str, float] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    def add(self, outcome: dict[str, object]) -> None:
        """Add the outcome of a case."""
        self.done.add(outcome["case"])
        self.count += outcome["count"]
        self.bad += [f"case {outcome['case']}: {line}" for line in outcome["bad"]]
        self.skipped |= {outcome["skipped"]} - {""}
        for name, value in outcome["figures"].items():
            self.figures[name] = max(value, self.figures.get(name, value))


class Doer:
    """A process that runs cases of one row; it is replaced if it dies."""

    def __init__(self, row: str, place: Path, environment: dict[str, str]) -> None:
        self.command = [sys.executable, "-W", "error", "-m", "tests.torture.cases", row, str(place)]
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None

    def do(self, index: int) -> dict[str, object]:
        """Run a case in a process that may have run others before."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=self.environment,
            )
        try:
            self.process.stdin.write(f"{index}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.end()
        died = f"its process died (exit code {code})"
        return {"case": index, "count": 1, "bad": [died], "skipped": "", "figures": {}}

    def end(self) -> int:
        """End the process."""
        if self.process is None:
            return 0
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait()
        self.process = None
        return code


def do(
    row: str,
    cases: Iterable[int],
    place: Path,
    form: str = "short",
    seed: int = 20261121,
    at_once: int = 2,
    record: Path | None = None,
    already: Result | None = None,
) -> Result:
    """Run the `cases` of a row, `at_once` in parallel, in folders in `place`.

    Outcomes are added to the file `record` and to `already`.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LC_"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "TORTURE_FORM": form, "TORTURE_SEED": str(seed)}
    result = already or Result()
    waiting = iter([index for index in cases if index not in result.done])
    lock = threading.Lock()

    def work() -> None:
        doer = Doer(row, place, environment)
        try:
            while True:
                with lock:
                    index = next(waiting, None)
                if index is None:
                    return
                outcome = doer.do(index)
                with lock:
                    result.add(outcome)
                    if record is not None:
                        with record.open("a", encoding="utf-8") as file:
                            file.write(json.dumps({"row": row, **outcome}) + "\n")
        finally:
            doer.end()

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result
