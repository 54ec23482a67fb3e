"""Files are written whole or not at all, and read only if every bit is as it was written."""

import errno
import json
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save, save_file

from charrnn.checkpoints.atomic import temporary_path, write_atomically
from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.container import Reader, canonical_json, digest, write
from charrnn.checkpoints.lock import lock_path
from charrnn.checkpoints.output import Output, resume_path
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import CheckpointError
from charrnn.inference.evaluate import evaluate
from charrnn.inference.sampling import generate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.text.corpus import Corpus
from charrnn.text.tokenizer import Tokenizer
from tests.helpers import ROOT

CONFIG = ModelConfig("gru", 5, 2, 3, 0.25)
TRAINING = TrainingRecord(TrainConfig(seed=7, learning_rate=0.004))
HISTORY = [HistoryEntry(10, 2.5, 2.75)]


def make_checkpoint(config=CONFIG, alphabet="\n aé🎶\0", seed=0):
    parameters = Parameters(config.shapes(len(alphabet)))
    parameters.flat[:] = np.random.default_rng(seed).normal(0, 1, parameters.flat.shape)
    return Checkpoint(config, Tokenizer(alphabet), parameters, TRAINING, HISTORY)


def assert_same(one, other):
    assert (one.config, one.training, one.history) == (other.config, other.training, other.history)
    assert one.tokenizer.alphabet == other.tokenizer.alphabet
    assert one.parameters.shapes == other.parameters.shapes
    assert one.parameters.flat.dtype == other.parameters.flat.dtype
    assert one.parameters.flat.tobytes() == other.parameters.flat.tobytes()


@pytest.fixture
def path(tmp_path):
    """A model file of `make_checkpoint()`."""
    make_checkpoint().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def assert_refused(path, match=None):
    with pytest.raises(CheckpointError, match=match) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# ---- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_a_model_comes_back_as_it_was(tmp_path, cell, embedding_size):
    original = make_checkpoint(ModelConfig(cell, 5, 2, embedding_size, 0.25))
    digest = original.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_same(loaded, original)
    assert len(digest) == 64
    assert loaded.save(tmp_path / "again") == digest


def test_a_loaded_model_can_be_used(path):
    model = load(path).model()
    logits, _ = model.logits(np.zeros((4, 2), np.uint8), model.zero_state(2))
    assert logits.shape == (4, 6, 2)
    assert model.gradients is None


@pytest.mark.parametrize("number", [0.0, -0.0, 1e-45, 3.4e38])
def test_every_bit_of_a_number_is_kept(tmp_path, number):
    original = make_checkpoint()
    original.parameters.flat[:] = number
    original.save(tmp_path / "model")
    assert_same(load(tmp_path / "model"), original)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [3, 0], ids=["embedding", "onehot"])
def test_weights_of_any_size_are_no_warning(tmp_path, cell, embedding_size):
    """All that is multiplied overflows: what such a model writes is of no use, but it is text."""
    wild = make_checkpoint(ModelConfig(cell, 5, 2, embedding_size, 0.25))
    wild.parameters.flat[:] = np.where(wild.parameters.flat > 0, 3.4e38, -3.4e38)
    wild.save(tmp_path / "model")
    text = generate(load(tmp_path / "model"), length=9, seed=1, top_p=0.9)[0]
    assert len(text) == 9
    evaluate(load(tmp_path / "model"), Corpus.from_texts("\n aé" * 9))


def test_tensors_are_named_and_shaped_as_the_configuration_says(path):
    tensors = load_file(path)
    assert {name: values.shape for name, values in tensors.items()} == CONFIG.shapes(6)
    assert {values.dtype for values in tensors.values()} == {np.dtype(np.float32)}


def test_the_one_metadata_entry_is_canonical_json(path):
    with safe_open(path, framework="np") as file:
        ((key, text),) = file.metadata().items()
    document = json.loads(text)
    assert key == "charrnn"
    assert text == json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert set(document) == {
        *("format", "kind", "config", "vocabulary", "training", "history", "digest")
    }
    assert (document["format"], document["kind"]) == (1, "model")
    assert document["vocabulary"] == "\n aé🎶\0"
    assert document["training"] == TRAINING.document()
    assert document["history"] == [{"step": 10, "train": 2.5, "valid": 2.75}]


