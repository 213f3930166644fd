"""What compiled code calls of the system: how a thread waits without a core, and functions of mathematics."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import llvmlite.binding as llvm

__all__ = ["FUTEX", "IS_X86", "SYSTEM_CALL", "YIELD", "offer_mathematics", "offer_waiting"]

_MACHINE = platform.machine().lower()
IS_X86 = _MACHINE in ("x86_64", "amd64")
FUTEX = {"x86_64": 202, "aarch64": 98}.get(_MACHINE) if sys.platform == "linux" else None
"""The number of the system call that lets a thread sleep until a word of memory changes.

Where there is none, threads that wait let others run, and look again.
"""
SYSTEM_CALL, YIELD = "autoenc_system_call", "autoenc_yield_core"
"""By these names compiled code calls what lets a thread wait."""

_MATHEMATICS = ("cos", "exp", "fma", "fmaf", "log", "pow", "sqrt")


def offer_waiting() -> None:
    """Tell the linker of compiled code where the functions are by which threads wait."""
    if sys.platform == "win32":
        _offer(YIELD, ctypes.windll.kernel32.SwitchToThread)
    else:
        _offer(YIELD, ctypes.CDLL(None).sched_yield)
    if FUTEX is not None:
        _offer(SYSTEM_CALL, ctypes.CDLL(None).syscall)


def offer_mathematics() -> None:
    """Tell it where the C library's functions are that LLVM has no instructions for; Numba does so itself."""
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    for name in _MATHEMATICS:
        _offer(name, getattr(library, name))


def _offer(name: str, function: Any) -> None:
    llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
