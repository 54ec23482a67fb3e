"""The matrix products of one time step, cut into blocks.

A step multiplies few rows (a batch) by square matrices. OpenBLAS rearranges both operands before
it multiplies, which such thin products don't repay. Its kernels for AVX-512 multiply without that
if the product is small enough, so that many small products are 1.2 to 2 times as fast as one large.

How a product is cut follows from its size and from the kernels that OpenBLAS reports, never from
measured time: one machine always computes the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.nn.blas import kernels
from charrnn.nn.parameters import Array

SMALL_KERNELS = ("SkylakeX", "Cooperlake", "SapphireRapids")  # they multiply without rearranging
SMALL = 1_000_000  # rows x inner size x columns, up to which they do
PLAIN_KERNELS = ("Haswell", "Zen")  # blocks only keep matrices of 256, 512, ... columns off one set
WIDTH = 64  # columns of a block, where that divides
WIDEST, NARROWEST = 128, 16  # and otherwise
MOST_PARTS = 4  # of a batch


@dataclass(frozen=True)
class Blocks:
    """How products of G matrices are cut: (G, rows, inner) by (G, inner, columns).

    The rows fall into `parts`, the columns into blocks of `width`; all blocks are one stacked
    product, `np.matmul(blocks.rows(x), blocks.pack(W), out=blocks.out(y))`. `rows` and `out` are
    views, to be made once per array. The first axis of x is G, or 1 if all matrices share it.
    """

    parts: int
    width: int

    def pack(self, W: Array, scale: Array | None = None) -> Array:
        """Copy `W` (G, inner, columns), times `scale` (G,) if given, block after block."""
        G, K, N = W.shape
        cut = W.reshape(G, K, N // self.width, self.width).swapaxes(1, 2)[:, :, None]
        # A whole matrix stays as it lies in memory; blocks are made contiguous.
        packed = np.empty_like(cut, order="K" if self.width == N else "C", subok=False)
        if scale is None:
            np.copyto(packed, cut)
        else:
            np.multiply(cut, scale[:, None, None, None, None], out=packed)
        return packed

    def rows(self, x: Array) -> Array:
        """Return a view of `x` (G or 1, rows, inner) for the product."""
        G, B, K = x.shape
        return x.reshape(G, 1, self.parts, B // self.parts, K)

    def out(self, y: Array) -> Array:
        """Return a view of `y` (G, rows, columns) to write the product to."""
        G, B, N = y.shape
        cut = y.reshape(G, self.parts, B // self.parts, N // self.width, self.width)
        return cut.transpose(0, 3, 1, 2, 4)


def blocks_for(rows: int, inner: int, columns: int) -> Blocks:
    """Return how to cut products of these sizes; the whole matrix where cutting gains nothing."""
    if rows > 1 and kernels() in SMALL_KERNELS:
        for width in _widths(columns):
            if parts := _parts(rows, inner, width):
                return Blocks(parts, width)
    if rows > 1 and kernels() in PLAIN_KERNELS and columns % WIDTH == 0:
        return Blocks(1, WIDTH)
    return Blocks(1, columns)


def narrowed(blocks: Blocks, rows: int, inner: int) -> Blocks:
    """Return blocks for fewer rows that fit matrices packed for `blocks`."""
    return Blocks(_parts(rows, inner, blocks.width) or 1, blocks.width)


def _widths(columns: int) -> list[int]:
    if columns % WIDTH == 0:
        return [WIDTH, WIDTH // 2]
    return [width for width in range(WIDEST, NARROWEST - 1, -1) if columns % width == 0][:1]


def _parts(rows: int, inner: int, width: int) -> int | None:
    """Return into how many equal parts the rows must fall for a block to be small."""
    for parts in range(1, MOST_PARTS + 1):
        if rows % parts == 0 and rows // parts * inner * width <= SMALL:
            return parts
    return None
