"""Music is a plug-in: without it, charrnn still trains, samples, evaluates and resumes on text."""

import shutil

import pytest

from tests.conftest import ROOT, TEXT

# Where the plug-in is registered, and the words by which its entries are known.
REGISTRIES = ("__init__.py", "cli/__init__.py", "text/documents.py", "text/formats.py")
COMMANDS = ["train", "sample", "evaluate", "info", "export", "import"]
ENTRIES = ("charrnn.music", '"music.', '"TuneReading"', "cli.compose", "cli.assess", "cli.convert")


@pytest.fixture
def without_music(process, tmp_path):
    """The command line of a copy of the package that has no music in it."""
    package = tmp_path / "charrnn"
    shutil.copytree(ROOT / "charrnn", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(package / "music")
    for name in REGISTRIES:
        lines = (package / name).read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not any(entry in line for entry in ENTRIES)]
        assert len(kept) < len(lines), f"{name} registers no music any more"
        (package / name).write_text("".join(kept), "utf-8")
    (tmp_path / "novel.txt").write_text(TEXT, "utf-8")

    def run(*arguments):
        result = process(*arguments, env={"PYTHONPATH": str(tmp_path)})
        assert result.code == 0, result.err
        return result.out

    return run


def test_without_music_text_is_trained_on_resumed_sampled_and_evaluated(without_music):
    tiny = ("--hidden-size", "8", "--batch-size", "4", "--seq-len", "16", "--workers", "1")
    without_music("train", "novel.txt", "--max-steps", "4", *tiny)
    without_music("train", "novel.txt", "--resume", "--max-steps", "8")
    assert len(without_music("sample", "novel.safetensors", "--length", "20", "--seed", "1")) == 20
    assert "nats per character" in without_music("evaluate", "novel.safetensors", "novel.txt")
    assert "novel.html" in without_music("export", "novel.safetensors", "novel.html")
    assert '"steps": 8' in without_music("info", "novel.safetensors", "--json")


def test_without_music_its_commands_and_options_are_gone(without_music):
    listed = without_music("--help").split("Commands:\n")[1]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS
    assert "--transpose" not in without_music("train", "--help")
