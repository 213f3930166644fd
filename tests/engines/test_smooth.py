"""The smooth activations against SciPy, over the whole range of both precisions."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import special

from autoenc.engines import simd, smooth
from autoenc.engines.layers import VECTOR_BYTES

DTYPES = [np.float32, np.float64]
ACTIVATIONS = ["leaky_relu", "elu", "gelu", "silu", "tanh"]
# Below these SciPy, in double precision, or the format itself has fewer digits or none.
LEAST = {np.float32: 2.0**-149, np.float64: 2.0**-1022}


@njit
def apply(name, y, f, s):
    for i in range(0, y.size, VECTOR_BYTES // y.itemsize):
        x = simd.load(y, i)
        if name == 0:
            value, slope = smooth.leaky_relu(x)
        elif name == 1:
            value, slope = smooth.elu(x)
        elif name == 2:
            value, slope = smooth.gelu(x)
        elif name == 3:
            value, slope = smooth.silu(x)
        else:
            value, slope = smooth.tanh(x)
        simd.store(f, i, value)
        simd.store(s, i, slope)


def activated(name: str, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lanes = VECTOR_BYTES // y.itemsize
    padded = np.concatenate([y, np.zeros(-y.size % lanes, y.dtype)])
    f, s = np.empty_like(padded), np.empty_like(padded)
    apply(ACTIVATIONS.index(name), padded, f, s)
    return f[: y.size], s[: y.size]


def expected(name: str, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives in double precision."""
    y = y.astype(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if name == "leaky_relu":
            slope = np.where(y > 0, 1.0, 0.01)
            return y * slope, slope
        if name == "elu":
            below = np.minimum(y, 0)
            return np.where(y > 0, y, np.expm1(below)), np.exp(below)
        if name == "gelu":
            cdf = special.ndtr(y)
            return y * cdf, cdf + y * np.exp(-0.5 * y * y) / np.sqrt(2 * np.pi)
        if name == "silu":
            sigmoid = special.expit(y)
            return y * sigmoid, sigmoid * (1 + y * special.expit(-y))
        return np.tanh(y), 1 - np.tanh(y) ** 2


def whole_range(dtype: type) -> np.ndarray:
    """Finite numbers of every exponent and both signs, subnormal ones among them, in order."""
    bits, step = (np.uint32, 4099) if dtype == np.float32 else (np.uint64, 2**64 // 1_000_003)
    patterns = np.arange(0, 2 ** (8 * np.dtype(dtype).itemsize), step, dtype=np.uint64).astype(bits)
    numbers = patterns.view(dtype)
    return np.unique(numbers[np.isfinite(numbers)])


def usual_range(dtype: type) -> np.ndarray:
    """Where the functions bend and where their tails end."""
    return np.linspace(-112, 20, 1_000_003).astype(dtype)


RANGES = [whole_range, usual_range]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("numbers", RANGES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_are_scipys_up_to_a_few_roundings(name, numbers, dtype):
    y = numbers(dtype)
    found, _ = activated(name, y)
    exact, _ = expected(name, y)
    roundings = np.full(y.size, 5.0)
    if name == "gelu" and dtype == np.float64:
        roundings += 2 * np.square(np.clip(y, -40, 0))  # SciPy's own: exp of a rounded square
    bound = roundings * np.finfo(dtype).eps * np.abs(exact) + LEAST[dtype] * np.maximum(np.abs(y), 1)
    assert (np.abs(found - exact) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("numbers", RANGES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_scipys_up_to_a_few_roundings(name, numbers, dtype):
    y = numbers(dtype)
    _, found = activated(name, y)
    _, exact = expected(name, y)
    assert np.abs(found - exact).max() <= 4 * np.finfo(dtype).eps


# GELU and SiLU fall to a least value and rise from there.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("numbers", RANGES)
@pytest.mark.parametrize(
    ("name", "rises_from"),
    [("leaky_relu", -np.inf), ("elu", -np.inf), ("tanh", -np.inf), ("gelu", -0.75), ("silu", -1.27)],
)
def test_never_falls_where_it_must_rise(name, rises_from, numbers, dtype):
    y = numbers(dtype)
    values, _ = activated(name, y[y >= rises_from])
    assert (np.diff(values) >= 0).all()


LIMITS = {
    "leaky_relu": (np.inf, -np.inf),
    "elu": (np.inf, -1),
    "gelu": (np.inf, np.nan),
    "silu": (np.inf, np.nan),
    "tanh": (1, -1),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_zeros_infinities_and_nan(name, dtype):
    found, slopes = activated(name, np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype))
    np.testing.assert_array_equal(found, np.array([0, 0, *LIMITS[name], np.nan], dtype))
    assert name == "leaky_relu" or np.isnan(slopes[-1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_lane_does_not_depend_on_its_place(name, dtype):
    y = np.random.default_rng(0).normal(scale=4, size=101).astype(dtype)
    values, slopes = activated(name, y)
    for start in (1, 7, 13):
        some_values, some_slopes = activated(name, y[start:])
        np.testing.assert_array_equal(some_values, values[start:])
        np.testing.assert_array_equal(some_slopes, slopes[start:])
