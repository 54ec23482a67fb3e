"""A model file for the tests."""

import pytest

from tests.checkpoints.models import make_checkpoint


@pytest.fixture
def path(tmp_path):
    """A model file of `make_checkpoint()`."""
    make_checkpoint().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"
