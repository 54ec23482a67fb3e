"""A file is read only if every bit is as it was written, and is what it says."""

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

# ---- what is written -----------------------------------------------------------------------------


def test_the_one_metadata_entry_is_canonical_json(path):
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


def test_the_same_model_is_the_same_bytes(tmp_path, path):
    make_checkpoint().save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_model_is_the_same_bytes_in_another_process(process, tmp_path, path, hash_seed):
    code = "from tests.checkpoints.models import make_checkpoint; make_checkpoint().save('other')"
    assert process(script=("-c", code), env={"PYTHONHASHSEED": hash_seed}).code == 0
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
        ((name, read),) = reader.tensors({"values": values.shape})
    assert name == "values"
    np.testing.assert_array_equal(read, values)


# ---- files of another kind -----------------------------------------------------------------------


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
        (3, "written by a newer charrnn .*: upgrade"),
        (10**30, "upgrade"),
        (0, "no format"),
        (True, "no format"),
        (1.0, "no format"),
        (None, "no format"),
    ],
)
def test_formats_that_there_are_not_are_refused(path, format, named):
    rewrite(path, lambda document: document.update(format=format))
    assert_refused(path, named)


# ---- descriptions --------------------------------------------------------------------------------


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
def test_a_description_that_does_not_match_the_digest_is_refused(path, change):
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
def test_a_description_that_is_none_is_refused(path, text):
    rewrite(path, metadata={"charrnn": text})
    assert_refused(path)


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 400, "9" * 5000], ids=lambda n: n[:9]
)
@pytest.mark.parametrize("place", ["dropout", "seed", "valid"])
def test_numbers_that_json_lacks_are_refused(path, number, place):
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
def test_a_description_that_is_deeply_nested_is_refused(path, depth):
    rewrite(path, metadata={"charrnn": nested(depth)})
    assert_refused(path)


@pytest.mark.parametrize("part", ["[]", '{"a":1}', "1"])
def test_a_description_that_would_take_too_much_memory_is_not_parsed(path, monkeypatch, part):
    """No more than twice the file and SPARE."""
    text = canonical_json(document_of(path))
    monkeypatch.setattr("charrnn.checkpoints.container.SPARE", 1 << 20)
    monkeypatch.setattr("charrnn.checkpoints.container.json.loads", None)
    count = (1 << 20) // 16
    long = text.replace('"step":[', '"step":[' + f"{part}," * count)
    path.write_bytes(save(load_file(path), {"charrnn": long}))
    assert_refused(path, "would take .* of memory")


def test_a_part_that_is_deeply_nested_is_refused(path):
    text = canonical_json(document_of(path))
    tensors = load_file(path)
    # Near the recursion limit there are depths that can be read and not be written again.
    for depth in [*range(sys.getrecursionlimit() - 100, sys.getrecursionlimit()), 100_000]:
        for place, deeper in (
            ('"step":[', f'"step":[{nested(depth)},'),
            ('"version":', f'"added_later":{nested(depth)},"version":'),
        ):
            path.write_bytes(save(tensors, {"charrnn": text.replace(place, deeper)}))
            assert_refused(path)


# ---- damage --------------------------------------------------------------------------------------


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
