"""The short form of the torture tests; it checks behavior, not times."""

import tempfile
from pathlib import Path

import pytest

from tests.helpers import linux
from tests.torture.row import SEED
from tests.torture.rows import ROWS
from tests.torture.runner import do, quick_place


@linux
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.short])
def test_every_row_passes(name):
    cases = ROWS[name].cases(full=False)
    with tempfile.TemporaryDirectory(dir=quick_place()) as place:
        result = do(name, range(cases), Path(place), seed=SEED)
    assert result.bad == []
    assert len(result.done) == cases
    if result.skipped:
        pytest.skip(f"some or all cases: {'; '.join(sorted(result.skipped))}")
