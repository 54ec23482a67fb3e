"""The pages that are generated are those that the code would generate now."""

import re
from importlib import import_module

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


def test_the_functions_that_the_architecture_names_are_there():
    page = " ".join((ROOT / "docs" / "architecture.md").read_text("utf-8").split())
    places = re.findall(r"`([\w/]+)\.py: ([\w.]+)`", page)
    assert len(places) > 30
    for module, name in places:
        thing = import_module("charrnn." + module.replace("/", ".").removesuffix(".__init__"))
        for part in name.split("."):
            thing = getattr(thing, part)


def test_the_list_of_files_is_complete():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = page[page.index("charrnn/\n") : page.index("## A batch")]
    modules = {path.name for path in (ROOT / "charrnn").rglob("*.py")}
    commands = {path.name for path in (ROOT / "charrnn" / "cli").glob("*.py")}
    shared = {"progress.py", "log.py", "terminal.py"}
    expected = modules - {"__init__.py", "__main__.py"} - (commands - shared)
    assert {name for name in expected if name not in listed} == set()
