"""The project's own list of names, corpora/villages.txt."""

import pytest

from tests.conftest import ROOT

FILE = ROOT / "corpora" / "villages.txt"


@pytest.mark.slow
def test_the_script_writes_the_file_byte_for_byte(process):
    result = process(script=[ROOT / "corpora" / "compose_villages.py"])
    assert (result.code, result.err) == (0, "")
    assert result.out == FILE.read_bytes().decode()


def test_names_are_distinct_sorted_and_short():
    names = FILE.read_text("utf-8").splitlines()
    assert len(names) == 2000
    assert names == sorted(set(names))
    assert max(map(len, names)) <= 30
