"""A model to sample from."""

import pytest

from tests.inference.models import random_model


@pytest.fixture(scope="session")
def model():
    return random_model()
