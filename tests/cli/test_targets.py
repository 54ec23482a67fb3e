"""Every command against every kind of target: it writes, or ends with one line; it never destroys.

A target is what an output option or argument names. What is there before is never changed unless a
command is asked to replace it and it is of the kind that the command writes.
"""

import os
import signal
import stat

import pytest

from tests.helpers import posix
from tests.tiny import OPTIONS, TEXT

TUNE = "X:1\nM:2/4\nL:1/8\nK:D\nDEFG|A2d2|AGFE|D4|]\n"
MINE = b"my own work"


def train(target):
    return ["train", "text.txt", *OPTIONS, "--max-steps=2", "-o", target]


def log(target):
    return [
        "train",
        "text.txt",
        *OPTIONS,
        "--max-steps=2",
        "-o",
        "new.safetensors",
        "--log",
        target,
    ]


def convert(target):
    return ["convert", "tune.abc", target]


def compose(target):
    return ["compose", "tunes.safetensors", "--seed=1", "-o", target]


COMMANDS = [train, log, convert, compose]


def a_file(target):
    target.write_bytes(MINE)


def a_folder(target):
    target.mkdir()
    (target / "01.abc").write_bytes(MINE)


def a_link(target):
    target.with_name("original").write_bytes(MINE)
    target.symlink_to("original")


def a_link_to_a_folder(target):
    a_folder(target.with_name("folder"))
    target.symlink_to("folder")


def a_dangling_link(target):
    target.symlink_to("nowhere")


def a_loop(target):
    target.symlink_to(target.name)


def a_pipe(target):
    os.mkfifo(target)


def a_read_only_file(target):
    target.write_bytes(MINE)
    target.chmod(0o444)


def in_a_file(target):
    target.parent.write_bytes(MINE)


def missing(target):
    pass


KINDS = [a_file, a_folder, a_link, a_link_to_a_folder, a_dangling_link, a_loop, a_pipe]
KINDS += [a_read_only_file]


def snapshot(folder):
    """Return all that is in a folder: kinds, contents and targets of links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[path] = path.readlink()
        else:
            found[path] = path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode)
    return found
