"""An uninterrupted run to compare with, and a full disk."""

import pytest

from charrnn.checkpoints import container
from charrnn.errors import CheckpointError
from tests.helpers import finish
from tests.tiny import make_trainer


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "model.safetensors"
    reports = finish(make_trainer(out))
    return out.read_bytes(), reports


@pytest.fixture
def full_disk(monkeypatch):
    """Let all writes fail from now on, after the given number of successes."""

    def fill(left=0):
        def refuse(path, data):
            nonlocal left
            if not left:
                raise CheckpointError("no space left")
            left -= 1
            write(path, data)

        write = container.write_atomically
        monkeypatch.setattr(container, "write_atomically", refuse)

    return fill