def test_the_same_model_is_the_same_bytes(tmp_path, path):
    make_checkpoint().save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_model_is_the_same_bytes_in_another_process(tmp_path, path, hash_seed):
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.checkpoints.test_checkpoint import make_checkpoint
make_checkpoint().save({str(tmp_path / "other")!r})
"""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "layout",
    [np.asfortranarray, lambda a: a.T, lambda a: a[:, ::2], lambda a: a[::-1]],
    ids=["Fortran", "transposed", "strided", "reversed"],
)
def test_arrays_of_any_layout_are_written_right(tmp_path, layout):
    values = layout(np.arange(24, dtype=np.float32).reshape(4, 6))
    write(tmp_path / "file", "model", {"values": values}, {})
    np.testing.assert_array_equal(load_file(tmp_path / "file")["values"], values)
    with Reader(tmp_path / "file", "model") as reader:
        reader.expect({"values": values.shape}, np.float32)
        reader.verify({"values": reader.tensor("values")})


def test_the_resume_file_lies_beside_the_model():
    assert resume_path("runs/a.safetensors") == Path("runs/a.resume.safetensors")
    assert resume_path("runs/a.b") == Path("runs/a.b.resume.safetensors")


# ---- how it is written ---------------------------------------------------------------------------


@pytest.fixture
def umask():
    """Set the umask to 027 while the test runs."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    write_atomically(tmp_path / "new", b"data")
    assert mode(tmp_path / "new") == 0o640


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("permissions", [0o600, 0o664, 0o444])
def test_a_file_keeps_its_mode(tmp_path, permissions):
    file = tmp_path / "old"
    file.write_bytes(b"old")
    file.chmod(permissions)
    write_atomically(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", permissions)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "model", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert set(tmp_path.rglob("*")) == {tmp_path / "disk", target, link}


def test_a_link_to_nowhere_is_filled(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_data_are_on_the_disk_before_they_get_the_name(tmp_path, monkeypatch):
    order = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: order.append("fsync") or fsync(handle))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: order.append("replace") or rename(self, to)
    )
    write_atomically(tmp_path / "file", b"data")
    assert order == ["fsync", "replace", "fsync"]


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


fdopen = os.fdopen


