"""Every command against every kind of target: it writes, or ends with one line.

A target is what an output option or argument names. Only a file that --overwrite may replace, and
that is of the kind that the command writes, changes.
"""

import os
import shutil
import signal
import stat

import pytest

from tests.helpers import posix
from tests.processes import PATIENCE
from tests.tiny import OPTIONS, TEXT

pytestmark = posix
MINE = b"my own work"
TUNES = "".join(f"X:{n}\nM:2/4\nL:1/8\nK:D\nDEFG|A2d{n}|AGFE|D{n}|]\n\n" for n in range(1, 9))
TRAIN = ("train", "text.txt", *OPTIONS, "--max-steps=2")

# Words of the command before the target, and the suffix of the target.
COMMANDS = {
    "train": ((*TRAIN, "-o"), ".safetensors"),
    "log": ((*TRAIN, "-o", "new.safetensors", "--log"), ".jsonl"),
    "compose": (("compose", "tunes.safetensors", "--seed=1", "--formats=abc", "-o"), ""),
    "convert": (("convert", "tune.abc"), ".abc"),
    "import": (("import", "text.safetensors", "--alphabet", "text.txt", "-o"), ".safetensors"),
    "export": (("export", "text.safetensors"), ".html"),
}
REPLACED = {"convert", "export"}  # with --overwrite, any file


def a_file(target):
    target.write_bytes(MINE)


def a_read_only_file(target):
    target.write_bytes(MINE)
    target.chmod(0o444)


def a_folder(target):
    target.mkdir()
    (target / "01.abc").write_bytes(MINE)


def a_link_to_a_file(target):
    a_file(target.with_name("original"))
    target.symlink_to("original")


def a_link_to_a_folder(target):
    a_folder(target.with_name("folder"))
    target.symlink_to("folder")


def a_dangling_link(target):
    target.symlink_to("nowhere")


def a_loop(target):
    target.symlink_to(target.name)


def a_named_pipe(target):
    os.mkfifo(target)


FILES = [a_file, a_read_only_file, a_link_to_a_file]
KINDS = [*FILES, a_folder, a_link_to_a_folder, a_dangling_link, a_loop, a_named_pipe]
PATHS = ["", "/", ".", "..", "/dev/null", "/dev/full", "x" * 300, "no/folder/x", "text.txt/x"]
PATHS += ["/proc/x", "new/", "-x", "a\nb"]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, model_file, model_of_tunes):
    """A folder with what the commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "text.txt").write_text(TEXT)
    (folder / "tune.abc").write_text(TUNES[: TUNES.index("X:2")])
    (folder / "tunes.abc").write_text(TUNES)
    model_of_tunes(folder / "tunes.abc", hidden_size=8, max_steps=2)
    shutil.copy(model_file, folder / "text.safetensors")
    return folder


@pytest.fixture
def run(cli, inputs, tmp_path):
    """Run a command in a folder with the inputs; fail if it does not end."""
    for path in inputs.iterdir():
        shutil.copy(path, tmp_path)

    def run(*arguments):
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"{arguments} hangs"))
        signal.alarm(PATIENCE)
        try:
            return cli(*arguments)
        finally:
            signal.alarm(0)

    return run


def snapshot(folder):
    """Return what is in a folder: contents, targets of links, and kinds of other things."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[path] = path.readlink()
        else:
            found[path] = path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode)
    return found


def assert_it_worked_or_was_refused(result):
    assert result.code in (0, 1, 2)
    if result.code:
        last = result.err.splitlines()[-1]
        assert last.startswith("charrnn: error: ")
        assert "None" not in last


overwriting = pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["", "overwrite"])


@overwriting
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_exists_is_never_destroyed(run, tmp_path, command, kind, overwrite):
    words, suffix = COMMANDS[command]
    target = tmp_path / f"target{suffix}"
    kind(target)
    before = snapshot(tmp_path)
    result = run(*words, target.name, *overwrite)
    assert_it_worked_or_was_refused(result)
    after = snapshot(tmp_path)
    changed = {path for path in before if after.get(path) != before[path]}
    if overwrite and kind in FILES and command in REPLACED:
        assert changed == {target.resolve()}
    else:
        assert changed == set()
    if kind in FILES:
        assert (result.code == 0) == bool(changed)


@overwriting
@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:20]))
@pytest.mark.parametrize("command", COMMANDS)
def test_odd_paths_work_or_are_refused(run, tmp_path, command, path, overwrite):
    if command == "compose" and path in ("/", ".."):
        return  # folders like any other
    words, suffix = COMMANDS[command]
    if not path.endswith("/") and path not in ("", ".", "..") and not path.startswith("/dev"):
        path += suffix
    before = snapshot(tmp_path)
    assert_it_worked_or_was_refused(run(*words, path, *overwrite))
    after = snapshot(tmp_path)
    assert {name: after.get(name) for name in before} == before
