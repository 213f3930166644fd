"""Tables that a caller in Python hands over: frames of any library, arrays, sparse matrices, paths."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from autoenc.data.cells import cells_of
from autoenc.data.frames import frame_of, refuse_no_rows
from autoenc.data.naming import with_columns
from autoenc.data.read import ReadTable
from autoenc.errors import InputError

__all__ = ["FRAME", "given_table"]

FRAME = "(data)"
"""What stands for the path of a table that is no file."""


def given_table(data: Any, labels: Collection[str] = ()) -> tuple[str, ReadTable | None]:
    """Return a table as it was handed over, with its path.

    Args:
        data: A path; a frame of pandas, polars, Arrow or any library that narwhals knows; or an array, a
            tensor or a SciPy sparse matrix ``[rows, columns]``, whose columns are called ``x1``, ``x2``, ...
        labels: Columns whose truth values stay what they are: classes.

    Returns:
        The path, and the table; None where the path is still to be read.

    Raises:
        InputError: If it is none of these, holds no rows, or names a column twice.
    """
    if isinstance(data, str | os.PathLike):
        return os.fspath(data), None
    frame, _ = frame_of(data, None)
    if frame is None:
        refuse_no_rows(data)
        cells = cells_of(data)
        if cells.ndim != 2:
            raise InputError(f"data must be of shape [rows, columns], got {list(cells.shape)}")
        frame = pd.DataFrame(cells, columns=[f"x{j + 1}" for j in range(cells.shape[1])])
    names = list(frame.columns)
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InputError(f"data must name each column once, but has several of {repeated[0]!r}")
    if not len(frame):
        raise InputError("data must have rows, and has none")
    plain = frame.reset_index(drop=True)
    numbers, truth = _numbers(plain, labels)
    return FRAME, ReadTable(numbers, FRAME, [], typed=True, truth=truth)


def _numbers(frame: pd.DataFrame, labels: Collection[str]) -> tuple[pd.DataFrame, frozenset[str]]:
    """Return the frame with truth values and sparse columns as numbers, and which are the former.

    Others are left for the reader.
    """
    truth = set()
    changed: dict[str, Any] = {}
    for name, kind in frame.dtypes.items():
        if isinstance(kind, pd.SparseDtype):
            changed[str(name)] = np.asarray(frame[name], dtype=np.float64)
        elif pd.api.types.is_bool_dtype(kind) and name not in labels:
            changed[str(name)] = frame[name].astype("Float64").to_numpy(np.float64, na_value=np.nan)
            truth.add(str(name))
    return with_columns(frame, changed), frozenset(truth)
