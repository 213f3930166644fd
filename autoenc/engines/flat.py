"""A flat array as compiled code passes it on: the address of its first number and nothing else.

An array of Numba's is seven numbers, and each function that is given sixteen of them is given more than a
hundred arguments, counts references, and turns negative indices around. None of that is needed where all
arrays are one-dimensional and outlive the call, and leaving it out halves what a compiler has to read.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import types
from numba.core.typing import signature
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

__all__ = ["FlatType", "data_of", "flat_at", "shifted"]


class FlatType(types.Type):
    """The Numba type of the address of an array of ``dtype``."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Flat({dtype})")


@register_model(FlatType)
class _FlatModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: FlatType) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.dtype).get_data_type().as_pointer())


def data_of(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the address of the first number of an array, flat or of Numba's."""
    return value if isinstance(kind, FlatType) else context.make_array(kind)(context, builder, value).data


@intrinsic
def flat_at(typing: Any, address: Any, dtype: Any) -> Any:
    """Return the flat array of ``dtype``, a class of NumPy's, whose first number is at an address."""
    array = FlatType(dtype.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(array))

    return array(types.int64, dtype), codegen


@intrinsic
def shifted(typing: Any, array: Any, n: Any) -> Any:
    """Return a flat array without its first ``n`` numbers."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return array(array, types.intp), codegen


@type_callable(operator.getitem)
def _type_getitem(context: Any) -> Any:
    def result(array: Any, index: Any) -> Any:
        return array.dtype if isinstance(array, FlatType) and isinstance(index, types.Integer) else None

    return result


@lower_builtin(operator.getitem, FlatType, types.Integer)
def _lower_getitem(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array, index = signature.args
    place = builder.gep(args[0], [context.cast(builder, args[1], index, types.intp)])
    return context.unpack_value(builder, array.dtype, place)


@type_callable(operator.setitem)
def _type_setitem(context: Any) -> Any:
    def result(array: Any, index: Any, value: Any) -> Any:
        if not (isinstance(array, FlatType) and isinstance(index, types.Integer)):
            return None
        return signature(types.none, array, index, array.dtype)

    return result


@lower_builtin(operator.setitem, FlatType, types.Integer, types.Number)
def _lower_setitem(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array, index, value = signature.args
    place = builder.gep(args[0], [context.cast(builder, args[1], index, types.intp)])
    context.pack_value(builder, array.dtype, context.cast(builder, args[2], value, array.dtype), place)
    return context.get_dummy_value()