@contextmanager
def full_disk(handle, mode):
    with fdopen(handle, mode) as file:
        yield SimpleNamespace(write=lambda data: (file.write(data[: len(data) // 2]), no_space()))


FAILURES = {
    "open": (os, "open", no_space),
    "write": (os, "fdopen", full_disk),
    "fsync": (os, "fsync", no_space),
    "replace": (Path, "replace", no_space),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("existing", [b"old", None], ids=["old file", "no file"])
def test_a_failed_write_leaves_everything_as_it_was(tmp_path, monkeypatch, failure, existing):
    file = tmp_path / "model"
    if existing is not None:
        file.write_bytes(existing)
    with monkeypatch.context() as patch:
        patch.setattr(*FAILURES[failure])
        with pytest.raises(CheckpointError, match="No space left on device") as caught:
            make_checkpoint().save(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    left = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert left == ({} if existing is None else {"model": existing})
    make_checkpoint().save(file)
    assert_same(load(file), make_checkpoint())


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    (tmp_path / "model").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "model", b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_what_a_killed_write_left_is_no_obstacle(tmp_path):
    file = tmp_path / "model"
    temporary_path(file).write_bytes(b"half")
    write_atomically(file, b"whole")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
    temporary_path(file).write_bytes(b"half")
    Output(file)  # as at the start of a run
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_missing_folder_is_an_error_of_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"missing/model cannot be written: No such file"):
        make_checkpoint().save(tmp_path / "missing" / "model")


def test_check_writable_leaves_nothing_behind(tmp_path):
    Output(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_bytes(b"old")
    temporary_path(tmp_path / "old").write_bytes(b"half")
    Output(tmp_path / "old")
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_check_writable_refuses_what_would_fail_later(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is a folder"):
        Output(tmp_path)
    for missing in ("missing/model", "file/model"):
        with pytest.raises(CheckpointError, match="does not exist"):
            Output(tmp_path / missing)
    with pytest.raises(CheckpointError, match="name too long"):
        Output(tmp_path / ("x" * 300))
    monkeypatch.setattr(Path, "touch", lambda *_, **__: no_space())
    with pytest.raises(CheckpointError, match="No space left"):
        Output(tmp_path / "model")


# ---- what is refused -----------------------------------------------------------------------------


def rewrite(path, tensors=None, metadata=None, change=None, sign=False):
    """Write the model file anew with other tensors, metadata, or a changed description.

    With `sign`, its digest is made right again: whoever forges a file can do that too.
    """
    with safe_open(path, framework="np") as file:
        document = json.loads(file.metadata()["charrnn"])
    tensors = load_file(path) if tensors is None else tensors
    if change:
        change(document)
    if sign:
        document["digest"] = digest(tensors, document)
    if metadata is None:
        metadata = {"charrnn": canonical_json(document)}
    path.write_bytes(save(tensors, metadata))


def test_a_file_written_anew_is_still_the_model(path):
    rewrite(path, sign=True)
    assert_same(load(path), make_checkpoint())


def test_what_is_no_file_is_refused(tmp_path):
    assert_refused(tmp_path / "missing", "does not exist")
    assert_refused(tmp_path, "is not a file")
    assert_refused(tmp_path / "missing" / "model", "does not exist")
    assert_refused(tmp_path / ("x" * 300), "cannot be read")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "is not a file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert_refused(tmp_path / "loop", "cannot be read")
    (tmp_path / "file").write_bytes(b"")
    assert_refused(tmp_path / "file" / "model", "cannot be read")


HEADER = b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'


STRANGE_DATA = {
    "nothing": b"",
    "7 zeros": b"\0" * 7,
    "8 zeros": b"\0" * 8,
    "ones": b"\xff" * 100,
    "a text": b"Once upon a time there was a fox.\n" * 30,
    "a text in UTF-8": "þ".encode() * 500,
    "random": np.random.default_rng(0).bytes(4000),
    "huge header": (2**60).to_bytes(8, "little") + b"{}",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "no tensors": (2).to_bytes(8, "little") + b"{}",
    "unclaimed bytes": (2).to_bytes(8, "little") + b"{}" + b"\0" * 100,
    "no data": len(HEADER).to_bytes(8, "little") + HEADER,
    "too few data": len(HEADER).to_bytes(8, "little") + HEADER + bytes(15),
    "foreign": len(HEADER).to_bytes(8, "little") + HEADER + bytes(16),
    "a zip": b"PK\x03\x04" + bytes(200),
}


@pytest.mark.parametrize("data", STRANGE_DATA.values(), ids=STRANGE_DATA)
def test_data_of_another_kind_are_refused(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    assert_refused(tmp_path / "file")


def test_a_truncated_or_lengthened_file_is_refused(path):
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        assert_refused(path)
    path.write_bytes(data + b"\0")
    assert_refused(path)


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other", {"format": "pt"})
    assert_refused(tmp_path / "other", "was not written by charrnn")
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other")
    assert_refused(tmp_path / "other", "was not written by charrnn")


def test_the_kinds_of_files_are_told_apart(tmp_path):
    write(tmp_path / "resume", "resume", {"x": np.ones(3, np.float32)}, {})
    assert_refused(tmp_path / "resume", "is a resume file; give the model beside it")


@pytest.mark.parametrize(
    ("format", "named"),
    [
        (2, "has format 2, .*upgrade"),
        (10**30, "upgrade"),
        (0, "no format"),
        (True, "no format"),
        (1.0, "no format"),
        (None, "no format"),
    ],
)
def test_formats_other_than_one_are_refused(path, format, named):
    rewrite(path, change=lambda document: document.update(format=format), sign=True)
    assert_refused(path, named)


TENSOR_CHANGES = {
    "missing": (lambda t: t.pop("head.bias"), r"head\.bias"),
    "extra": (lambda t: t.update(spare=np.ones(2, np.float32)), "spare"),
    "none": (lambda t: t.clear(), "missing"),
    "shape": (lambda t: t.update({"head.bias": np.ones(7, np.float32)}), r"head\.bias .*\[7\]"),
    "rank": (lambda t: t.update({"head.bias": np.ones((6, 1), np.float32)}), r"head\.bias"),
    "transposed": (lambda t: t.update({"head.weight": t["head.weight"].T.copy()}), "head.weight"),
    "float64": (lambda t: t.update({"head.bias": np.ones(6)}), "F64"),
    "float16": (lambda t: t.update({"head.bias": np.ones(6, np.float16)}), "F16"),
    "integers": (lambda t: t.update({"head.bias": np.ones(6, np.int32)}), "I32"),
    "NaN": (lambda t: t["head.bias"].__setitem__(3, np.nan), r"head\.bias .*not finite"),
    "infinite": (lambda t: t["head.bias"].__setitem__(3, np.inf), r"head\.bias .*not finite"),
}


@pytest.mark.parametrize("change", TENSOR_CHANGES)
def test_tensors_unlike_the_configuration_are_refused(path, change):
    tensors = {name: values.copy() for name, values in load_file(path).items()}
    apply, named = TENSOR_CHANGES[change]
    apply(tensors)
    rewrite(path, tensors, sign=True)
    assert_refused(path, named)


def test_a_finite_number_that_was_changed_is_refused(path):
    tensors = {name: values.copy() for name, values in load_file(path).items()}
    tensors["head.bias"][0] += 1
    rewrite(path, tensors)
    assert_refused(path, "digest")


CONFIG_CHANGES = [
    ("hidden_size", True),
    ("hidden_size", 5.0),
    ("hidden_size", "5"),
    ("hidden_size", None),
    ("hidden_size", 0),
    ("hidden_size", -5),
    ("hidden_size", 6),
    ("hidden_size", 10**18),
    ("hidden_size", 10**400),
    ("num_layers", 1),
    ("num_layers", 10**9),
    ("embedding_size", -1),
    ("embedding_size", [3]),
    ("cell", "lstm"),
    ("cell", "elman"),
    ("cell", 1),
    ("dropout", True),
    ("dropout", "0"),
    ("dropout", 1),
    ("dropout", -0.5),
    ("dropout", 10**400),
    ("unknown", 1),
]


@pytest.mark.parametrize(("name", "value"), CONFIG_CHANGES, ids=lambda part: str(part)[:20])
def test_a_configuration_of_wrong_types_or_values_is_refused(path, name, value):
    rewrite(path, change=lambda document: document["config"].update({name: value}), sign=True)
    assert_refused(path, "damaged")


DESCRIPTION_CHANGES = {
    "config gone": lambda d: d.pop("config"),
    "config a list": lambda d: d.update(config=[]),
    "config field gone": lambda d: d["config"].pop("cell"),
    "vocabulary gone": lambda d: d.pop("vocabulary"),
    "vocabulary a list": lambda d: d.update(vocabulary=list("\n aé🎶\0")),
    "vocabulary empty": lambda d: d.update(vocabulary=""),
    "vocabulary shorter": lambda d: d.update(vocabulary="\n aé🎶"),
    "character twice over": lambda d: d.update(vocabulary="\n aéaé"),
    "lone surrogate": lambda d: d.update(vocabulary="\n aé\ud83c\0"),
    "training gone": lambda d: d.pop("training"),
    "transposed in no way": lambda d: d["training"].update(transpose="up"),
    "transposed as a list": lambda d: d["training"].update(transpose=["tonic"]),
    "titles a number": lambda d: d["training"].update(keep_titles=1),
    "training a list": lambda d: d.update(training=[]),
    "history gone": lambda d: d.pop("history"),
    "history an object": lambda d: d.update(history={}),
    "documents a list": lambda d: d["training"].update(documents=["whole"]),
    "documents an object": lambda d: d["training"].update(documents={}),
    "a loss without end": lambda d: d["history"][0].update(train=10**400),
    "kind gone": lambda d: d.pop("kind"),
    "kind a list": lambda d: d.update(kind=["model"]),
}


@pytest.mark.parametrize("change", DESCRIPTION_CHANGES)
def test_a_description_out_of_order_is_refused(path, change):
    rewrite(path, change=DESCRIPTION_CHANGES[change], sign=True)
    assert_refused(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(digest=None),
        lambda d: d.pop("digest"),
        lambda d: d.update(digest=d["digest"].upper()),
        lambda d: d.update(vocabulary="\n aé🎶\1"),
        lambda d: d["training"].update(seed=8),
        lambda d: d["history"].clear(),
        lambda d: d.update(more=1),
    ],
)
def test_a_description_that_does_not_match_the_digest_is_refused(path, change):
    rewrite(path, change=change)
    assert_refused(path, "digest")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "1",
        '"model"',
        "{",
        "{}",
        '{"format":1e999}',
        '{"format":NaN}',
        '{"format":1,"kind":"model"}',
        '{"format":' + "9" * 5000 + "}",
    ],
    ids=lambda text: text[:20],
)
def test_a_description_that_is_none_is_refused(path, text):
    rewrite(path, metadata={"charrnn": text})
    assert_refused(path)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 400, "9" * 5000], ids=lambda n: n[:9]
)
@pytest.mark.parametrize("place", ["dropout", "seed", "valid"])
def test_numbers_that_json_lacks_are_refused(path, number, place):
    with safe_open(path, framework="np") as file:
        text = file.metadata()["charrnn"]
    old = {"dropout": "0.25", "seed": "7", "valid": "2.75"}[place]
    assert f'"{place}":{old}' in text
    rewrite(path, metadata={"charrnn": text.replace(f'"{place}":{old}', f'"{place}":{number}')})
    assert_refused(path, "damaged")


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [100, 1000, 10_000, 100_000])
def test_a_description_that_is_deeply_nested_is_refused(path, depth):
    rewrite(path, metadata={"charrnn": nested(depth)})
    assert_refused(path)


def test_a_part_that_is_deeply_nested_is_refused(path):
    with safe_open(path, framework="np") as file:
        text = file.metadata()["charrnn"]
    tensors = load_file(path)
    # Near the recursion limit there are depths that can be read and not be written again.
    for depth in [*range(sys.getrecursionlimit() - 100, sys.getrecursionlimit()), 100_000]:
        deep = text.replace('"history":[', f'"history":[{nested(depth)},')
        path.write_bytes(save(tensors, {"charrnn": deep}))
        assert_refused(path)


def test_a_flipped_bit_anywhere_is_refused(path):
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    tensors_begin = 8 + int.from_bytes(good[:8], "little")
    places = [
        *rng.integers(tensors_begin, len(good), 50),
        *rng.integers(good.index(b"charrnn"), good.rindex(b"}"), 50),
    ]
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = load(path)
        except CheckpointError:
            continue
        assert place < tensors_begin  # such as a space between two of the header's parts
        assert_same(loaded, make_checkpoint())


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data)))
        length = int(rng.integers(1, 40))
        piece = bytes(data[at : at + length])
        kind = rng.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + length] = rng.bytes(len(piece))
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = piece
        else:
            other = int(rng.integers(len(data)))
            data[other : other + length] = piece
    return bytes(data)


def test_a_mutated_file_is_the_very_same_model_or_refused(path):
    good = path.read_bytes()
    header_end = 8 + int.from_bytes(good[:8], "little")
    rng = np.random.default_rng(1)
    refused = 0
    for n in range(300):
        # Two of three mutations go to the header, where more can go wrong.
        head = mutate(good[:header_end], rng) if n % 3 else good[:header_end]
        tail = good[header_end:] if n % 3 else mutate(good[header_end:], rng)
        path.write_bytes(head + tail)
        try:
            loaded = load(path)
        except CheckpointError:
            refused += 1
        else:
            assert_same(loaded, make_checkpoint())
    assert refused > 250


def test_checking_does_not_write_through_a_link(tmp_path):
    """Anyone may lay such a link in a shared folder: the file that it points to is not ours."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    temporary_path(tmp_path / "model").symlink_to(victim)
    Output(tmp_path / "model")
    lock_path(tmp_path / "model").symlink_to(victim)
    with pytest.raises(CheckpointError, match="cannot be written to"):
        Output(tmp_path / "model")
    assert victim.read_text() == "precious"
