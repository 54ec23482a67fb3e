"""The guarantees of SECURITY.md: a model file is data, and reading it opens no other file."""

import ast
import re
import shutil

import pytest
from safetensors.numpy import load_file

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.output import resume_path
from tests.helpers import ROOT, rewrite

SOURCES = sorted((ROOT / "charrnn").rglob("*.py"))

READS_ARCHIVES = "mxl.py"  # into memory, up to a limit
# Modules that run code from data, unpack archives, start programs or use the network.
MODULES = {
    *("pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "code", "codeop", "runpy"),
    *("zipfile", "tarfile", "zipimport", "gzip", "bz2", "lzma"),
    *("subprocess", "pty", "ctypes", "cffi", "webbrowser"),
    *("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "xmlrpc", "requests"),
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "breakpoint", "input"),
    *("system", "popen", "startfile", "fork", "forkpty", "posix_spawn", "posix_spawnp"),
    *("extract", "extractall", "unpack_archive"),
    *("fromfile", "fromregex", "memmap", "loadtxt", "genfromtxt", "decompress", "decompressobj"),
}


def parsed(source):
    return ast.walk(ast.parse(source.read_text("utf-8")))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_code_from_data(source):
    """Worker processes exchange pickles within multiprocessing, never from a file."""
    modules = MODULES - ({"zipfile"} if source.name == READS_ARCHIVES else set())
    for node in parsed(source):
        if isinstance(node, ast.Import):
            assert not modules & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MODULES
            assert not {alias.name for alias in node.names} & (MODULES | CALLS)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if ast.unparse(node.func) != "re.compile":
                assert name not in CALLS, f"line {node.lineno}: {name}"
            assert not name.startswith(("exec", "spawn")), f"line {node.lineno}: {name}"
            assert not {keyword.arg for keyword in node.keywords} & {"shell", "allow_pickle"}


def test_processes_are_created_in_one_place():
    users = {
        source.name
        for source in SOURCES
        for node in parsed(source)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and "multiprocessing"
        in (getattr(node, "module", None) or "") + "".join(alias.name for alias in node.names)
    }
    assert users == {"comm.py", "spool.py"}  # spool.py passes files to them


NASTY = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202e\u2028../../etc/passwd"


@pytest.fixture
def forged(model_file, tmp_path):
    """A valid model file with hostile names and text in every field."""
    path = tmp_path / "model.safetensors"
    shutil.copy(model_file, path)

    def change(document):
        document["vocabulary"] = document["vocabulary"][:-3] + "\x1b\x9b\u202e"
        document["training"] |= {
            "corpus": "/etc/passwd" + NASTY,
            "selection": {"stated": [NASTY], "selected": ["seed", NASTY]},
        }
        document["version"] = NASTY

    rewrite(path, change)
    return path


@pytest.mark.parametrize(
    "command", [["info"], ["sample", "-n", "300", "--seed", "1", "-t", "5"], ["evaluate"]], ids=str
)
def test_text_from_a_model_is_escaped_on_a_terminal(forged, corpus_file, on_terminal, command):
    arguments = [command[0], forged, *command[1:]]
    arguments += [corpus_file, "--unknown", "skip"] if command == ["evaluate"] else []
    for stream in ("stdout", "stderr"):
        result = on_terminal(*arguments, stream=stream)
        assert result.code == 0
        shown = result.out if stream == "stdout" else result.err
        assert shown.replace("\r\n", "").replace("\n", "").replace("\t", "").isprintable()


def test_text_from_a_model_cannot_imitate_a_line_of_output(forged, model_file, cli):
    """A line break in a name could produce such a line. That of a selected setting is moved up."""
    lines = cli("info", forged).out.splitlines()
    assert len(lines) == len(cli("info", model_file).out.splitlines())
    assert not any(line.startswith("../") for line in lines)


def test_errors_about_forged_files_are_escaped(forged, cli):
    tensors = load_file(forged)
    tensors[NASTY] = tensors.pop("head.bias")
    rewrite(forged, tensors=tensors)
    result = cli("info", forged)
    assert (result.code, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.rstrip("\n").isprintable()


AUDITED = """
import sys
import charrnn, charrnn.training.trainer, charrnn.inference.sampling, charrnn.inference.evaluate
from charrnn import Trainer, evaluate, generate, load
model, corpus = sys.argv[1], charrnn.read(sys.argv[2])
load(model), Trainer.resume(corpus, model)  # import and compile everything now
opened = set()
def hook(event, arguments):
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.symlink", "os.listdir",
                 "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect",
                 "import", "exec", "compile", "ctypes.dlopen", "pickle.find_class"):
        opened.add((event, str(arguments[0])))
sys.addaudithook(hook)
checkpoint = load(model)
generate(checkpoint, length=20)
evaluate(checkpoint, corpus, unknown="skip")
Trainer.resume(corpus, model)
for event in sorted(opened):
    print(*event)
"""


def test_a_model_cannot_make_us_open_other_files(process, model_file, corpus_file, tmp_path):
    """Python's audit events list what is opened, started or imported while a model is used."""
    path = tmp_path / "model.safetensors"

    def change(document):
        record = document["training"] if document["kind"] == "model" else document
        record["selection"] = {"stated": ["/etc/passwd"], "selected": ["/tmp/evil"]}
        document["version"] = "/etc/passwd"

    for source, target in (
        (model_file, path),
        (resume_path(model_file), resume_path(path)),
    ):
        shutil.copy(source, target)
        rewrite(target, change)
    load(path)
    result = process(path, corpus_file, script=("-c", AUDITED))
    assert result.code == 0, result.err
    touched = {line.split(" ", 1)[1] for line in result.out.splitlines()}
    own = {str(path), str(resume_path(path)), str(tmp_path / ".model.safetensors.lock")}
    temporary = rf"{tmp_path}/\.model\.(resume\.)?safetensors\.charrnn-[0-9a-f]{{12}}\.tmp"
    own |= {name for name in touched if re.fullmatch(temporary, name)}
    system = {name for name in touched if name.startswith(("/proc/", "/sys/"))}
    assert touched - system <= own
