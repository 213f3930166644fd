"""Parts of compiled code: they compute what they would by themselves, and have no machine code."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from autoenc.engines import simd
from autoenc.engines.simd import INNER


@njit(**INNER)
def scaled(a, i, factor):
    simd.outlined()
    return a[i] * factor


@njit(**INNER)
def scaled_sum(a, factor):
    total = a.dtype.type(0)
    for i in range(a.size):
        total += scaled(a, i, factor)
    return total


@njit(nogil=True)
def whole(a, factor):
    return scaled_sum(a, factor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_part_computes_inside_of_another(dtype):
    a = np.arange(7, dtype=dtype)
    assert whole(a, dtype(3)) == 63


def test_a_part_has_no_machine_code_of_its_own_and_what_calls_it_has():
    whole(np.ones(3), 2.0)
    for function, is_part in ((scaled, True), (scaled_sum, True), (whole, False)):
        for result in function.overloads.values():
            address = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
            assert (address == 0) is is_part
