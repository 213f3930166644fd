"""Explicit SIMD for Numba: a vector type, its arithmetic, and the tiles of a matrix product.

Numba leaves vectorization to LLVM's heuristics, which do badly on the loops that matter here: short,
nested, with their trip counts known only at run time. The intrinsics below emit LLVM vector
instructions directly. A vector is 64 bytes on every machine; where registers are narrower, LLVM splits
it. Every operation is spelled out and none may be reordered, so a result does not depend on the
compiler's choices, on alignment, or on what surrounds the call.

All arrays are one-dimensional and contiguous, flat ones or Numba's; places in them are element offsets.
"""

from __future__ import annotations

import operator
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from autoenc.engines.flat import data_of
from autoenc.engines.layers import VECTOR_BYTES
from autoenc.engines.linking import INNER
from autoenc.engines.scalars import smallest

__all__ = ["INNER", "lanes_of", "matmul"]

_INT32 = ir.IntType(32)
# A tile of the product keeps its sums in registers: 8 x 2 vectors of the 32 that AVX-512 has, 4 x 1
# (two half-width registers each) where there are only 16.
_TILE = (8, 2) if llvm.get_host_cpu_features().get("avx512f") else (4, 1)


class VectorType(types.Type):
    """The Numba type of one SIMD vector with ``VECTOR_BYTES / itemsize`` lanes of ``dtype``."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(f"SIMD({dtype} x {self.lanes})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, _llvm_vector(fe_type.dtype))


def _llvm_vector(dtype: types.Float) -> ir.VectorType:
    scalar = ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.VectorType(scalar, VECTOR_BYTES * 8 // dtype.bitwidth)


def constant(vector: ir.VectorType, value: float) -> ir.Constant:
    """Return a vector of one value."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _splat(builder: Any, scalar: Any, count: int) -> Any:
    vector = ir.VectorType(scalar.type, count)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT32, count), [0] * count))


def call(builder: Any, name: str, vector: ir.VectorType, *args: Any) -> Any:
    """Call the LLVM intrinsic ``name`` (``fma``, ``sqrt``) on whole vectors."""
    width = 32 if isinstance(vector.element, ir.FloatType) else 64
    signature = ir.FunctionType(vector, [vector] * len(args))
    function = cgutils.get_or_insert_function(
        builder.module, signature, f"llvm.{name}.v{vector.count}f{width}"
    )
    return builder.call(function, args)


def _load(builder: Any, vector: ir.VectorType, data: Any, offset: Any) -> Any:
    place = builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())
    value = builder.load(place, typ=vector)
    value.align = 4 if isinstance(vector.element, ir.FloatType) else 8
    return value


def _store(builder: Any, value: Any, data: Any, offset: Any) -> None:
    place = builder.bitcast(builder.gep(data, [offset]), value.type.as_pointer())
    builder.store(value, place).align = 4 if isinstance(value.type.element, ir.FloatType) else 8


@intrinsic
def lanes_of(typing: Any, array: Any) -> Any:
    """Return how many numbers of ``array`` make a vector."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, VectorType(array.dtype).lanes)

    return types.intp(array), codegen


@intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Load the vector at ``array[offset : offset + lanes]``."""
    vector = VectorType(array.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, _llvm_vector(array.dtype), data_of(context, builder, array, args[0]), args[1])

    return vector(array, types.intp), codegen


