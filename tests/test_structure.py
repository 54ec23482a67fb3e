"""The rules of the package layout."""

import ast
import tomllib
import zipfile
from graphlib import CycleError, TopologicalSorter

import pytest

from charrnn import __version__
from tests.helpers import ROOT

PACKAGE = ROOT / "charrnn"

# Imports point to the same package or to one further left. "" stands for the modules outside the
# packages (errors, settings, random numbers), which all packages may import.
ORDER = ["nn", "text", "checkpoints", "inference", "training", "music", "interop", "cli"]


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("charrnn"):
            base = node.module.removeprefix("charrnn").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield inner if inner in MODULES else base
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("charrnn") for alias in node.names), path


def external_imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)


def package_of(name):
    package = name.partition(".")[0]
    return package if (PACKAGE / package).is_dir() else ""


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_to_the_same_package_or_to_the_left(name):
    package = package_of(name)
    if package not in ORDER:
        return
    allowed = ["", *ORDER[: ORDER.index(package) + 1]]
    for imported in set(imports(MODULES[name])):
        assert package_of(imported) in allowed, f"{name} imports {imported}"


def test_imports_have_no_cycles():
    graph = {name: set(imports(path)) - {""} for name, path in MODULES.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_the_command_line_imports_click(name):
    if not name.startswith("cli"):
        assert "click" not in external_imports(MODULES[name])


def test_at_most_six_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= 6


def test_all_public_names_can_be_imported_lazily():
    import charrnn

    assert sorted(charrnn._HOMES) == sorted(charrnn.__all__)
    assert set(charrnn.__all__) <= set(dir(charrnn))
    for name in charrnn.__all__:
        assert getattr(charrnn, name).__module__ == f"charrnn.{charrnn._HOMES[name]}"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = charrnn.nonsense


def test_the_wheel_contains_the_package_but_not_the_corpora(tmp_path, monkeypatch):
    hatchling = pytest.importorskip("hatchling.build", reason="hatchling builds the wheel")
    monkeypatch.chdir(ROOT)
    name = hatchling.build_wheel(str(tmp_path))
    names = zipfile.ZipFile(tmp_path / name).namelist()
    assert "charrnn/nn/cells.py" in names
    assert "charrnn/py.typed" in names
    data = {path for path in PACKAGE.rglob("*") if path.suffix in {".js", ".css", ".html"}}
    assert {path.relative_to(ROOT).as_posix() for path in data} <= set(names)
    assert "charrnn/interop/web/engine.js" in names
    folders = {name.split("/")[0] for name in names}
    assert folders == {"charrnn", f"charrnn-{__version__}.dist-info"}
