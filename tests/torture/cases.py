"""A process that runs the cases of a row: `cases ROW FOLDER` reads indices, writes outcomes."""

from __future__ import annotations

import gc
import json
import shutil
import signal
import sys
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from .command import kill_all
from .row import Outcome, Row, Skip
from .rows import ROWS


def attempt(row: Row, index: int, place: Path) -> dict[str, object]:
    """Run one case in its own folder; any exception is a failure."""
    folder = Path(tempfile.mkdtemp(dir=place))
    skipped = ""
    signal.alarm(row.seconds)
    try:
        outcome = row.case(index, folder)
    except Skip as skip:
        outcome, skipped = Outcome(), str(skip)
    except BaseException:
        outcome = Outcome(row.size, [traceback.format_exc()])
    signal.alarm(0)
    kill_all()
    shutil.rmtree(folder, ignore_errors=True)
    return {"case": index, "skipped": skipped, **asdict(outcome)}


def hang(*_: object) -> NoReturn:
    """Turn an alarm into an exception."""
    raise TimeoutError("the case hangs")


if __name__ == "__main__":
    name, place = sys.argv[1:]
    gc.freeze()  # forks copy less memory
    signal.signal(signal.SIGALRM, hang)
    for line in sys.stdin:
        print(json.dumps(attempt(ROWS[name], int(line), Path(place))), flush=True)
