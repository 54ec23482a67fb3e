"""The rows of the table, in order."""

from __future__ import annotations

from . import (
    bits,
    corpora,
    disks,
    divergence,
    faults,
    footprint,
    hostile,
    kills,
    locks,
    mutations,
    power,
    signals,
    soak,
    tunes,
    workers,
)
from .row import Row

FAULTS, DISKS = len(faults.KINDS), len(power.KEPT)

ROWS = {
    "kills": Row("SIGKILL at a random moment of training, then resume", kills.case, 12, 500),
    "faults": Row(
        f"each step of each save fails in turn, in {FAULTS} ways",
        faults.case,
        3,
        FAULTS,
    ),
    "power": Row(
        "power failure after each step of each save; the disk keeps more or less",
        power.case,
        DISKS,
        DISKS,
    ),
    "signals": Row(
        "SIGINT, SIGTERM, SIGHUP, a second one during the save, an ignored SIGHUP",
        signals.case,
        20,
        1000,
    ),
    "disks": Row(
        "disk full, limited or read-only; standard output and error closed or full",
        disks.case,
        len(disks.THINGS),
        len(disks.THINGS),
    ),
    "locks": Row("two runs on one output", locks.case, 12, 200),
    "mutations": Row(
        "damaged and forged model and resume files",
        mutations.case,
        8_000,
        1_000_000,
        mutations.BATCH,
    ),
    "flips": Row(
        "bits of the tensors of three models flipped (full form: all)",
        mutations.flips,
        3000,
        33_000,
        mutations.BATCH,
    ),
    "corpora": Row(
        "texts of all kinds, with 1 GB of memory",
        corpora.case,
        len(corpora.ALL),
        len(corpora.ALL),
        seconds=1200,
    ),
    "hostile": Row(
        "hostile ABC and MIDI files: work and memory at two sizes, and a large file",
        hostile.case,
        25,
        len(hostile.ALL),
    ),
    "abc": Row(
        "random ABC, with 128 MB of additional memory", tunes.case, 200, 10_000, tunes.BATCH
    ),
    "agreement": Row(
        "random tunes of which abc2midi plays the same notes",
        tunes.agreement,
        100,
        50_000,
        tunes.AGREEMENTS,
    ),
    "midi": Row(
        "random MIDI files, with 128 MB of additional memory",
        tunes.midi,
        200,
        100_000,
        tunes.BATCH,
    ),
    "divergence": Row(
        "learning rate x 1,000 on every cell and optimizer", divergence.case, 12, 120
    ),
    "workers": Row("a worker killed or stopped at a random moment", workers.case, 6, 200),
    "bits": Row(
        "OpenBLAS kernels SkylakeX, Haswell, Prescott x 1, 2 threads, stopped and resumed",
        bits.case,
        3,
        60,
    ),
    "footprint": Row(
        "memory: announced and taken (within 25%), and under a limit",
        footprint.case,
        3,
        20,
    ),
    "soak": Row(
        f"train, evaluate, sample and resume for {soak.MINUTES:g} minutes",
        soak.case,
        0,
        1,
        seconds=int(60 * soak.MINUTES) + 300,
    ),
}
