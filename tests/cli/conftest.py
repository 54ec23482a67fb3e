"""A text to train on, a model of it, and the names of what is in the folder."""

import pytest

from tests.cli.runs import SHORT, TEXT


@pytest.fixture
def novel(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def files(tmp_path):
    """The names in the folder that the command line runs in."""
    return lambda: sorted(path.name for path in tmp_path.iterdir())


@pytest.fixture
def trained(cli, novel, tmp_path):
    """The model of a finished run over `novel`."""
    assert cli("train", novel, *SHORT).code == 0
    return tmp_path / "novel.safetensors"
