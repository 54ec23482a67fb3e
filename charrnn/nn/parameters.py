"""One flat vector of parameters, with named views into it.

Gradients have the same layout, so clipping is one dot product, an optimizer a few ufuncs over one
array, and a checkpoint a handful of tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Shapes = Mapping[str, tuple[int, ...]]


class Parameters(Mapping[str, Array]):
    """Named arrays, all views of `flat` (P,), which is zero unless given."""

    def __init__(
        self, shapes: Shapes, dtype: DTypeLike = np.float32, flat: Array | None = None
    ) -> None:
        self.shapes = dict(shapes)
        self.flat: Array = np.zeros(count(shapes), dtype) if flat is None else flat
        self._views: dict[str, Array] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            self._views[name] = self.flat[start:stop].reshape(shape)
            start = stop

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied or pickled, the views must be those of the copy's vector.
        return Parameters, (self.shapes, self.flat.dtype, self.flat)

    def __repr__(self) -> str:
        return f"<Parameters {len(self)} arrays, {self.flat.size:,} numbers, {self.flat.dtype}>"

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


def count(shapes: Shapes) -> int:
    """Return the total number of elements of arrays of these shapes."""
    return sum(int(np.prod(shape, dtype=object)) for shape in shapes.values())
