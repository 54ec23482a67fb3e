"""The promises that the layout makes."""

import ast
import io
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "charrnn"

# Every import points to a lower floor; the files of one floor do not know each other.
FLOORS = [
    {"errors"},
    {"settings", "randomness", "parameters", "spool", "constraint", "music.tune"},
    {"music.abc", "music.midi", "music.audio", "music.assess", "music.score"},
    {"music.page", "music.engraving", "music.collection", "music.grammar"},
    {"music.formats", "music.refrain"},
    {"tokenizer", "optim", "nn.cells", "exchange", "lock"},
    {"streams", "nn.embedding", "nn.softmax"},
    {"corpus", "nn.recurrent"},
    {"model", "reading"},
    {"checkpoint", "initial"},
    {"dynamic"},
    {"evaluator", "sampler"},
    {"run"},
    {"learner", "choices", "composer"},
    {"memory", "rewriter"},
    {"resumption"},
    {"trainer"},
    {"cli.terminal", "cli.options"},
    {"cli.train", "cli.sample", "cli.evaluate", "cli.info", "cli.music"},
    {"cli"},
    {"__main__"},
]
FACE = {"", "nn", "music"}  # package faces: `charrnn` hands names on, lazily; the others none


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


def lines_of_code(path):
    """Lines that bear code: no blank lines, comments or docstrings."""
    source = path.read_text("utf-8")
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.string.strip() and token.type != tokenize.COMMENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def floor(name):
    return next(number for number, names in enumerate(FLOORS) if name in names)


def test_every_file_has_its_floor():
    assert set(MODULES) - FACE == set().union(*FLOORS)


@pytest.mark.parametrize("name", sorted(set(MODULES) - FACE))
def test_imports_point_to_a_lower_floor(name):
    for imported in set(imports(MODULES[name])) - FACE:
        assert floor(imported) < floor(name), f"{name} imports {imported}"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_the_command_line_knows_click_and_tqdm(name):
    if not name.startswith("cli"):
        assert not {"click", "tqdm"} & set(external_imports(MODULES[name]))


def test_the_core_can_be_read_in_an_hour():
    # Beside the core: processes, files, memory; what goes on learning, and what chooses.
    beside = FACE | {"__main__", "exchange", "lock", "reading", "spool", "dynamic", "choices"}
    beside |= {"memory", "composer", "rewriter", "resumption"}
    others = ("cli", "music")
    core = [p for n, p in MODULES.items() if not n.startswith(others) and n not in beside]
    assert sum(map(lines_of_code, core)) <= 2500


def test_at_most_six_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= 6


def test_the_lazy_face_of_the_package_gives_all_that_it_lists():
    import charrnn

    assert sorted(charrnn._HOMES) == sorted(charrnn.__all__)
    assert set(charrnn.__all__) <= set(dir(charrnn))
    for name in charrnn.__all__:
        assert getattr(charrnn, name).__module__ == f"charrnn.{charrnn._HOMES[name]}"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = charrnn.nonsense


def test_help_does_not_wait_for_numpy():
    code = (
        "import sys\n"
        "from charrnn.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'numpy' not in sys.modules and 'tqdm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_readme_names_every_option():
    """Docs and commands are held together: what a command has, the README tells."""
    import click

    from charrnn.cli import cli

    readme = (ROOT / "README.md").read_text("utf-8")
    for command in cli.commands.values():
        for parameter in command.get_params(
            click.Context(command, help_option_names=["-h", "--help"])
        ):
            option = parameter.opts[0] if parameter.param_type_name == "option" else ""
            names = [name for name in parameter.opts if name.startswith("--")]
            assert option in ("", "-h", "--help") or any(f"`{name}" in readme for name in names), (
                names
            )


def test_the_wheel_holds_the_package_and_not_the_corpora(tmp_path):
    hatchling = pytest.importorskip("hatchling.build", reason="hatchling builds the wheel")
    import os

    here = Path.cwd()
    os.chdir(ROOT)
    try:
        name = hatchling.build_wheel(str(tmp_path))
    finally:
        os.chdir(here)
    names = zipfile.ZipFile(tmp_path / name).namelist()
    assert "charrnn/nn/cells.py" in names
    assert "charrnn/py.typed" in names
    assert "charrnn/music/page.html" in names
    assert all(name.split("/")[0] in ("charrnn", "charrnn-0.1.0.dist-info") for name in names)
