"""Reading arrays of NumPy's own files."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import pandas as pd

from autoenc.errors import InputError, listed

__all__ = ["NPY_MAGIC", "read_npy", "read_npz"]

NPY_MAGIC = b"\x93NUMPY"


def read_npy(name: str, file: IO[bytes]) -> pd.DataFrame:
    """Return an array ``[rows, columns]`` as a table, whose columns are called ``x1``, ``x2``, ...

    The fields of a structured array are its columns. Nothing in the file is run: pickled objects are refused.

    Args:
        name: Of the table, for messages.
        file: All of it.

    Raises:
        InputError: If it cannot be read, or is no array of rows and columns.
    """
    try:
        return _frame(name, np.load(file, allow_pickle=False))
    except InputError:
        raise
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{name}: is not a readable NPY file: {error}") from None


def read_npz(name: str, file: IO[bytes]) -> pd.DataFrame:
    """Return the array of an archive as :func:`read_npy` does.

    Where there are several, the one that is called ``X``, ``x`` or ``data`` holds the rows.

    Raises:
        InputError: If it cannot be read, or holds several arrays of other names.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            names = list(arrays.files)
            wanted = names if len(names) == 1 else [key for key in ("X", "x", "data") if key in names]
            if len(wanted) != 1:
                raise InputError(f"{name}: holds the arrays {listed(names)}; call the one with the rows X")
            return _frame(name, arrays[wanted[0]])
    except InputError:
        raise
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{name}: is not a readable NPZ file: {error}") from None


def _frame(name: str, array: Any) -> pd.DataFrame:
    if array.dtype.names:
        return pd.DataFrame(array.reshape(-1))
    if array.ndim != 2:
        raise InputError(f"{name}: must be an array [rows, columns], got shape {list(array.shape)}")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: must be an array of numbers, got {array.dtype}")
    return pd.DataFrame(array.astype(np.float64), columns=[f"x{j + 1}" for j in range(array.shape[1])])
