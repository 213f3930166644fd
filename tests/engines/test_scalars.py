"""Functions of single numbers have the bits of those that Python and Numba have."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from autoenc.engines import scalars


@njit
def own(a, b):
    return scalars.smallest(a, b), scalars.largest(a, b)


@njit
def own_power(base, exponent):
    return scalars.power(base, exponent)


@njit(error_model="numpy")
def numbas_power(base, exponent):
    return base**exponent


@pytest.mark.parametrize(
    ("a", "b"), [(3, 5), (5, 3), (-4, -4), (2**62, -(2**62)), (1.5, 2), (2, 1.5), (0.0, 1), (-0.0, 0.0)]
)
def test_the_smallest_and_the_largest_are_pythons(a, b):
    smallest, largest = own(a, b)
    assert (smallest, largest) == (min(a, b), max(a, b))
    if isinstance(a, type(b)):
        assert isinstance(smallest, type(a))
    assert np.signbit(smallest) == np.signbit(min(a, b))


@pytest.mark.parametrize("base", [0.9, 0.999, 1.0, 2.5])
def test_a_power_has_numbas_bits(base):
    exponents = [*range(200), 0xFFFF, 0x10000, 0x10001, 10**6]
    assert [own_power(base, n) for n in exponents] == [numbas_power(base, n) for n in exponents]
