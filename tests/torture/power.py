"""The power fails after each disk operation of a run: whatever was not synced is lost.

The disk operations of a run are logged once and replayed up to each of them. A disk keeps what was
fsynced: the bytes of a file, the names in a folder. Of the rest it may keep nothing, the names (as
journals do), or the names and half of the bytes; each is tried.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from . import hooks
from .command import OUT, train
from .faults import OPTIONS, RESUME, check_files, undisturbed
from .row import Outcome

KEPT = ["nothing", "names", "names and half of the bytes"]
Disk = dict[str, bytes]


def case(index: int, folder: Path) -> Outcome:
    """Keep only what was fsynced, and whatever else the disk happens to keep."""
    outcome = Outcome()
    run, log = folder / "run", folder / "steps"
    run.mkdir()
    assert train(*OPTIONS, folder=run, before=hooks.logging(str(log))).end().code == 0
    steps = [ast.literal_eval(line) for line in log.read_text().splitlines()]
    seen: set[str] = set()
    for length in range(len(steps) + 1):
        disk = after_power_loss(steps[:length], run, KEPT[index])
        outcome.count += 1
        saved = max([step[1][0] for step in steps[:length] if step[0] == "saved"], default=0)
        on_disk = undisturbed().models.get(disk.get(OUT, b""), 0)
        complete = on_disk >= saved and (RESUME in disk or not saved)
        outcome.expect(complete, f"after step {length}: the completed save at {saved} is lost")
        key = hashlib.sha256(repr(sorted(disk.items())).encode()).hexdigest()
        if key in seen:
            continue
        seen.add(key)
        place = folder / str(length)
        place.mkdir()
        for name, data in disk.items():
            (place / name).write_bytes(data)
        before = len(outcome.bad)
        # A lock file whose content is lost cannot be told from a foreign one, and stays.
        check_files(outcome, place, ".novel.safetensors.lock")
        outcome.bad[before:] = [f"after step {length}: {line}" for line in outcome.bad[before:]]
    outcome.figures["different disks"] = len(seen)
    return outcome


def after_power_loss(steps: list[tuple[str, list[object], object]], run: Path, kept: str) -> Disk:
    """Return the files on disk after a power failure following `steps`."""
    content: list[bytes] = []  # of each file, by number
    safe: list[bytes] = []
    names: dict[str, int] = {}
    safe_names: dict[str, int] = {}
    opened: dict[object, int | None] = {}  # by handle; None is the folder
    for name, arguments, result in steps:
        if name == "open" and Path(str(arguments[0])) == run:
            opened[result] = None
        elif name == "open":
            file = Path(str(arguments[0])).name
            if file not in names:
                names[file] = len(content)
                content.append(b"")
                safe.append(b"")
            opened[result] = names[file]
        elif name == "write":
            handle, data = arguments
            assert isinstance(data, bytes)
            content[opened[handle]] += data
        elif name == "fsync":
            number = opened[arguments[0]]
            if number is None:
                safe_names = dict(names)
            else:
                safe[number] = content[number]
        elif name == "replace":
            source, target = (Path(str(argument)).name for argument in arguments)
            names[target] = names.pop(source)
        elif name == "unlink":
            names.pop(Path(str(arguments[0])).name, None)
    if kept == "nothing":
        return {name: safe[number] for name, number in safe_names.items()}
    if kept == "names":
        return {name: safe[number] for name, number in names.items()}
    return {
        name: safe[number] or content[number][: len(content[number]) // 2]
        for name, number in names.items()
    }
