"""Damaged and forged files: they load as the same model or raise one CharRNNError, nothing else.

Either random bytes change, or parts of the structure. For half of the latter the digest is
corrected, as a forger can do; such a file may load as another model, which must work. The memory
limit is the memory used before, twice the size of the file, and 64 MB.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import charrnn.cli
from charrnn.checkpoints.checkpoint import Checkpoint, load
from charrnn.checkpoints.container import canonical_json, digest
from charrnn.checkpoints.output import resume_path
from charrnn.checkpoints.records import TrainConfig
from charrnn.errors import CharRNNError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.training.limits import Limits
from charrnn.training.trainer import Trainer

from .batches import in_a_batch
from .row import Outcome, randomness

BATCH = 500
CORPUS = Corpus.from_texts("the cat sat on the mat\n" * 8)
MODELS = [("gru", 3), ("lstm", 0), ("rnn", 2)]  # cell, embedding
JUNK = [
    *(None, True, -1, 0, 1, 2, 0.5, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e308, 1e-320),
    *(float("nan"), float("inf"), "", "a", "\0", "\x1b[2J", "\ud800", "é" * 300, "whole", "gru"),
    *([], {}, [None], [[]], {"a": 1}, [1.5] * 3, "x" * 70_000),
]


@functools.cache
def original(number: int) -> tuple[bytes, bytes, Any, Any]:
    """Return a model file, its resume file, and their content."""
    cell, embedding_size = MODELS[number]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "a.safetensors")
        trainer = Trainer.new(
            CORPUS,
            ModelConfig(cell, 4, 1, embedding_size, 0.1),
            train=TrainConfig(seq_len=4, batch_size=2),
            limits=Limits(max_steps=9, eval_every=3),
            out=out,
        )
        for report in trainer.run():
            if report.step == 6:
                trainer.stop()
        files = out.read_bytes(), resume_path(out).read_bytes()
        return *files, content_of(load(out)), state_of(Trainer.resume(CORPUS, out))


def content_of(model: Checkpoint) -> Any:
    """Return the content of a model file."""
    return model.describe(), model.parameters.flat.tobytes()


def state_of(trainer: Trainer) -> Any:
    """Return the content of a resume file."""
    moments = [
        ({name: v.tobytes() for name, v in moment.tensors.items()}, moment.counters, moment.history)
        for moment in (trainer._snapshot(), trainer._good)
    ]
    settings = trainer.config, trainer.train_config, trainer.limits, trainer.data.tokenizer.alphabet
    return moments, settings


# ---- mutations -------------------------------------------------------------------------------


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    """Change some bytes anywhere."""
    mutable = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at, length = rng.randrange(len(mutable) + 1), rng.choice([1, 1, 2, 8, 100])
        way = rng.randrange(8)
        if way < 3 and at < len(mutable):
            mutable[at] ^= 1 << rng.randrange(8)
        elif way == 3:
            mutable[at : at + length] = rng.randbytes(length)
        elif way == 4:
            del mutable[at : at + length]
        elif way == 5:
            mutable[at:at] = mutable[at : at + length]
        elif way == 6:
            mutable[at : at + length] = bytes(length)
        elif way == 7:
            mutable = mutable[:at] if rng.random() < 0.5 else mutable + rng.randbytes(length)
        if not mutable:
            return b""
    return bytes(mutable)


def change_structure(data: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """Change names, shapes, types, offsets or metadata; also return whether it has a new digest."""
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    document = json.loads(header["__metadata__"]["charrnn"])
    names = [name for name in header if name != "__metadata__"]
    signed = rng.random() < 0.5
    way = rng.randrange(6)
    text = None
    if way < 3:
        change_document(document, rng)
    elif way == 3:
        body = change_header(header, names, body, rng)
    elif way == 4:  # numbers that are not finite, or extreme
        values = np.frombuffer(body, np.uint8).copy()
        wild = rng.choice([np.nan, np.inf, -np.inf, 3e38, 1e-45])
        at = 4 * rng.randrange(len(values) // 4)
        values[at : at + 4] = np.frombuffer(np.float32(wild).tobytes(), np.uint8)
        body = values.tobytes()
    else:  # the JSON itself
        text = change_json(canonical_json(document), rng)
    if signed and text is None:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            document["digest"] = digest(tensors_of(header, body), document)
    if text is None:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    if "__metadata__" in header:
        header["__metadata__"] = {"charrnn": text}
    encoded = json.dumps(header).encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:  # a tensor or the metadata twice
        encoded = encoded[:-1] + b"," + encoded[1:]
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + body, signed


def change_document(document: dict[str, Any], rng: random.Random) -> None:
    """Replace a part of the metadata with junk."""
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.2:
            break
        place = inner
    way = rng.randrange(10)
    if way < 6:
        place[key] = rng.choice(JUNK)
    elif way == 6 and isinstance(place, dict):
        del place[key]
    elif way == 7 and isinstance(place, dict):
        place[rng.choice(["extra", "", "format", "kind", "\ud800"])] = rng.choice(JUNK)
    elif way == 8:
        document["vocabulary"] = rng.choice(
            ["aa", "", "\ud800b", document["vocabulary"] * 2, document["vocabulary"][::-1], "\x1b"]
        )
    else:
        document["format"] = rng.choice([0, 2, 10**9, -1, True, 1.0, "1", None])


def change_header(
    header: dict[str, Any], names: list[str], body: bytes, rng: random.Random
) -> bytes:
    """Change a tensor's entry in the header; return the file's data."""
    name = rng.choice(names)
    tensor = header[name]
    way = rng.randrange(8)
    if way == 0:
        tensor["shape"] = rng.choice(
            [[], [0], tensor["shape"][::-1], [2**40, 2**40], [-1], [2**62]]
        )
    elif way == 1:
        tensor["dtype"] = rng.choice(["F64", "F16", "BF16", "I32", "U8", "BOOL", "X", None, 3])
    elif way == 2:
        tensor["data_offsets"] = rng.choice([[0, 2**63], [8, 0], [0, 0], [-4, 4], [0], "x"])
    elif way == 3:
        header[rng.choice(["../x", "", "\0", "head.bias2", "x" * 5000])] = header.pop(name)
    elif way == 4:
        del header[name]
    elif way == 5:
        other = rng.choice(names)
        header[name], header[other] = header[other], header[name]
    elif way == 6:
        begin, end = tensor["data_offsets"]
        header["extra"] = {
            "dtype": "F32",
            "shape": [(end - begin) // 4],
            "data_offsets": [len(body), len(body) + end - begin],
        }
        body += body[begin:end]
    else:
        header["__metadata__"] = rng.choice([{}, {"charrnn": 3}, None, {"a": "b"}, []])
    return body


def change_json(text: str, rng: random.Random) -> str:
    """Return JSON that is deep, has duplicate keys, or is invalid."""
    deep = rng.choice([100, 1000, 100_000])
    return rng.choice(
        [
            "[" * deep,
            "[" * deep + "]" * deep,
            '{"a":' * deep + "1" + "}" * deep,
            text[:-1] + ',"history":' + "[" * deep + "]" * deep + "}",
            text[:-1] + "," + text[1:],  # every key twice
            text[:-1] + ',"format":99}',
            text.replace(":", ":NaN,", 1),
            text[: rng.randrange(len(text))],
            "1" * deep,
            " " * deep + text,
            '"\\ud800"',
            "null",
        ]
    )


def tensors_of(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the tensors that a header describes."""
    tensors = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            kind = {"F32": "<f4", "F64": "<f8"}[tensor["dtype"]]
            tensors[name] = np.frombuffer(body[begin:end], kind).reshape(tensor["shape"])
    return tensors


