"""Smooth activations with their derivatives, a SIMD vector at a time and without branches.

Everything is built from ``exp`` and ``expm1`` of arguments that are not positive, which cannot overflow:
``x = n ln 2 + r`` with ``|r| <= ln(2) / 2``, a polynomial in ``r``, and ``n`` added to the exponent.
NaN stays NaN, so a training that diverges is noticed. A negative infinity becomes NaN under GELU and SiLU,
as it does in PyTorch.

The formulas are written in Python's operators on :class:`_Lanes`, which emit LLVM instructions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from autoenc.engines import simd

__all__ = ["elu", "gelu", "leaky_relu", "silu", "tanh"]

Pair = tuple["_Lanes", "_Lanes"]


@dataclass(frozen=True)
class _Precision:
    """What the formulas need to know of a floating-point format.

    Attributes:
        integer: The integer type of the same width.
        n_mantissa_bits: Stored bits of the mantissa; the exponent stands above them.
        bias: What is added to a stored exponent.
        ln2: ln 2 as a sum of two numbers of this format.
        least: exp of this rounds to 0.
        exp: Coefficients of a polynomial q, lowest power first: expm1(r) = r + r^2 q(r).
        slope: The variable of ``tail`` is t = 1 / (1 + slope a).
        tail: Coefficients of a polynomial u: the normal distribution's upper tail is exp(-a^2 / 2) t u(t).
        farthest: From this ``a`` on, that tail is 0.
    """

    integer: ir.IntType
    n_mantissa_bits: int
    bias: int
    ln2: tuple[float, float]
    least: float
    exp: tuple[float, ...]
    slope: float
    tail: tuple[float, ...]
    farthest: float


# The form of the tail is that of Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, whose
# five coefficients leave an absolute error of 1.5e-7 in erf. All coefficients here were fitted anew, with 40
# and more digits: in single precision to the least largest relative error (Lawson's algorithm), in double at
# Chebyshev's nodes. Largest relative errors without rounding: expm1 1.4e-8 and 6e-19, tail 3.3e-8, 1.5e-17.
_SINGLE = _Precision(
    integer=ir.IntType(32),
    n_mantissa_bits=23,
    bias=127,
    ln2=(0.693147182464599609375, -1.904654299957768e-09),
    least=-104.5,
    exp=(0.49999997, 0.16666542, 0.0416672081, 0.00836678781, 0.00138824712),
    slope=0.35,
    tail=(
        0.139621258, 0.139864326, 0.11981561, 0.105574302, -0.0232625529, 0.159390897, -0.255899966,
        0.144059822, -0.0291637145,
    ),
    farthest=15.0,
)  # fmt: skip
_DOUBLE = _Precision(
    integer=ir.IntType(64),
    n_mantissa_bits=52,
    bias=1023,
    ln2=(math.log(2), 2.3190468138462996e-17),
    least=-746.0,
    exp=(
        0.5, 0.1666666666666667, 0.04166666666666668, 0.0083333333333259, 0.0013888888888878754,
        0.00019841269875639234, 2.4801587337292248e-05, 2.755725436631356e-06, 2.7557262373212537e-07,
        2.5105645493593358e-08, 2.0918471474879367e-09,
    ),
    slope=0.22,
    tail=(
        0.08776730168539375, 0.08776730189142895, 0.08351935777716818, 0.07502361734913005,
        0.06289475105176599, 0.048388971983712184, 0.03302345007588209, 0.01984452527597978,
        0.004484183915218439, 0.012770709420288033, -0.03839639221763605, 0.07740990144266824,
        -0.1433846167962914, 0.18432429799789105, -0.15260997806245113, 0.030997435668804012,
        0.12914812064870906, -0.21875648849128648, 0.18998694327592777, -0.10316635702906571,
        0.03543230672923747, -0.007109329454362299, 0.0006399858618879749,
    ),
    farthest=39.0,
)  # fmt: skip


class _Lanes:
    """An LLVM vector under Python's operators; plain numbers stand for themselves in every lane."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value, self.vector = builder, value, value.type
        self.precision = _SINGLE if isinstance(value.type.element, ir.FloatType) else _DOUBLE

    def of(self, number: _Lanes | float) -> _Lanes:
        """Return a number in every lane."""
        if isinstance(number, _Lanes):
            return number
        return _Lanes(self.builder, simd.constant(self.vector, number))

    def _do(self, instruction: str, left: _Lanes | float, right: _Lanes | float) -> _Lanes:
        return _Lanes(
            self.builder, getattr(self.builder, instruction)(self.of(left).value, self.of(right).value)
        )

    def __add__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fadd", self, other)

    def __sub__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fsub", self, other)

    def __rsub__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fsub", other, self)

    def __mul__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fmul", self, other)

    def __truediv__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fdiv", self, other)

    def __rtruediv__(self, other: _Lanes | float) -> _Lanes:
        return self._do("fdiv", other, self)

    def __neg__(self) -> _Lanes:
        return _Lanes(self.builder, self.builder.fneg(self.value))

    def __abs__(self) -> _Lanes:
        return self._call("fabs")

    def _call(self, name: str, *args: _Lanes | float) -> _Lanes:
        values = (self.of(arg).value for arg in (self, *args))
        return _Lanes(self.builder, simd.call(self.builder, name, self.vector, *values))

    def times_plus(self, factor: _Lanes | float, term: _Lanes | float) -> _Lanes:
        """``self * factor + term``, rounded once."""
        return self._call("fma", factor, term)

    def with_sign_of(self, other: _Lanes) -> _Lanes:
        return self._call("copysign", other)

    def polynomial(self, coefficients: tuple[float, ...]) -> _Lanes:
        """Return the polynomial with these coefficients, lowest power first (Horner)."""
        result = self.of(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            result = result.times_plus(self, coefficient)
        return result

    def choose(self, comparison: str, bound: float, yes: _Lanes | float, no: _Lanes | float) -> _Lanes:
        """``yes`` where ``self comparison bound`` holds, else, and where ``self`` is NaN, ``no``."""
        holds = self.builder.fcmp_ordered(comparison, self.value, self.of(bound).value)
        return _Lanes(self.builder, self.builder.select(holds, self.of(yes).value, self.of(no).value))


def _split(x: _Lanes, rest: _Lanes | None) -> tuple[_Lanes, _Lanes, _Lanes]:
    """``p``, ``a`` and ``b`` with ``exp(x + rest) = (1 + p) a b``, for ``x`` not above 0.

    ``a`` and ``b`` are powers of 2 of about the same size, so that a subnormal result is rounded once.
    """
    about, builder = x.precision, x.builder
    x = x.choose("<", about.least, about.least, x)
    # Added to a number whose last bit stands for 1, x / ln 2 is rounded, and its integer is in the last bits.
    shift = 1.5 * 2.0**about.n_mantissa_bits
    shifted = x.times_plus(1 / math.log(2), shift)
    n = shifted - shift
    r = (-n).times_plus(about.ln2[1], (-n).times_plus(about.ln2[0], x))
    if rest is not None:
        r = r + rest
    p = (r * r).times_plus(r.polynomial(about.exp), r)

    integers = ir.VectorType(about.integer, x.vector.count)

    def every(number: int) -> ir.Constant:
        return ir.Constant(integers, [ir.Constant(about.integer, number)] * integers.count)

    def power(exponent: Any) -> _Lanes:
        stored = builder.shl(builder.add(exponent, every(about.bias)), every(about.n_mantissa_bits))
        return _Lanes(builder, builder.bitcast(stored, x.vector))

    whole = builder.sub(
        builder.bitcast(shifted.value, integers), builder.bitcast(x.of(shift).value, integers)
    )
    half = builder.ashr(whole, every(1))
    return p, power(half), power(builder.sub(whole, half))


def _exp(x: _Lanes, rest: _Lanes | None = None) -> _Lanes:
    """``exp(x + rest)`` for ``x`` not above 0 and a tiny ``rest``."""
    p, a, b = _split(x, rest)
    return (p + 1.0) * a * b


def _leaky_relu(y: _Lanes) -> Pair:
    slope = y.choose(">", 0.0, 1.0, 0.01)
    return y * slope, slope


def _elu(y: _Lanes) -> Pair:
    p, a, b = _split(y.choose(">", 0.0, 0.0, y), None)
    power = a * b
    value = p.times_plus(power, power - 1.0)  # expm1, exact to rounding near 0, where power is 1
    return y.choose(">", 0.0, y, value), (p + 1.0) * a * b


def _tanh(y: _Lanes) -> Pair:
    p, a, b = _split(abs(y) * -2.0, None)
    power = a * b
    value = p.times_plus(power, power - 1.0)
    result = (value / (value + 2.0)).with_sign_of(y)
    return result, (-result).times_plus(result, 1.0)


def _silu(y: _Lanes) -> Pair:
    small = _exp(-abs(y))
    large = 1.0 / (small + 1.0)
    small = small * large
    sigmoid, complement = y.choose(">", 0.0, large, small), y.choose(">", 0.0, small, large)
    return y * sigmoid, sigmoid * y.times_plus(complement, 1.0)


def _gelu(y: _Lanes) -> Pair:
    about = y.precision
    size = abs(y)
    size = size.choose(">", about.farthest, about.farthest, size)
    square = size * size
    lost = size.times_plus(size, -square)  # what the square lost in rounding, which exp would multiply
    bell = _exp(square * -0.5, lost * -0.5)
    t = 1.0 / size.times_plus(about.slope, 1.0)
    tail = bell * (t * t.polynomial(about.tail))
    cdf = y.choose(">", 0.0, 1.0 - tail, tail)
    return y * cdf, (y * (1 / math.sqrt(2 * math.pi))).times_plus(bell, cdf)


def _activation(formula: Callable[[_Lanes], Pair]) -> Any:
    @intrinsic
    def activation(typing: Any, y: Any) -> Any:
        pair = types.UniTuple(y, 2)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value, slope = formula(_Lanes(builder, args[0]))
            return context.make_tuple(builder, pair, (value.value, slope.value))

        return pair(y), codegen

    return activation


# Each takes a vector and returns the activation's values and its derivatives.
leaky_relu, elu, gelu, silu, tanh = map(_activation, (_leaky_relu, _elu, _gelu, _silu, _tanh))
