"""Disks that are full, read-only or limited; standard streams that are closed or full."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from charrnn.checkpoints.checkpoint import load
from charrnn.training.trainer import Trainer
from tests.tiny import OPTIONS as TINY
from tests.tiny import TEXT

from .command import OUT, Command, left_over, train
from .row import Outcome, Skip

OPTIONS = [*TINY, "--workers=1", "--valid-fraction=0"]
SHORT = [*OPTIONS, "--max-steps=9", "--save-every=3"]
SAVED = b"test: saved"  # printed by runs of `fills_up`


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, mode: str = "rw") -> Iterator[Path]:
    """Mount a disk of this size in `folder`; raise Skip if that is not permitted."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,{mode}", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skip("mounting a small disk is not permitted here") from None
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill_after_a_save(filler: Path) -> None:
    """Fill the disk of a run after its first save, and print a line after each successful save."""
    save = Trainer.save
    filled = False

    def telling_save(trainer: Trainer) -> None:
        nonlocal filled
        save(trainer)
        if not filled:
            filled = True
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        os.write(2, SAVED + b"\n")

    Trainer.save = telling_save


def full_from_the_start(outcome: Outcome, folder: Path) -> None:
    with small_disk(folder, 8) as disk:
        ended = train(*SHORT, f"--out=disk/{OUT}", folder=folder).end()
        told = (
            ended.one_line_error()
            and "not enough disk space" in ended.last
            and "step" not in ended.err
        )
        outcome.expect(told, f"not found before training: {ended.err}")
        outcome.expect(not any(disk.iterdir()), f"left behind: {list(disk.iterdir())}")


def fills_up(outcome: Outcome, folder: Path, emptied: bool) -> None:
    """Fill the disk after the first save; empty it again or not."""
    with small_disk(folder, 400) as disk:
        filler = disk / "filler"
        run = train(
            *OPTIONS,
            "--schedule=constant",
            "--max-steps=1000000",
            "--save-every=5",
            f"--out=disk/{OUT}",
            folder=folder,
            before=lambda: fill_after_a_save(filler),
        )
        outcome.expect(run.until(SAVED), f"the first save failed: {run.told!r}")
        told = run.until(b"charrnn: ") and b"no space left" in run.line
        outcome.expect(told, f"a failed save was not reported: {run.told!r}")
        outcome.expect(b"trying again" in run.line, "it did not announce another attempt")
        load(disk / OUT)
        if emptied:
            filler.unlink()
            outcome.expect(run.until(SAVED), f"no save succeeds afterwards: {run.told!r}")
        run.send(signal.SIGTERM)
        ended = run.end()
        saved = ended.code == 143 and "and saved; to continue:" in ended.err
        failed = ended.one_line_error() and "no space left" in ended.last
        outcome.expect(saved if emptied else failed, f"it ended with {ended.code}: {ended.err}")
        filler.unlink(missing_ok=True)
        load(disk / OUT)
        resumed = train("--resume", f"--out=disk/{OUT}", "--max-steps=1", folder=folder).end()
        outcome.expect(resumed.code == 0, f"resuming: {resumed.err}")
        outcome.expect(not left_over(disk), f"left behind: {left_over(disk)}")


def file_size_limit(outcome: Outcome, folder: Path) -> None:
    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    ended = train(*SHORT, folder=folder, before=before).end()
    outcome.expect(ended.one_line_error(), f"it ended with {ended.code}: {ended.err}")
    outcome.expect("file too large" in ended.last, f"it said: {ended.last}")
    outcome.expect("trying again" in ended.err, "it stopped after the first failed save")
    outcome.expect(not left_over(folder), f"left behind: {left_over(folder)}")


def read_only_folder(outcome: Outcome, folder: Path) -> None:
    """As root, who may write anywhere, become nobody first."""
    (folder / "novel.txt").write_text(TEXT)
    place = folder / "closed"
    place.mkdir()
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & stat.S_IXOTH and each.stat().st_uid == os.getuid():
            each.chmod(0o755)
    place.chmod(0o555)

    def before() -> None:
        if os.getuid() == 0:
            os.setuid(65534)

    ended = train(*SHORT, f"--out=closed/{OUT}", folder=folder, before=before).end()
    told = ended.one_line_error() and "permission denied" in ended.last
    outcome.expect(told and "characters for training" not in ended.err, f"late: {ended.err}")


def read_only_disk(outcome: Outcome, folder: Path) -> None:
    with small_disk(folder, 400, "ro"):
        ended = train(*SHORT, f"--out=disk/{OUT}", folder=folder).end()
        told = ended.one_line_error() and "read-only file system" in ended.last
        outcome.expect(told and "characters for training" not in ended.err, f"late: {ended.err}")


def stream(outcome: Outcome, folder: Path, number: int, way: str) -> None:
    """Train, sample and show info with a standard stream closed, full, or without a reader."""

    def before() -> None:
        if way == "closed":
            os.close(number)
            setattr(sys, ("stdout", "stderr")[number - 1], None)  # as Python has it then
        elif way == "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), number)
        else:
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, number)

    ended = train(*SHORT, folder=folder, before=before).end()
    outcome.expect(ended.code == 0, f"train: {ended.code}: {ended.err}")
    load(folder / OUT)
    for arguments in (["sample", OUT, "-n", "50", "--seed", "1"], ["info", OUT]):
        ended = Command(*arguments, folder=folder, before=before).end()
        good = ended.code == 0
        if way == "full" and number == 1:
            good = ended.one_line_error()
        outcome.expect(good and "Traceback" not in ended.err, f"{arguments}: {ended.err}")


def full_log(outcome: Outcome, folder: Path) -> None:
    ended = train(*SHORT, "--log=/dev/full", folder=folder).end()
    outcome.expect(ended.code == 0, f"it ended with {ended.code}: {ended.err}")
    outcome.expect("cannot write the log" in ended.err, f"it said: {ended.err}")


THINGS: list[Callable[[Outcome, Path], None]] = [
    full_from_the_start,
    lambda outcome, folder: fills_up(outcome, folder, emptied=True),
    lambda outcome, folder: fills_up(outcome, folder, emptied=False),
    file_size_limit,
    read_only_folder,
    read_only_disk,
    *(
        lambda outcome, folder, number=number, way=way: stream(outcome, folder, number, way)
        for number in (1, 2)
        for way in ("closed", "full", "without a reader")
    ),
    full_log,
]


def case(index: int, folder: Path) -> Outcome:
    """Run one of these."""
    outcome = Outcome(1)
    THINGS[index](outcome, folder)
    return outcome