# ---- checks ----------------------------------------------------------------------------------


def case(index: int, folder: Path) -> Outcome:
    """Load a batch of files."""
    rng = randomness("mutations", index)

    def attempts() -> Iterator[Callable[[], None]]:
        for _ in range(BATCH):
            yield functools.partial(attempt, rng, folder)

    return loaded_in_a_batch(attempts(), folder)


def flips(index: int, folder: Path) -> Outcome:
    """Flip bits of tensors, one per file."""
    model = index % len(MODELS)
    data = original(model)[0]
    begin = 8 + int.from_bytes(data[:8], "little")
    path = folder / "a.safetensors"

    def flip(bit: int) -> None:
        changed = bytearray(data)
        changed[begin + bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            load(path)
        except CharRNNError:
            return
        raise AssertionError(f"bit {bit} of the tensors of model {model}: not detected")

    bits = 8 * (len(data) - begin)
    first = index // len(MODELS) * BATCH
    chosen = range(first, min(first + BATCH, bits))
    return loaded_in_a_batch((functools.partial(flip, bit) for bit in chosen), folder)


def attempt(rng: random.Random, folder: Path) -> None:
    """Load one file; raises for any violation."""
    model, resume, content, state = original(rng.randrange(len(MODELS)))
    path = folder / "a.safetensors"
    is_resume = rng.random() < 0.25
    data = resume if is_resume else model
    signed = False
    if rng.random() < 0.5:
        data = change_bytes(data, rng)
    else:
        data, signed = change_structure(data, rng)
    path.write_bytes(model)
    (resume_path(path) if is_resume else path).write_bytes(data)
    try:
        if is_resume:
            trainer = Trainer.resume(CORPUS, path)
            if not signed:
                assert state_of(trainer) == state, "another state"
            trainer.output = None
            next(trainer.run(), None)
        else:
            loaded = load(path)
            if not signed:
                assert content_of(loaded) == content, "another model"
    except CharRNNError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a line: {error}") from None
        return
    if not is_resume and signed:
        use(path)


def use(path: Path) -> None:
    """Run `charrnn info` and `charrnn sample` on a model."""
    for arguments in (["info", path], ["sample", path, "-n", "3"]):
        with (
            contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")),
            contextlib.redirect_stderr(io.StringIO()) as told,
        ):
            code = charrnn.cli._run([str(argument) for argument in arguments])
        assert code == 0 or told.getvalue().splitlines()[-1].startswith("charrnn: error"), arguments


def loaded_in_a_batch(attempts: Iterable[Callable[[], None]], folder: Path) -> Outcome:
    """Make the attempts with memory for two files and 64 MB more than the originals take."""
    for number in range(len(MODELS)):
        original(number)
    return in_a_batch(attempts, folder, (64 << 20) + 2 * 100_000)
