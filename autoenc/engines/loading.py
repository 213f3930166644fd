"""The compiled pass: loaded from where an earlier process kept it, and compiled only if it is nowhere.

Loading takes LLVM's linker alone. Numba and the kernels, which are written for it, are imported where there
is something to compile.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from autoenc.engines.code_files import kept_code
from autoenc.engines.compiling import compiling
from autoenc.engines.system_calls import offer_mathematics, offer_waiting
from autoenc.system.frames import in_one_piece
from autoenc.system.trouble import require_room

__all__ = ["ENTRY", "N_INTEGERS", "N_NUMBERS", "SOURCES", "compiled_pass"]

ENTRY = "autoenc_run_pass"
"""The name of the pass in compiled code, where C could call it."""

N_INTEGERS, N_NUMBERS = 38, 6
"""Arguments of the pass, see :func:`autoenc.engines.kernels.object_code`: int64, then float64."""

SOURCES = (
    "flat", "hashing", "kernels", "layers", "linking", "loading", "meeting", "norms", "pointwise",
    "randomness", "scalars", "simd", "smooth", "system_calls", "team", "wide",
)  # fmt: skip
"""Modules that compiled code is made of; a change in one of them makes it anew."""

_LOAD_BYTES = 64 * 2**20  # LLVM ends the process where it gets no memory, so that is asked for before

_lock = threading.Lock()
_engines: list[llvm.ExecutionEngine] = []  # their code lives as long as they do


def compiled_pass(dtype: np.dtype) -> Callable[..., float]:
    """Return the pass in a precision, a function of plain numbers that runs without the interpreter's lock.

    Raises:
        MachineError: If there is no memory for it.
    """
    with _lock:
        return _loaded_pass(dtype)


@cache
def _loaded_pass(dtype: np.dtype) -> Callable[..., float]:
    def make() -> bytes:
        with compiling():
            from autoenc.engines.kernels import object_code

            return in_one_piece(lambda: object_code(dtype))

    require_room(_LOAD_BYTES, "loading compiled code")
    code = kept_code(f"pass-{dtype.name}-{_target()}.bin", _sources_digest(), make)
    signature: list[Any] = [*[ctypes.c_int64] * N_INTEGERS, *[ctypes.c_double] * N_NUMBERS]
    return ctypes.CFUNCTYPE(ctypes.c_double, *signature)(_address(code))


def _address(code: bytes) -> int:
    """Link the code into this process, and return the place of its entry."""
    offer_waiting()
    offer_mathematics()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(ENTRY))


def _target() -> str:
    """Return a digest of what else compiled code depends on: the compiler, its settings and the processor."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    settings.pop("NUMBA_CACHE_DIR", None)
    features = llvm.get_host_cpu_features().flatten()
    target = (
        version("numba"), llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(), features,
        sorted(settings.items()),
    )  # fmt: skip
    return hashlib.sha256(repr(target).encode()).hexdigest()[:16]


def _sources_digest() -> bytes:
    files = (Path(__file__).with_name(f"{module}.py") for module in SOURCES)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
