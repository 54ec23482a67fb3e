"""The short form of the torture: what happens and in what order, and no times."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.torture.row import SEED
from tests.torture.rows import ROWS
from tests.torture.runner import do, quick_place

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.short])
def test_nothing_is_bad(name):
    cases = ROWS[name].cases(full=False)
    with tempfile.TemporaryDirectory(dir=quick_place()) as place:
        result = do(name, range(cases), Path(place), seed=SEED)
    assert result.bad == []
    if not result.count:
        pytest.skip("; ".join(sorted(result.skipped)))
    assert len(result.done) == cases
