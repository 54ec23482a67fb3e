"""The benchmarks, which are scripts beside the package."""

import pytest

from tests.helpers import ROOT


@pytest.fixture
def benchmark(monkeypatch):
    """A function that imports a benchmark by its name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    missing = "the benchmarks are not in a source archive"
    return lambda name: pytest.importorskip(name, reason=missing)
