"""The pages that are generated are those that the code would generate now."""

import pytest

from tests.helpers import ROOT


@pytest.fixture
def generate(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import generate

    return generate


def test_the_page_on_python_is_current(generate):
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    assert page == generate.python_page(), "run: python docs/generate.py"
