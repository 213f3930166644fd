"""Parts of compiled code: they compute what they would by themselves, and have no machine code."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit, types

from autoenc.engines import simd
from autoenc.engines.linking import INNER, object_code


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


@njit(**INNER)
def added(a, b):
    return a + b


@njit(**INNER)
def plain(n, factor):
    total = added(n, 1) * factor
    for i in range(added(n, 2)):
        total += added(total, i)
    return total


def test_an_object_file_has_one_name_that_can_be_called_and_computes_alike():
    code = object_code(plain, (types.int64, types.float64), "entry_of_this_test")
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address("entry_of_this_test")
    entry = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_double)(address)
    assert entry(3, 0.5) == 90
    assert b"_ZN" not in code


def test_a_part_is_compiled_once_for_all_numbers_that_are_written_out():
    object_code(plain, (types.int64, types.float64), "entry_of_this_test")
    assert {*added.overloads} == {(types.int64, types.int64), (types.float64, types.int64)}


def test_numbers_need_no_linear_algebra_which_numba_has_afterwards():
    code = """
import sys
import numpy as np
from numba import njit, types
from autoenc.engines.linking import INNER, object_code

half = njit(**INNER)(lambda a: a / 2)
object_code(half, (types.float64,), "half")
assert "scipy.linalg" not in sys.modules
assert njit(lambda a: np.dot(a, a))(np.eye(2)).sum() == 2
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
