"""The documentation: generated pages are current, and every page names things that exist."""

import re
from importlib import import_module

import click
import pytest

from charrnn.cli import COMMANDS, cli
from charrnn.registry import resolve
from tests.helpers import ROOT


@pytest.fixture
def generate(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import generate

    return generate


@pytest.mark.parametrize("name", ["python", "cli"])
def test_generated_pages_are_current(generate, name):
    page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    assert page == getattr(generate, f"{name}_page")(), "run: python docs/generate.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_lists_every_option(command):
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    section = page.split(f"## charrnn {command}\n")[1].split("\n## ")[0]
    for parameter in resolve(COMMANDS[command]).get_params(click.Context(cli)):
        is_option = isinstance(parameter, click.Option)
        names = parameter.opts if is_option else [parameter.human_readable_name]
        assert "--help" in names or all(name in section for name in names)


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"]({name})" not in index} == set()


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")]


@pytest.mark.parametrize("page", sorted(set(PAGES)), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("https:", "http:")):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_functions_that_the_architecture_names_exist():
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


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()
