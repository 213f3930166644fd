"""The SIMD building blocks, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from autoenc.engines import simd
from autoenc.engines.layers import VECTOR_BYTES
from autoenc.engines.randomness import row_hash

DTYPES = [np.float32, np.float64]
UNTOUCHED = -77.0


def lanes_of(dtype) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


@njit(nogil=True)
def matmul(m, n, depth, a, a_at, a_row, a_col, b, b_at, b_row, c, c_at, c_row):
    simd.matmul(m, n, depth, a, a_at, a_row, a_col, b, b_at, b_row, c, c_at, c_row, False)


@njit
def arithmetic(a, b, c, out):
    lanes = VECTOR_BYTES // a.itemsize
    x, y, z = simd.load(a, 0), simd.load(b, 0), simd.load(c, 0)
    simd.store(out, 0, x + y)
    simd.store(out, lanes, x - y)
    simd.store(out, 2 * lanes, x * y)
    simd.store(out, 3 * lanes, x / y)
    simd.store(out, 4 * lanes, simd.fma(x, y, z))
    simd.store(out, 5 * lanes, simd.sqrt(x * x))
    simd.store(out, 6 * lanes, simd.where_positive(x, y))
    simd.store(out, 7 * lanes, simd.where_nonzero(x, y))
    simd.store(out, 8 * lanes, simd.splat(a, 0.1))


@njit
def total(a, at):
    return simd.total(simd.load(a, at))


@njit
def transpose(source, at, source_stride, target, to, target_stride):
    simd.transpose_block(source, at, source_stride, target, to, target_stride)


@njit
def drop(a, key, row, threshold, scale):
    simd.store(a, 0, simd.drop(simd.load(a, 0), key, row, threshold, simd.splat(a, scale)))


def product(a, b, dtype, transposed=False, gap=0):
    """``a @ b`` by the kernel, and whether it wrote only where it may."""
    (m, depth), n, lanes = a.shape, b.shape[1], lanes_of(dtype)
    room = -(-n // lanes) * lanes
    right = np.zeros((depth, room + gap * lanes), dtype)
    right[:, :n] = b
    left = np.ascontiguousarray(a.T if transposed else a, dtype=dtype)
    strides = (1, m) if transposed else (depth, 1)
    out = np.full((m + 1, room + (gap + 1) * lanes), UNTOUCHED, dtype)
    at = 3
    flat = np.full(at + out.size, UNTOUCHED, dtype)
    matmul(
        m, n, depth,
        np.concatenate([np.full(5, np.nan, dtype), left.ravel()]), 5, *strides,
        np.concatenate([np.full(7, np.nan, dtype), right.ravel()]), 7, right.shape[1],
        flat, at, out.shape[1],
    )  # fmt: skip
    out = flat[at:].reshape(out.shape)
    clean = (
        (flat[:at] == UNTOUCHED).all() and (out[m] == UNTOUCHED).all() and (out[:m, room:] == UNTOUCHED).all()
    )
    return out[:m, :n], clean


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 99),
)
def test_matmul_of_small_integers_is_exact(dtype, m, n, depth, transposed, gap, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-9, 10, (m, depth)), rng.integers(-9, 10, (depth, n))
    found, clean = product(a.astype(dtype), b.astype(dtype), dtype, transposed, gap)
    np.testing.assert_array_equal(found, a @ b)
    assert clean


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("m", "n", "depth"),
    [
        (1, 1, 1),
        (7, 1, 33),
        (1, 33, 7),
        (9, 17, 1),
        (65, 129, 127),
        (3, 8, 5),
        (3, 16, 5),
        (3, 24, 5),
        (9, 48, 5),
    ],
)
def test_matmul_of_reals_is_numpys_up_to_rounding(dtype, m, n, depth):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, depth)).astype(dtype), rng.normal(size=(depth, n)).astype(dtype)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = (depth + 1) * np.finfo(dtype).eps * (np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64))
    found, clean = product(a, b, dtype)
    assert (np.abs(found - exact) <= bound).all()
    assert clean


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_of_a_product_does_not_depend_on_the_others(dtype):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(37, 29)).astype(dtype), rng.normal(size=(29, 53)).astype(dtype)
    whole, _ = product(a, b, dtype)
    for rows, columns in (
        (slice(0, 1), slice(0, 1)),
        (slice(36, 37), slice(50, 53)),
        (slice(3, 20), slice(7, 30)),
    ):
        part, _ = product(a[rows], b[:, columns], dtype)
        np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.mark.parametrize("dtype", DTYPES)
def test_lanewise_operations_are_numpys(dtype):
    lanes, rng = lanes_of(dtype), np.random.default_rng(2)
    a, b, c = (rng.normal(size=lanes).astype(dtype) for _ in range(3))
    a[:3] = [0, -0.0, np.nan]
    out = np.zeros(9 * lanes, dtype)
    arithmetic(a, b, c, out)
    added, subtracted, multiplied, divided, fused, root, positive, nonzero, constant = out.reshape(9, lanes)
    np.testing.assert_array_equal(added, a + b)
    np.testing.assert_array_equal(subtracted, a - b)
    np.testing.assert_array_equal(multiplied, a * b)
    np.testing.assert_array_equal(divided, a / b)
    np.testing.assert_allclose(fused, a * b + c, rtol=1e-5 if dtype == np.float32 else 1e-13)
    np.testing.assert_array_equal(root, np.sqrt(a * a))
    np.testing.assert_array_equal(positive, np.where((a > 0) | np.isnan(a), b, 0))
    np.testing.assert_array_equal(nonzero, np.where(a != 0, b, 0))
    np.testing.assert_array_equal(constant, np.full(lanes, 0.1, dtype))


def test_fma_rounds_once():
    x = np.float64(1 + 2**-30)
    a = np.full(8, x)
    out = np.zeros(9 * 8)
    arithmetic(a, a, np.full(8, -(x * x)), out)
    # The exact square is 1 + 2^-29 + 2^-60; its double loses the last term, which a fused result still shows.
    assert (out[4 * 8 : 5 * 8] == 2.0**-60).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_total_adds_every_lane_once(dtype):
    lanes = lanes_of(dtype)
    a = np.arange(2 * lanes).astype(dtype)
    for at in (0, 1, lanes):
        assert total(a, at) == a[at : at + lanes].sum()
    powers = 2.0 ** np.arange(lanes).astype(dtype)
    assert total(powers.astype(dtype), 0) == 2**lanes - 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("at", "source_gap", "to", "target_gap"), [(0, 0, 0, 0), (3, 5, 0, 0), (0, 0, 7, 2), (1, 1, 2, 3)]
)
def test_transpose_block(dtype, at, source_gap, to, target_gap):
    lanes = lanes_of(dtype)
    source_stride, target_stride = lanes + source_gap, lanes + target_gap
    source = np.arange(at + lanes * source_stride).astype(dtype)
    target = np.full(to + lanes * target_stride, UNTOUCHED, dtype)
    transpose(source, at, source_stride, target, to, target_stride)
    block = source[at:].reshape(lanes, source_stride)[:, :lanes]
    written = target[to:].reshape(lanes, target_stride)
    np.testing.assert_array_equal(written[:, :lanes], block.T)
    assert (written[:, lanes:] == UNTOUCHED).all()
    assert (target[:to] == UNTOUCHED).all()


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**20), st.integers(0, 7), st.integers(0, 1))
def test_drop_keeps_the_lanes_that_the_row_hash_keeps(dtype, key, row, lane, above):
    lanes = lanes_of(dtype)
    hashes = row_hash(np.full(lanes, key, np.uint32), np.arange(row, row + lanes).astype(np.uint32))
    # A threshold at a lane's hash keeps it, one above drops it: every bit of the hash has a say.
    threshold = min(int(hashes[lane]) + above, 2**32 - 1)
    values = np.arange(1, lanes + 1).astype(dtype)
    found = values.copy()
    drop(found, np.uint32(key), row, np.uint32(threshold), 1.25)
    np.testing.assert_array_equal(found, np.where(hashes >= threshold, values * dtype(1.25), 0))
