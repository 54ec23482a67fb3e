"""Models from PyTorch: a state dict, and the alphabet that its ids stand for.

Everything but the alphabet follows from names and shapes. What the modules are called is free:

    RNN.weight_ih_l0, RNN.weight_hh_l0, RNN.bias_ih_l0, RNN.bias_hh_l0, ...   nn.RNN, LSTM or GRU
    HEAD.weight (V, H), HEAD.bias (V,)                                        nn.Linear
    EMBEDDING.weight (V, E), without a bias; one-hot input needs none         nn.Embedding
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.checkpoints.container import open_tensors
from charrnn.checkpoints.records import StoredReading, TrainConfig, TrainingRecord
from charrnn.errors import (
    CheckpointError,
    ConfigError,
    CorpusError,
    counted,
    require,
    require_type,
)
from charrnn.nn.cells import CELLS
from charrnn.nn.model import QUIET, ModelConfig
from charrnn.nn.parameters import Array, Parameters, Shapes
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Reading
from charrnn.text.formats import opened, read_text
from charrnn.text.loading import read
from charrnn.text.plain import PLAIN_TEXT
from charrnn.text.tokenizer import Tokenizer

TORCH_CELLS = ("rnn", "lstm", "gru")
MAX_ALPHABET = 0x110000  # all code points
MENTIONED = 8  # tensors in an error

Get = Callable[[str], Any]  # returns a tensor, or an array, by its name


def from_torch(
    source: str | Path | Mapping[str, Any],
    corpus: Corpus | str | Path | Sequence[str | Path] | None = None,
    *,
    alphabet: str | None = None,
    encoding: str = "utf-8",
) -> Checkpoint:
    """Return the model in a PyTorch state dict: a safetensors file, or the dict itself.

    It must consist of an nn.RNN (with tanh), nn.LSTM or nn.GRU, an nn.Linear head and, unless the
    input is one-hot, an nn.Embedding, whatever these are called. The alphabet is that of `corpus`,
    a Corpus or files and folders, sorted by code point; or `alphabet`, the characters in the order
    of their ids. One more newline at its end, as text files have it, is ignored.

    Raises CheckpointError for a file that cannot be read, for tensors that don't match (it lists
    what was expected and what was found) and for an alphabet of another size; CorpusError for a
    corpus that cannot be read; ConfigError unless one of `corpus` and `alphabet` is given.
    """
    hint = "pass model.state_dict()"
    require_type(source, (str, Path, Mapping), "source", "a file or a state dict", hint)
    require((corpus is None) != (alphabet is None), "pass either a corpus or `alphabet`")
    with _state_dict(source) as (name, shapes, get):
        config, parameters = _model(name, shapes, get)
    reading: Reading = PLAIN_TEXT
    if corpus is not None:
        texts = corpus if isinstance(corpus, Corpus) else read(corpus, encoding)
        reading, alphabet = texts.reading, "".join(sorted(texts.characters()))
    require_type(alphabet, str, "alphabet", "a string")
    assert alphabet is not None
    size = len(parameters["head.bias"])
    if len(alphabet) == size + 1:
        alphabet = alphabet.removesuffix("\n")
    if len(alphabet) != size:
        given = "`alphabet`" if corpus is None else "the corpus"
        raise CheckpointError(
            f"{name} has an alphabet of {counted(size, 'character')}, but {given} has one of "
            f"{len(alphabet):,}; use `alphabet` to list the model's characters"
        )
    record = TrainingRecord(
        TrainConfig(documents=reading.documents, valid_fraction=0.0),
        reading=StoredReading(reading.documents, asdict(reading)),
    )
    return Checkpoint(config, Tokenizer(alphabet), parameters, record)


def read_alphabet(path: str | Path, encoding: str = "utf-8") -> str:
    """Return the text of a file, exactly as it is, as the alphabet for `from_torch`; raises
    CorpusError for a file that cannot be read or that is too long.
    """
    text = ""
    with opened(path) as file:
        for piece in read_text(file, str(path), encoding):
            text += piece
            if len(text) > MAX_ALPHABET + 1:
                raise CorpusError(
                    f"{path} is too long for an alphabet, which lists each character once"
                )
    return text


@contextmanager
def _state_dict(source: str | Path | Mapping[str, Any]) -> Iterator[tuple[str, Shapes, Get]]:
    """Open a state dict: its name in errors, the shapes of its tensors, and what returns one."""
    if isinstance(source, Mapping):
        for name, tensor in source.items():
            if not hasattr(tensor, "shape"):
                raise TypeError(f"{name} must be a tensor, got {tensor!r:.60}")
        shapes = {name: tuple(tensor.shape) for name, tensor in source.items()}
        yield "the state dict", shapes, source.__getitem__
        return
    remedy = "save one in PyTorch with safetensors.torch.save_file(model.state_dict(), PATH)"
    tensors, _ = open_tensors(source, "safetensors file", remedy)
    with tensors as file:
        if "charrnn" in (file.metadata() or {}):
            raise CheckpointError(f"{source} is a charrnn model and needs no import")
        names = file.keys()
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        yield str(source), shapes, file.get_tensor


def _model(source: str, shapes: Shapes, get: Get) -> tuple[ModelConfig, Parameters]:
    """Return the configuration and weights of a state dict, whose shapes are checked first."""
    modules = _modules(source, shapes)

    def theirs(name: str) -> str:
        module, _, rest = name.partition(".")
        return modules[module] + rest

    def sizes(name: str) -> tuple[int, ...]:  # of what is no matrix, some that match nothing
        return (*shapes[theirs(name)], 0, 0)[:2]

    rows, H = sizes("rnn.weight_hh_l0")
    V, _ = sizes("head.weight")
    E = sizes("embedding.weight")[1] if "embedding" in modules else 0
    L = next(n for n in count(1) if theirs(f"rnn.weight_hh_l{n}") not in shapes)
    cell = next((name for name in TORCH_CELLS if CELLS[name].gates * H == rows), "rnn")
    try:
        config = ModelConfig(cell, H, L, E, dropout=0.0)
        expected = config.shapes(V)
    except ConfigError as error:
        raise CheckpointError(f"{source} cannot be imported: {error}") from None
    wanted = {theirs(name): shape for name, shape in expected.items()}
    if wanted != shapes:
        raise CheckpointError(
            f"{source} does not match {config.describe()} with an alphabet of {V:,}: expected "
            f"{_listed(wanted, shapes)}; found {_listed(shapes, wanted)}"
        )
    parameters = Parameters(expected)
    for name, values in parameters.items():
        values[...] = _numbers(source, theirs(name), get)
    return config, parameters


def _modules(source: str, shapes: Shapes) -> dict[str, str]:
    """Return the prefixes of the names in a state dict by ours: rnn, head and embedding."""
    kinds: dict[str, set[str]] = {}
    for name in shapes:
        module, dot, kind = name.rpartition(".")
        kinds.setdefault(module + dot, set()).add(kind)
    recurrent = [module for module, its in kinds.items() if "weight_hh_l0" in its]
    heads = [module for module, its in kinds.items() if its == {"weight", "bias"}]
    tables = [module for module, its in kinds.items() if its == {"weight"}]
    if len(recurrent) != 1 or len(heads) != 1 or len(tables) > 1:
        raise CheckpointError(
            f"{source} is not a character model: expected one nn.RNN, nn.LSTM or nn.GRU, one "
            f"nn.Linear with a bias and at most one nn.Embedding; found {_listed(shapes)}"
        )
    found = {"rnn": recurrent, "head": heads, "embedding": tables}
    return {module: names[0] for module, names in found.items() if names}


def _listed(shapes: Shapes, others: Shapes | None = None) -> str:
    """Return names and shapes for an error, those that `others` has, too, omitted."""
    listed = [
        f"{name!r:.60} {list(shape)}"
        for name, shape in sorted(shapes.items())
        if others is None or others.get(name) != shape
    ]
    more = [f"{len(listed) - MENTIONED:,} more"] if len(listed) > MENTIONED else []
    return ", ".join([*listed[:MENTIONED], *more]) or "nothing else"


@QUIET
def _numbers(source: str, name: str, get: Get) -> Array:
    """Return a tensor as an array of float32."""
    try:
        tensor = get(name)
        values = tensor.numpy(force=True) if hasattr(tensor, "numpy") else np.asarray(tensor)
    except (TypeError, AttributeError):  # NumPy has no such type: bfloat16, float8
        values = np.empty(0, np.void)
    if values.dtype.kind != "f":
        raise CheckpointError(
            f"{name!r:.60} in {source} must be float16, float32 or float64; save "
            "model.float().state_dict()"
        )
    numbers: Array = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise CheckpointError(f"{name!r:.60} in {source} has numbers that are not finite")
    return numbers
