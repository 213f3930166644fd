"""Functions of single numbers for compiled code.

Those of Python mean the same there, but Numba compiles each of them by itself, from source of its own and in
all its steps, which takes longer than most functions here.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from autoenc.engines.linking import INNER

__all__ = ["largest", "power", "smallest"]

_EXACT = 0x10000
"""From exponents beyond this on, powers are those of the C library."""


def _choice(comparison: str) -> Any:
    @intrinsic
    def choice(typing: Any, a: Any, b: Any) -> Any:
        is_float = isinstance(a, types.Float) or isinstance(b, types.Float)
        kind = types.float64 if is_float else types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            compare = builder.fcmp_ordered if is_float else builder.icmp_signed
            return builder.select(compare(comparison, args[1], args[0]), args[1], args[0])

        return kind(kind, kind), codegen

    return choice


# The smaller and the larger of two numbers, whole or of double precision; the first one of equal ones.
smallest, largest = _choice("<"), _choice(">")


@njit(**INNER)
def power(base, exponent):
    """Return ``base`` to the power of a whole number that is not negative, by squares."""
    if exponent > _EXACT:
        return math.pow(base, np.float64(exponent))
    result = 1.0
    while exponent != 0:
        if exponent & 1:
            result *= base
        exponent >>= 1
        base *= base
    return result
