"""Registry entries are imported when they are used, not before."""

import sys

import pytest

from charrnn.registry import resolve


def test_an_address_is_imported_when_it_is_resolved(monkeypatch, tmp_path):
    (tmp_path / "toy_feature.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(tmp_path)
    entries = {"toy": "toy_feature:answer"}
    assert "toy_feature" not in sys.modules
    assert resolve(entries["toy"]) == 42
    del sys.modules["toy_feature"]


@pytest.mark.parametrize("thing", [len, 3, None, ["math:pi"]], ids=str)
def test_other_entries_are_returned_unchanged(thing):
    assert resolve(thing) is thing


@pytest.mark.parametrize(
    ("address", "error"), [("no_such_module:x", ImportError), ("math:tea", AttributeError)]
)
def test_a_wrong_address_is_an_error(address, error):
    with pytest.raises(error):
        resolve(address)
