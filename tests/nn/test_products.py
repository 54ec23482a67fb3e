"""Products in blocks equal whole products, whatever the kernels; how they are cut is a rule."""

import numpy as np
import pytest

from charrnn.nn import products
from charrnn.nn.products import Blocks, blocks_for, narrowed

G = 3
KERNELS = ("SkylakeX", "Haswell", "")


@pytest.fixture
def kernels(monkeypatch):
    """Set the kernels that OpenBLAS reports."""
    return lambda name: monkeypatch.setattr(products, "kernels", lambda: name)


def product(blocks, x, W, scale=None):
    y = np.full((G, x.shape[1], W.shape[2]), np.nan)
    np.matmul(blocks.rows(x), blocks.pack(W, scale), out=blocks.out(y))
    return y


@pytest.mark.parametrize(
    "blocks", [Blocks(1, 12), Blocks(1, 4), Blocks(2, 12), Blocks(3, 3)], ids=str
)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_blocks_equal_the_whole_product(blocks, shared, transposed):
    rng = np.random.default_rng(0)
    x, W, scale = rng.normal(0, 1, (1 if shared else G, 6, 5)), rng.normal(0, 1, (G, 5, 12)), None
    if transposed:
        W = W.transpose(0, 2, 1).copy().transpose(0, 2, 1)
    np.testing.assert_allclose(product(blocks, x, W), x @ W, rtol=0, atol=1e-14)
    scale = np.array([0.5, 1, 2])
    expected = scale[:, None, None] * (x @ W)
    np.testing.assert_allclose(product(blocks, x, W, scale), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("rows", [1, 2, 7, 16, 50, 100])
@pytest.mark.parametrize("size", [1, 8, 64, 100, 127, 131, 384, 1024])
def test_every_size_is_cut_evenly(kernels, name, rows, size):
    kernels(name)
    blocks = blocks_for(rows, size, size)
    assert rows % blocks.parts == 0
    assert size % blocks.width == 0


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        (25, 128, Blocks(1, 64)),
        (32, 512, Blocks(2, 64)),
        (37, 512, Blocks(1, 32)),
        (16, 1024, Blocks(2, 64)),
        (25, 100, Blocks(1, 100)),
        (16, 300, Blocks(1, 100)),
        (25, 131, Blocks(1, 131)),
        (1, 128, Blocks(1, 128)),
    ],
)
def test_blocks_are_small_where_there_are_kernels_for_small_products(kernels, rows, size, expected):
    kernels("SkylakeX")
    assert blocks_for(rows, size, size) == expected


def test_other_kernels_get_whole_matrices_or_plain_blocks(kernels):
    kernels("Haswell")
    assert blocks_for(64, 512, 512) == Blocks(1, 64)
    assert blocks_for(64, 500, 500) == Blocks(1, 500)
    kernels("")
    assert blocks_for(64, 512, 512) == Blocks(1, 512)


@pytest.mark.parametrize("rows", [1, 7, 30, 31])
def test_fewer_rows_fit_the_packed_matrices(rows):
    before = Blocks(2, 64)
    after = narrowed(before, rows, 512)
    assert after.width == before.width
    assert rows % after.parts == 0
