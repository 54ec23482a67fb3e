"""A file is read only if it is intact and of the right kind."""

import json
import os
import sys
from dataclasses import asdict

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save, save_file

import charrnn
from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.container import Reader, canonical_json, write
from charrnn.errors import CheckpointError
from tests.checkpoints.models import TRAINING, assert_refused, assert_same, make_checkpoint
from tests.helpers import document_of, rewrite

# ---- writing -------------------------------------------------------------------------------------


def test_the_only_metadata_entry_is_canonical_json(path):
    with safe_open(path, framework="np") as file:
        ((key, text),) = file.metadata().items()
    document = json.loads(text)
    assert key == "charrnn"
    assert text == json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert set(document) == {
        *("format", "kind", "version", "config", "vocabulary", "training", "history", "digest")
    }
    assert (document["format"], document["kind"]) == (2, "model")
    assert document["version"] == charrnn.__version__
    assert document["vocabulary"] == "\n aé🎶\0"
    assert document["training"] == json.loads(json.dumps(asdict(TRAINING)))
    assert document["history"] == {"step": [10], "train": [2.5], "valid": [2.75]}


def test_equal_models_make_identical_files(tmp_path, path):
    make_checkpoint().save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_equal_models_make_identical_files_in_another_process(process, tmp_path, path, hash_seed):
    code = "from tests.checkpoints.models import make_checkpoint; make_checkpoint().save('other')"
    assert process(script=("-c", code), env={"PYTHONHASHSEED": hash_seed}).code == 0
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "layout",
    [np.asfortranarray, lambda a: a.T, lambda a: a[:, ::2], lambda a: a[::-1]],
    ids=["Fortran", "transposed", "strided", "reversed"],
)
def test_arrays_of_any_memory_layout_are_written_correctly(tmp_path, layout):
    values = layout(np.arange(24, dtype=np.float32).reshape(4, 6))
    write(tmp_path / "file", "model", {"values": values}, {})
    np.testing.assert_array_equal(load_file(tmp_path / "file")["values"], values)
    with Reader(tmp_path / "file", "model") as reader:
        ((name, read),) = reader.tensors({"values": values.shape})
    assert name == "values"
    np.testing.assert_array_equal(read, values)


# ---- files of another kind -----------------------------------------------------------------------


def test_missing_files_folders_and_pipes_are_rejected(tmp_path):
    assert_refused(tmp_path / "missing", "does not exist")
    assert_refused(tmp_path, "is a folder, not a model file")
    assert_refused("", "the path of the model file is empty")
    assert_refused(tmp_path / "missing" / "model", "does not exist")
    assert_refused(tmp_path / ("x" * 300), "cannot read .*file name too long")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "is a pipe, not a model file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert_refused(tmp_path / "loop", "cannot read .*loop: too many levels of symbolic links")
    (tmp_path / "file").write_bytes(b"")
    assert_refused(tmp_path / "file" / "model", "cannot read .*: not a directory")


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
def test_other_data_is_rejected(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    assert_refused(tmp_path / "file")


def test_a_truncated_or_extended_file_is_rejected(path):
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        assert_refused(path)
    path.write_bytes(data + b"\0")
    assert_refused(path)


def test_a_safetensors_file_of_another_program_is_rejected(tmp_path):
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other", {"format": "pt"})
    assert_refused(tmp_path / "other", "was not written by charrnn")
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other")
    assert_refused(tmp_path / "other", "was not written by charrnn")


def test_a_resume_file_is_not_a_model_file(tmp_path):
    write(tmp_path / "resume", "resume", {"x": np.ones(3, np.float32)}, {})
    assert_refused(tmp_path / "resume", "is a resume file, not a model file")


@pytest.mark.parametrize(
    ("format", "named"),
    [
        (3, "written by a newer charrnn .*: upgrade"),
        (10**30, "upgrade"),
        (0, "format number is missing"),
        (True, "format number is missing"),
        (1.0, "format number is missing"),
        (None, "format number is missing"),
    ],
)
def test_unknown_format_numbers_are_rejected(path, format, named):
    rewrite(path, lambda document: document.update(format=format))
    assert_refused(path, named)


# ---- metadata ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(digest=None),
        lambda d: d.pop("digest"),
        lambda d: d.update(digest=d["digest"].upper()),
        lambda d: d.update(vocabulary="\n aé🎶\1"),
        lambda d: d["training"]["config"].update(seed=8),
        lambda d: d["history"]["step"].reverse() or d["history"]["train"].__setitem__(0, 9.0),
    ],
)
def test_metadata_that_does_not_match_the_digest_is_rejected(path, change):
    rewrite(path, change, sign=False)
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
def test_metadata_that_cannot_be_parsed_is_rejected(path, text):
    rewrite(path, metadata={"charrnn": text})
    assert_refused(path)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 400, "9" * 5000], ids=lambda n: n[:9]
)
@pytest.mark.parametrize("place", ["dropout", "seed", "valid"])
def test_non_json_numbers_are_rejected(path, number, place):
    text = canonical_json(document_of(path))
    old = {"dropout": "0.25", "seed": "7", "valid": "[2.75]"}[place]
    assert f'"{place}":{old}' in text
    rewrite(
        path,
        metadata={
            "charrnn": text.replace(
                f'"{place}":{old}', f'"{place}":{old.replace(old.strip("[]"), number)}'
            )
        },
    )
    assert_refused(path, "damaged")


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [100, 1000, 10_000, 100_000])
def test_deeply_nested_metadata_is_rejected(path, depth):
    rewrite(path, metadata={"charrnn": nested(depth)})
    assert_refused(path)


@pytest.mark.parametrize("part", ["[]", '{"a":1}', "1"])
def test_metadata_that_would_take_too_much_memory_is_not_parsed(path, monkeypatch, part):
    """The limit is twice the size of the file plus SPARE."""
    text = canonical_json(document_of(path))
    monkeypatch.setattr("charrnn.checkpoints.container.SPARE", 1 << 20)
    monkeypatch.setattr("charrnn.checkpoints.container.json.loads", None)
    count = (1 << 20) // 16
    long = text.replace('"step":[', '"step":[' + f"{part}," * count)
    path.write_bytes(save(load_file(path), {"charrnn": long}))
    assert_refused(path, "would take .* of memory")


def test_deeply_nested_parts_of_metadata_are_rejected(path):
    text = canonical_json(document_of(path))
    tensors = load_file(path)
    # Near the recursion limit, some depths can be parsed but not serialized again.
    for depth in [*range(sys.getrecursionlimit() - 100, sys.getrecursionlimit()), 100_000]:
        for place, deeper in (
            ('"step":[', f'"step":[{nested(depth)},'),
            ('"version":', f'"added_later":{nested(depth)},"version":'),
        ):
            path.write_bytes(save(tensors, {"charrnn": text.replace(place, deeper)}))
            assert_refused(path)


# ---- damage --------------------------------------------------------------------------------------


def test_any_flipped_bit_is_rejected(path):
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
        assert place < tensors_begin  # for example, a space between parts of the header
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


def test_a_mutated_file_is_rejected_or_holds_the_same_model(path):
    good = path.read_bytes()
    header_end = 8 + int.from_bytes(good[:8], "little")
    rng = np.random.default_rng(1)
    refused = 0
    for n in range(300):
        # Two thirds of the mutations change the header, where more can go wrong.
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
