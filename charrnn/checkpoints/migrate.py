"""Migration of files from earlier formats to the current one, step by step.

Each step is one function, from one format to the next. A document that does not follow its format
is passed on unchanged, and the current format's readers reject it. A new field in a settings class
needs no step: a file without it takes the value that reproduces the earlier behavior
(`charrnn.settings.setting`).

Formats: 1, charrnn 0.1; 2, charrnn 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from charrnn.checkpoints.records import TrainConfig
from charrnn.nn.parameters import Array

FORMAT = 2

Document = dict[str, Any]
Shape = tuple[int, ...]


def migrated(document: Document, format: int) -> Document:
    """Return the JSON object of a file in this format, in the current format."""
    for step in range(format, FORMAT):
        document = DOCUMENT_STEPS[step](document)
    return document


def migrated_shape(name: str, shape: Shape, format: int) -> Shape:
    """Return the shape of a tensor of a file in this format, in the current format."""
    for step in range(format, FORMAT):
        shape = SHAPE_STEPS[step](name, shape)
    return shape


def migrated_tensor(name: str, values: Array, format: int) -> Array:
    """Return a tensor of a file in this format, in the current format."""
    for step in range(format, FORMAT):
        values = TENSOR_STEPS[step](name, values)
    return values


def _document_from_1(old: Document) -> Document:
    """Format 2: adds the version, divides the training record, stores the history by column."""
    new = {**old, "format": 2, "version": "0.1.0", "history": _columns(old.get("history"))}
    if old.get("kind") == "model":
        new["training"] = _record_from_1(old.get("training"))
        return new
    new["selection"] = _selection_from_1(new.pop("origin", None))
    new["reading"] = _reading_from_1(new.pop("tunes", None))
    if isinstance(good := old.get("good"), Mapping):
        new["good"] = {**good, "history": _columns(good.get("history"))}
    if isinstance(fingerprint := old.get("fingerprint"), Mapping):
        new["fingerprint"] = {**fingerprint, "bits": "0.1.0"}
    return new


def _record_from_1(old: Any) -> Any:
    if not isinstance(old, Mapping):
        return old
    settings = [field.name for field in fields(TrainConfig)]
    others = ("steps", "characters", "corpus", "valid")
    return {
        "config": {name: old[name] for name in settings if name in old},
        **{name: old[name] for name in others if name in old},
        "selection": _selection_from_1(old),
        "reading": _reading_from_1(old),
    }


def _selection_from_1(old: Any) -> Any:
    """Return the stated and the selected settings; format 1 joined each list into one string."""
    if not isinstance(old, Mapping) or "stated" not in old:
        return None
    kinds = {"stated": "stated", "selected": "chosen"}
    return {
        new: [name for name in str(old.get(kind, "")).split(", ") if name]
        for new, kind in kinds.items()
    }


def _reading_from_1(old: Any) -> Any:
    """Return how files were read; in format 1 only tunes had settings."""
    names = ("transpose", "keep_titles", "keep_irregular")
    known = old if isinstance(old, Mapping) else {}
    settings = {name: known[name] for name in names if name in known}
    return {"documents": "tunes" if settings else "whole", "settings": settings}


def _columns(history: Any) -> Any:
    """Return a list of entries as one list per field."""
    names = ("step", "train", "valid")
    if not isinstance(history, list) or not all(
        isinstance(entry, Mapping) and entry.keys() >= set(names) for entry in history
    ):
        return history
    return {name: [entry[name] for entry in history] for name in names}


def _shape_from_1(name: str, shape: Shape) -> Shape:
    """Format 2: the carried state is (L, S, B, H) instead of (shards, L, S, H, B / shards)."""
    if name.rpartition(".")[2] != "state":
        return shape
    if len(shape) != 5:
        return ()  # matches no state's shape
    shards, L, S, H, width = shape
    return L, S, shards * width, H


def _tensor_from_1(name: str, values: Array) -> Array:
    """Format 2: the carried state, as in `_shape_from_1`."""
    if name.rpartition(".")[2] != "state":
        return values
    shape = _shape_from_1(name, values.shape)
    return np.ascontiguousarray(values.transpose(1, 2, 0, 4, 3).reshape(shape))


DOCUMENT_STEPS: dict[int, Callable[[Document], Document]] = {1: _document_from_1}
SHAPE_STEPS: dict[int, Callable[[str, Shape], Shape]] = {1: _shape_from_1}
TENSOR_STEPS: dict[int, Callable[[str, Array], Array]] = {1: _tensor_from_1}