@intrinsic
def store(typing: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Write ``vector`` to ``array[offset : offset + lanes]``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[2], data_of(context, builder, array, args[0]), args[1])
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def splat(typing: Any, array: Any, value: Any) -> Any:
    """Return a vector with ``value`` in every lane, in the precision of ``array``."""
    vector = VectorType(array.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = context.cast(builder, args[1], value, array.dtype)
        return _splat(builder, scalar, vector.lanes)

    return vector(array, value), codegen


@intrinsic
def spread(typing: Any, array: Any, offset: Any) -> Any:
    """Return a vector with ``array[offset]`` in every lane."""
    vector = VectorType(array.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = data_of(context, builder, array, args[0])
        scalar = builder.load(builder.gep(data, [args[1]]), typ=_llvm_vector(array.dtype).element)
        return _splat(builder, scalar, vector.lanes)

    return vector(array, types.intp), codegen


@intrinsic
def where_number(typing: Any, condition: Any, value: Any) -> Any:
    """Keep ``value`` in lanes whose ``condition`` is not NaN, 0 elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = constant(_llvm_vector(value.dtype), 0.0)
        return builder.select(builder.fcmp_ordered("ord", args[0], args[0]), args[1], zero)

    return value(condition, value), codegen


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return call(builder, "fma", _llvm_vector(a.dtype), *args)

    return a(a, b, c), codegen


@intrinsic
def sqrt(typing: Any, a: Any) -> Any:
    """Return the square root of each lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return call(builder, "sqrt", _llvm_vector(a.dtype), *args)

    return a(a), codegen


@intrinsic
def where_positive(typing: Any, condition: Any, value: Any) -> Any:
    """Keep ``value`` in lanes whose ``condition`` is above zero or NaN, 0 elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = constant(_llvm_vector(value.dtype), 0.0)
        return builder.select(builder.fcmp_unordered(">", args[0], zero), args[1], zero)

    return value(condition, value), codegen


@intrinsic
def where_nonzero(typing: Any, condition: Any, value: Any) -> Any:
    """Keep ``value`` in lanes whose ``condition`` differs from zero, 0 elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = constant(_llvm_vector(value.dtype), 0.0)
        return builder.select(builder.fcmp_unordered("!=", args[0], zero), args[1], zero)

    return value(condition, value), codegen


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """Return the sum of all lanes: halves are added until one lane is left."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, count = args[0], a.lanes
        while count > 1:
            count //= 2
            low, high = (
                builder.shuffle_vector(
                    value, value, ir.Constant(ir.VectorType(_INT32, count), list(range(start, start + count)))
                )
                for start in (0, count)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(_INT32, 0))

    return a.dtype(a), codegen


@intrinsic
def drop(typing: Any, value: Any, key: Any, row: Any, threshold: Any, scale: Any) -> Any:
    """Apply dropout: lane i becomes ``value * scale`` where ``hash(key, row + i) >= threshold``, else 0.

    The hash is the one of :func:`autoenc.engines.randomness.row_hash`.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _llvm_vector(value.dtype)
        integers = ir.VectorType(_INT32, vector.count)

        def every(number: int) -> ir.Constant:
            return ir.Constant(integers, [ir.Constant(_INT32, number)] * vector.count)

        def fold(word: Any, shift: int) -> Any:
            return builder.xor(word, builder.lshr(word, every(shift)))

        golden = ir.Constant(_INT32, 0x9E3779B1)
        first = builder.mul(builder.trunc(args[2], _INT32), golden)  # the others are so much further each
        steps = [ir.Constant(_INT32, i * 0x9E3779B1 % 2**32) for i in range(vector.count)]
        rows = builder.add(_splat(builder, first, vector.count), ir.Constant(integers, steps))
        keys = _splat(builder, args[1], vector.count)
        word = builder.xor(keys, rows)
        word = builder.mul(fold(word, 16), every(0x85EBCA6B))
        word = fold(builder.mul(fold(word, 13), every(0xC2B2AE35)), 16)
        kept = builder.icmp_unsigned(">=", word, _splat(builder, args[3], vector.count))
        return builder.select(kept, builder.fmul(args[0], args[4]), constant(vector, 0.0))

    return value(value, types.uint32, types.intp, types.uint32, value), codegen


@intrinsic
def outlined(typing: Any) -> Any:
    """Keep the function that this is called in out of its callers: each is then compiled only once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


def _arithmetic(python_operator: Any, instruction: str) -> None:
    """Give vectors one of Python's operators."""

    @type_callable(python_operator)
    def typing(context: Any) -> Any:
        def result(a: Any, b: Any) -> Any:
            return a if isinstance(a, VectorType) and a == b else None

        return result

    @lower_builtin(python_operator, VectorType, VectorType)
    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operator, _instruction)


@intrinsic
def transpose_block(
    typing: Any, source: Any, at: Any, source_stride: Any, target: Any, to: Any, target_stride: Any
) -> Any:
    """Transpose a square of lanes x lanes elements from ``source`` into ``target``, in registers."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _llvm_vector(source.dtype)
        count = vector.count
        data = data_of(context, builder, source, args[0])
        out = data_of(context, builder, target, args[3])

        def place(start: Any, stride: Any, row: int) -> Any:
            return builder.add(start, builder.mul(stride, ir.Constant(start.type, row)))

        rows = [_load(builder, vector, data, place(args[1], args[2], i)) for i in range(count)]
        # Swap off-diagonal sub-blocks of 1, 2, 4, ... elements between rows that lie so far apart.
        width = 1
        while width < count:
            low = [i if not i & width else count + i - width for i in range(count)]
            high = [i + width if not i & width else count + i for i in range(count)]
            for i in range(count):
                if i & width:
                    continue
                pair = rows[i], rows[i + width]
                for row, mask in ((i, low), (i + width, high)):
                    rows[row] = builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(_INT32, count), mask))
            width *= 2
        for i in range(count):
            _store(builder, rows[i], out, place(args[4], args[5], i))
        return context.get_dummy_value()

    place = types.intp
    return types.void(source, place, place, target, place, place), codegen


def _tile(n_rows: int, n_vectors: int) -> Any:
    """A piece of a matrix product, ``n_rows`` x ``n_vectors`` vectors, summed in registers.

    It starts from zeros or, if it ``goes_on``, from the sums that are there. Of its rows the first ``n``
    count; the others are the last of those again, because what is computed twice costs less than tiles of few
    rows, in which each sum waits for its last addition.
    """

    @intrinsic
    def tile(
        typing: Any, a: Any, a_at: Any, a_row: Any, a_col: Any, b: Any, b_at: Any, b_row: Any,
        c: Any, c_at: Any, c_row: Any, depth: Any, goes_on: Any, n: Any,
    ) -> Any:  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = _llvm_vector(b.dtype)
            a_data, b_data, c_data = (
                data_of(context, builder, signature.args[i], args[i]) for i in (0, 4, 7)
            )
            _, a_at, a_row, a_col, _, b_at, b_row, _, c_at, c_row, depth, goes_on, n = args

            last = builder.sub(n, ir.Constant(n.type, 1))
            rows = [ir.Constant(n.type, i) for i in range(n_rows)]
            rows[1:] = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in rows[1:]]
            starts = [builder.add(a_at, builder.mul(a_row, i)) for i in rows]
            columns = [ir.Constant(a_at.type, j * vector.count) for j in range(n_vectors)]
            places = [
                [builder.add(builder.add(c_at, builder.mul(c_row, i)), j) for j in columns] for i in rows
            ]
            before = builder.block
            sums_there, loop, after = map(builder.append_basic_block, ("sums_there", "depth", "store"))
            builder.cbranch(goes_on, sums_there, loop)
            builder.position_at_end(sums_there)
            there = [[_load(builder, vector, c_data, at) for at in row] for row in places]
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(a_at.type)
            sums = [[builder.phi(vector) for _ in columns] for _ in starts]
            at = builder.add(b_at, builder.mul(k, b_row))
            right = [_load(builder, vector, b_data, builder.add(at, j)) for j in columns]
            across = builder.mul(k, a_col)
            results = []
            for start, row in zip(starts, sums, strict=True):
                left = builder.load(builder.gep(a_data, [builder.add(start, across)]), typ=vector.element)
                left = _splat(builder, left, vector.count)
                results.append(
                    [call(builder, "fma", vector, left, r, s) for r, s in zip(right, row, strict=True)]
                )
            following = builder.add(k, ir.Constant(k.type, 1))
            for start in (before, sums_there):
                k.add_incoming(ir.Constant(k.type, 0), start)
            k.add_incoming(following, loop)
            for row, first, result in zip(sums, there, results, strict=True):
                for phi, start, value in zip(row, first, result, strict=True):
                    phi.add_incoming(constant(vector, 0.0), before)
                    phi.add_incoming(start, sums_there)
                    phi.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for row, result in zip(places, results, strict=True):
                for at, value in zip(row, result, strict=True):
                    _store(builder, value, c_data, at)
            return context.get_dummy_value()

        place = types.intp
        return types.void(
            a, place, place, place, b, place, place, c, place, place, place, types.boolean, place
        ), codegen

    return tile


_ROWS, _WIDE = _TILE
_FEW = _ROWS // 2
_tall, _tall_narrow = _tile(_ROWS, _WIDE), _tile(_ROWS, 1)
_low, _low_narrow = _tile(_FEW, _WIDE), _tile(_FEW, 1)
_flat, _flat_narrow = _tile(1, _WIDE), _tile(1, 1)


@njit(**INNER)
def matmul(m, n, depth, a, a_at, a_row, a_col, b, b_at, b_row, c, c_at, c_row, goes_on):  # type: ignore[no-untyped-def]
    """Multiply ``C = A @ B`` on strided pieces of flat arrays; every sum runs over ``depth`` in order.

    Where it ``goes_on``, sums start from what is in C: a product in pieces of its depth has the same bits.

    Shape:
        A: ``[m, depth]``, element (i, k) at ``a_at + i * a_row + k * a_col``.
        B: ``[depth, n]``, element (k, j) at ``b_at + k * b_row + j``.
        C: ``[m, n]``, element (i, j) at ``c_at + i * c_row + j``. ``n`` is rounded up to whole vectors;
        ``b_row`` and ``c_row`` must leave room for that.
    """
    outlined()
    lanes = lanes_of(b)
    j = 0
    while j < n:
        wide = j + (_WIDE - 1) * lanes < n
        i = 0
        while i < m:
            at, to, rows = a_at + i * a_row, c_at + i * c_row + j, smallest(m - i, _ROWS)
            if rows > _FEW:
                if wide:
                    _tall(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
                else:
                    _tall_narrow(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
            elif rows > 1:
                if wide:
                    _low(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
                else:
                    _low_narrow(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
            elif wide:
                _flat(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
            else:
                _flat_narrow(a, at, a_row, a_col, b, b_at + j, b_row, c, to, c_row, depth, goes_on, rows)
            i += rows
        j += _WIDE * lanes if wide else lanes
