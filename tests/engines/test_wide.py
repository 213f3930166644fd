"""Products in blocks have the bits of products in one go, at every edge of a block."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from autoenc.engines import layers, simd, wide
from autoenc.engines.layers import VECTOR_BYTES

UNTOUCHED = -77.0


@njit(nogil=True)
def in_one_go(width, lanes, depth, p, weight, padded, h, h_in, stride, h_out):
    simd.matmul(width, lanes, depth, p, weight, 1, padded, h, h_in, stride, h, h_out, stride, False)


@njit(nogil=True)
def in_blocks(width, lanes, depth, p, weight, padded, h, h_in, stride, h_out, pack):
    wide.forward_product(width, lanes, depth, p, weight, padded, h, h_in, stride, h_out, pack, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 16, 40])
@pytest.mark.parametrize(
    ("depth", "width"), [(1, 1), (128, 512), (129, 513), (127, 511), (300, 30), (7, 1030), (257, 17)]
)
def test_blocks_change_no_bit(dtype, n_rows, depth, width):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    padded, stride = (-(-n // lanes) * lanes for n in (width, n_rows))
    rng, weight, gap = np.random.default_rng(depth), lanes, 2 * lanes
    p = rng.normal(size=weight + depth * padded).astype(dtype)
    inputs = rng.normal(size=depth * stride).astype(dtype)
    h_out = inputs.size + gap
    h = np.full(h_out + width * stride + gap, UNTOUCHED, dtype)
    h[: inputs.size] = inputs
    expected, found = h.copy(), h.copy()
    shape = (width, stride, depth)
    in_one_go(*shape, p, weight, padded, expected, 0, stride, h_out)
    pack = np.full(layers.PACK_SIZE + gap, UNTOUCHED, dtype)
    in_blocks(*shape, p, weight, padded, found, 0, stride, h_out, pack)
    np.testing.assert_array_equal(found, expected)
    assert (pack[layers.PACK_SIZE :] == UNTOUCHED).all()
    weights, cells = p[weight:].reshape(depth, padded)[:, :width], inputs.reshape(depth, stride)
    outputs = found[h_out : h_out + width * stride].reshape(width, stride)
    np.testing.assert_allclose(outputs, weights.T @ cells, rtol=0, atol=depth * np.finfo(dtype).eps * 20)


@pytest.mark.parametrize(
    ("depth", "padded"), [(10, 16), (1 << 12, 16), (1 << 13, 16), (100, 1 << 14), (9, 1 << 20)]
)
def test_a_band_is_a_whole_small_layer_or_a_few_rows(depth, padded):
    rows = layers.band_rows(depth, padded)
    if depth * padded <= layers.BAND:
        assert rows == depth
    else:
        assert rows % 8 == 0
        assert rows >= 8
        assert rows == 8 or rows * padded <= layers.BAND


@pytest.mark.parametrize("vector", [8, 16])
@pytest.mark.parametrize("n_vectors", [1, 2, 7, 8, 9, 64, 65])
def test_long_rows_lie_an_odd_number_of_vectors_apart(n_vectors, vector):
    size = n_vectors * vector
    stride = layers.row_stride(size, vector)
    assert size <= stride <= size + vector
    assert stride % vector == 0
    assert n_vectors < 8 or stride // vector % 2
