"""Weights as bytes, exact or rounded to save space; docs/engine.md describes the layout.

To add a format, write a function below, list it in WEIGHTS, and add its reader to WEIGHTS of
web/engine.js.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.errors import ConfigError
from charrnn.nn.model import QUIET
from charrnn.nn.parameters import Array, Parameters

Encoded = tuple[bytes, Array]  # a tensor's bytes, and the values that they stand for


def as_f32(values: Array) -> Encoded:
    """Store each number in four bytes, exactly."""
    return values.astype("<f4").tobytes(), values


@QUIET
def as_f16(values: Array) -> Encoded:
    """Round each number to a half-precision float of two bytes; raises ConfigError above 65,504."""
    halves = values.astype("<f2")
    if not np.isfinite(halves).all():
        raise ConfigError(
            f"`weights='f16'` holds numbers up to 65,504 and the model has "
            f"{np.abs(values).max():g}; pass `weights='f32'`"
        )
    return halves.tobytes(), halves.astype(np.float32)


def as_i8(values: Array) -> Encoded:
    """Round each row of a matrix to whole numbers from -127 to 127 times a scale of its own: the
    rows' scales as f32, then a byte for each number. A vector is stored as f32.
    """
    if values.ndim == 1:
        return as_f32(values)
    scales = np.abs(values).max(axis=1, keepdims=True).astype("<f4") / np.float32(127)
    # Clipped, since the scale of a row of subnormal numbers is inexact.
    whole = np.round(values / np.where(scales, scales, 1)).clip(-127, 127).astype(np.int8)
    return scales.tobytes() + whole.tobytes(), (scales * whole).astype(np.float32)


@dataclass(frozen=True)
class Weights:
    """A format of weights, and about how many bytes it takes for each number."""

    encode: Callable[[Array], Encoded]
    bytes_each: int


WEIGHTS = {"f32": Weights(as_f32, 4), "f16": Weights(as_f16, 2), "i8": Weights(as_i8, 1)}


def pack(parameters: Parameters, format: str) -> tuple[bytes, Parameters]:
    """Return all tensors as bytes, each from a multiple of 4 on, and what they stand for."""
    rounded = Parameters(parameters.shapes)
    parts = []
    for name, values in parameters.items():
        data, rounded[name][...] = WEIGHTS[format].encode(values)
        parts.append(data + bytes(-len(data) % 4))
    return b"".join(parts), rounded
