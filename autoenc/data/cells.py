"""Cells as numbers: float64 with NaN where one is missing, from whatever holds them."""

from __future__ import annotations

import datetime
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.naming import is_number, places_of
from autoenc.errors import InputError

__all__ = ["cells_of"]

_TIMES = datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64, pd.Period
_NO_TIMES = "holds dates or durations; give a number instead, e.g. days since a date"
_NO_COMPLEX = "holds complex numbers; real ones are needed"


def cells_of(
    data: Any, rule: str = "data must be numbers", columns: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Turn whatever holds numbers into float64, with NaN where a cell is missing.

    Args:
        data: A pandas frame or series, a NumPy array (also a masked one), a tensor, a sparse matrix, or
            nested lists. Missing are NaN, masked cells, None, ``pd.NA`` and ``NaT``.
        rule: How messages begin: what must be numbers.
        columns: Of a frame, the columns to take, in this order; by default all of them.

    Returns:
        An array of the shape of ``data``.

    Raises:
        InputError: If a cell is no real number, or a column is not there or there twice; it names the column.
    """
    if isinstance(data, pd.DataFrame):
        return _frame(data, rule, columns)
    if isinstance(data, pd.Series):
        return _column(data, rule)
    return _numbers(_array(data, rule), rule)


def _frame(frame: pd.DataFrame, rule: str, columns: Sequence[str] | None) -> NDArray[np.float64]:
    places = range(frame.shape[1]) if columns is None else places_of(frame.columns, columns)
    cells = np.empty((len(frame), len(places)))
    for j, place in enumerate(places):
        cells[:, j] = _column(frame.iloc[:, place], rule)
    return cells


def _column(column: pd.Series, rule: str) -> NDArray[np.float64]:
    dtype, where = column.dtype, "it" if column.name is None else f"column {column.name!r}"
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        raise InputError(f"{rule}: {where} {_NO_TIMES}")
    if pd.api.types.is_extension_array_dtype(dtype) and getattr(dtype, "kind", "O") in "biuf":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return _numbers(column.to_numpy(), rule, where)


def _array(data: Any, rule: str) -> NDArray[Any]:
    """Return the data as an array of any type, masked where it was."""
    torch = sys.modules.get("torch")  # who has a tensor has imported it, which takes seconds
    if torch is not None and isinstance(data, torch.Tensor):
        tensor = data.detach().cpu()
        tensor = tensor.to_dense() if tensor.layout != torch.strided else tensor
        # NumPy does not know all of torch's floating types.
        return np.asarray((tensor.double() if tensor.is_floating_point() else tensor.resolve_conj()).numpy())
    if hasattr(data, "toarray"):  # a sparse matrix of SciPy
        data = data.toarray()
    if isinstance(data, np.ma.MaskedArray):
        return data
    try:
        if isinstance(data, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in data):
            return np.ma.stack([np.ma.asanyarray(row) for row in data])
        with warnings.catch_warnings():  # np.ma.masked deeper in a list becomes NaN, as it should
            warnings.filterwarnings("ignore", "Warning: converting a masked element to nan")
            return np.asarray(data)
    except (TypeError, ValueError) as error:
        raise InputError(f"{rule}, in rows of one length: {error}") from None


def _numbers(array: NDArray[Any], rule: str, where: str = "it") -> NDArray[np.float64]:
    kind = array.dtype.kind
    if kind in "mMc":
        problem = _NO_COMPLEX if kind == "c" else _NO_TIMES
        raise InputError(f"{rule}: {where} {problem}")
    if array.dtype.names is not None:
        raise InputError(
            f"{rule}: {where} is a structured array; give its fields "
            f"({', '.join(array.dtype.names)}) as the columns of a frame or a plain array"
        )
    mask = np.ma.getmask(array)
    if kind in "biuf":
        cells = np.asarray(array, np.float64)
        return cells.copy() if mask is np.ma.nomask else np.where(mask, np.nan, cells)
    objects = np.asarray(array).astype(object)
    objects[mask] = None  # what stands below a mask may be anything
    return _parsed(objects, rule, where)


def _parsed(array: NDArray[np.object_], rule: str, where: str) -> NDArray[np.float64]:
    """Return cells that are objects: numbers, words that mean numbers, or something missing."""
    cells = np.full(array.shape, np.nan)
    for place in zip(*np.nonzero(~np.atleast_1d(pd.isna(array))), strict=True):
        value, problem = array[place], None
        try:
            if isinstance(value, _TIMES):
                problem = _NO_TIMES
            elif isinstance(value, complex | np.complexfloating):
                problem = _NO_COMPLEX
            elif isinstance(value, str) and not is_number(value.strip()):
                problem = f"has {value!r} in row {place[0] + 1}"
            elif not isinstance(value, np.ma.core.MaskedConstant):
                cells[place] = float(value)
        except (TypeError, ValueError, OverflowError):
            problem = f"has {value!r} in row {place[0] + 1}"
        if problem:
            raise InputError(f"{rule}: {where} {problem}")
    return cells
