"""Rows for a model from frames of any library, matched by name, or from arrays, by position."""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.cells import cells_of
from autoenc.data.encoding import Encoding
from autoenc.data.features import Date
from autoenc.data.markers import Markers, without_markers
from autoenc.errors import InputError

__all__ = ["Rows", "array_places", "encoded_rows", "frame_of", "mixed_frame", "refuse_no_rows", "rows_of"]

_NAMES = ("columns", "column_names", "colnames", "names", "data_vars", "fields")
_WIDE = ("Int128", "UInt128")
"""Whole numbers that NumPy has no type for."""


@dataclass(frozen=True)
class Rows:
    """Rows as numbers, and what they came from.

    Attributes:
        cells: float64 ``[rows, columns]``, NaN where a cell is missing.
        named: Whether the columns had names.
        index: The index of a pandas frame.
        backend: The library whose frames are wanted back.
        mixed: Whether they were the columns of an encoding, which are wanted back.
        labels: The columns of a pandas frame by their names, where these are no text, such as 0 and 1.
    """

    cells: NDArray[np.float64]
    named: bool
    index: pd.Index | None = None
    backend: str = "pandas"
    mixed: bool = False
    labels: Mapping[str, Any] = field(default_factory=dict)

    def give_back(self, values: NDArray[Any], names: Sequence[str]) -> Any:
        """Return values ``[rows, names]`` in the form that the rows had: a frame, or an array."""
        return self.frame({name: values[:, j] for j, name in enumerate(names)}) if self.named else values

    def give_back_columns(self, columns: Mapping[str, NDArray[Any]], encoding: Encoding) -> Any:
        """Return columns of an encoding in the form of the rows; arrays are of objects unless of floats."""
        if self.named:
            zones = {feature.name: feature.zone for feature in encoding.features if isinstance(feature, Date)}
            return self.frame({name: self._typed(cells, zones.get(name)) for name, cells in columns.items()})
        are_numbers = all(cells.dtype.kind == "f" for cells in columns.values())
        return np.column_stack([cells if are_numbers else cells.astype(object) for cells in columns.values()])

    def _typed(self, cells: NDArray[Any], zone: str | None) -> Any:
        """Return a column as its frame has it: text as text and no objects, dates in their time zone."""
        if self.backend == "polars":
            import polars

            if cells.dtype == np.dtype("datetime64[s]"):  # which polars does not know
                cells = cells.astype("datetime64[ms]")
            if zone is None:
                return polars.Series(cells.tolist() if cells.dtype.kind == "O" else cells)
            return polars.Series(cells).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        return cells if zone is None else pd.DatetimeIndex(cells).tz_localize("UTC").tz_convert(zone)

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """Return columns as a frame of the library that the rows came from, else of pandas."""
        if self.backend != "pandas":
            import narwhals

            return narwhals.from_dict(dict(columns), backend="polars").to_native()
        index = pd.RangeIndex(len(self.cells)) if self.index is None else self.index
        frame = pd.DataFrame(columns, index=index)
        return frame.rename(columns=self.labels) if self.labels else frame


def _labels(data: Any) -> dict[str, Any]:
    """Return the labels of a pandas frame that are no text, by the text that they are known by."""
    labels = data.columns if isinstance(data, pd.DataFrame) else ()
    return {str(label): label for label in labels if not isinstance(label, str)}


def encoded_rows(data: Any, encoding: Encoding, missing: Collection[str] = ()) -> tuple[Rows, list[str]]:
    """Return rows of mixed columns as numbers for a model.

    Args:
        data: As for :func:`rows_of`. An array of numbers with a column for each indicator holds what
            :meth:`.Encoding.encode` gives; another one holds the table's columns, in the encoding's order.
        encoding: What becomes of them.
        missing: Words and numbers that stand for a missing cell.

    Returns:
        The rows, and what is unknown about them, a sentence each.

    Raises:
        InputError: As :func:`rows_of` does.
    """
    n_encoded = len(encoding.encoded)
    is_array = _is_array(data) and data.ndim == 2 and data.shape[1] == n_encoded
    if is_array and getattr(data.dtype, "kind", "f") in "biuf":
        return rows_of(data, encoding.encoded, n_encoded, missing), []
    frame, index, backend = mixed_frame(data, encoding, missing)
    cells = encoding.encode(frame)
    _refuse_infinite(cells, encoding.encoded)
    is_array = backend == "array"
    rows = Rows(cells, not is_array, index, "pandas" if is_array else backend, True, _labels(data))
    return rows, encoding.unknown(frame)


def mixed_frame(
    data: Any, encoding: Encoding, missing: Collection[str]
) -> tuple[pd.DataFrame, pd.Index | None, str]:
    """Return the columns that an encoding takes, marked cells missing, the index, and the original form."""
    names = encoding.names
    frame, backend = frame_of(data, names)
    if frame is None:
        refuse_no_rows(data)
        cells = np.array(data, object)
        if np.ma.getmask(data) is not np.ma.nomask:
            cells[np.ma.getmask(data)] = None
        places = array_places(names, cells.shape[1]) if cells.ndim == 2 else None
        if places is None:
            raise InputError(f"data must be of shape [rows, {len(names)}], got {list(cells.shape)}")
        frame = pd.DataFrame({name: cells[:, place] for name, place in zip(names, places, strict=True)})
    index = data.index if isinstance(data, pd.DataFrame) else None
    if frame.columns.is_unique and {*names} <= {*frame.columns}:
        frame = without_markers(frame[names], (), Markers(missing))
    return frame, index, backend


def array_places(names: Sequence[str], n_columns: int) -> list[int] | None:
    """Return which columns of an array are those of these names.

    They are all of them, in this order; or those that the names count, where the names are those that the
    columns of an array are given, ``x1``, ``x2``, ..., and some were left out.

    Returns:
        A place for each name; None where the array cannot have these columns.
    """
    if n_columns == len(names):
        return list(range(n_columns))
    numbers = [int(name[1:]) for name in names if re.fullmatch(r"x[1-9]\d*", name, re.ASCII)]
    counted = len(numbers) == len(names) < n_columns and max(numbers) <= n_columns
    return [number - 1 for number in numbers] if counted else None


def refuse_no_rows(data: Any) -> None:
    """See that what has no column names can be an array.

    Raises:
        InputError: If it is text, a single value, or what can be gone through only once.
    """
    if isinstance(data, str | bytes) or not (hasattr(data, "__len__") or hasattr(data, "__array__")):
        raise InputError(f"data must be rows and columns, got a {type(data).__name__}")


def rows_of(data: Any, columns: Sequence[str] | None, n_columns: int, missing: Collection[str] = ()) -> Rows:
    """Return rows for a model.

    Args:
        data: A frame of pandas, polars, Arrow or any library that narwhals or the dataframe interchange
            protocol knows, also a lazy one; a mapping of columns, or a list of mappings: these have names.
            Else an array, a tensor or nested lists ``[rows, n_columns]``, whose columns stand in the order
            of the model's.
        columns: Names of the model's columns; None where it does not know them.
        n_columns: How many there are.
        missing: Words and numbers that stand for a missing cell.

    Raises:
        InputError: If a column is missing or repeated, the shape is wrong, or a cell is infinite or no
            number.
    """
    frame, backend = frame_of(data, columns)
    markers = Markers(missing)
    if frame is None:
        refuse_no_rows(data)
        cells = cells_of(data if np.ndim(data) else [data])
        if cells.ndim != 2 or cells.shape[1] != n_columns:
            raise InputError(f"data must be of shape [rows, {n_columns}], got {list(cells.shape)}")
        rows = Rows(cells, named=False)
    elif columns is None:
        raise InputError(
            f"this model does not name its columns; pass an array [rows, {n_columns}], not a frame"
        )
    else:
        index = data.index if isinstance(data, pd.DataFrame) else None
        if markers and frame.columns.is_unique and {*columns} <= {*frame.columns}:
            frame = without_markers(frame[list(columns)], (), markers)
        rows = Rows(cells_of(frame, columns=columns), True, index, backend, labels=_labels(data))
    markers.forget(rows.cells)
    _refuse_infinite(rows.cells, columns)
    return rows


def _is_array(data: Any) -> bool:
    """Return whether data are an array of NumPy or a tensor of PyTorch, which only its importer can have."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", np.ndarray)
    return isinstance(data, np.ndarray | tensor)


def frame_of(data: Any, columns: Sequence[str] | None) -> tuple[pd.DataFrame | None, str]:
    """Return what has column names as a frame of pandas, and its original form; None for what has none.

    Names are text, as a model has them: 0 is "0".
    """
    frame, backend = _named_frame(data, columns)
    if frame is not None and not all(isinstance(name, str) for name in frame.columns):
        frame = frame.copy(deep=False)
        frame.columns = pd.Index([str(name) for name in frame.columns])
    return frame, backend


def _named_frame(data: Any, columns: Sequence[str] | None) -> tuple[pd.DataFrame | None, str]:
    if isinstance(data, pd.DataFrame):
        return data, "pandas"
    if isinstance(data, np.ndarray) and data.dtype.names and not isinstance(data, np.ma.MaskedArray):
        return pd.DataFrame(data.reshape(-1)), "pandas"
    if _is_array(data):
        return None, "array"
    if isinstance(data, Mapping):
        return _frame_of_mapping(data), "pandas"
    if isinstance(data, list | tuple):
        named = [row for row in data if hasattr(row, "keys") or hasattr(row, "_fields")]
        return (_frame_of_records(data), "pandas") if named else (None, "array")
    return _foreign_frame(data, columns)


def _foreign_frame(data: Any, columns: Sequence[str] | None) -> tuple[pd.DataFrame | None, str]:
    import narwhals
    from narwhals.exceptions import NarwhalsError

    data = _computed(data, columns)
    try:
        wrapped = narwhals.from_native(
            narwhals.to_native(data, pass_through=True), allow_series=True, pass_through=True
        )
        if isinstance(wrapped, narwhals.Series) or isinstance(data, pd.Series | pd.Index):
            raise InputError("data must be rows and columns, got a single column or row; make it a frame")
        if hasattr(wrapped, "__arrow_c_stream__") and not isinstance(wrapped, narwhals.DataFrame):
            wrapped = _from_arrow(wrapped)
        if isinstance(wrapped, narwhals.LazyFrame):
            names = wrapped.collect_schema().names()
            wrapped = wrapped.select([n for n in names if columns is None or n in columns]).collect()
        if isinstance(wrapped, narwhals.DataFrame):
            backend = "polars" if wrapped.implementation.is_polars() else "pandas"
            return _frame_of_columns(wrapped, columns), backend
    except NarwhalsError as error:
        raise InputError(f"data cannot be read as a frame: {' '.join(str(error).split())}") from None
    if hasattr(data, "__dataframe__"):
        with warnings.catch_warnings():  # deprecated, but all that some libraries have
            warnings.simplefilter("ignore")
            try:
                return pd.api.interchange.from_dataframe(data), "pandas"
            except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
                raise InputError(f"data cannot be read as a frame: {error}") from None
    if any(getattr(data, name, None) is not None for name in _NAMES):
        raise InputError(
            f"data is a {type(data).__name__}, whose columns have names that cannot be read; make a frame of "
            "pandas, polars or Arrow of it"
        )
    return None, "array"


def _computed(data: Any, columns: Sequence[str] | None) -> Any:
    """Return a frame of Dask, which narwhals leaves to a package of its own, as one of pandas."""
    dask = sys.modules.get("dask.dataframe")  # which only its importer can have
    if dask is None or not isinstance(data, dask.DataFrame):
        return data
    wanted = data.columns if columns is None else [name for name in data.columns if str(name) in columns]
    return data[list(wanted)].compute()


def _from_arrow(data: Any) -> Any:
    import narwhals

    try:
        return narwhals.from_arrow(data, backend="pyarrow")
    except ImportError:
        raise InputError("data is Arrow's, which needs pyarrow: pip install 'autoenc[parquet]'") from None
    except Exception as error:  # each library has errors of its own
        raise InputError(f"data cannot be read as a frame: {str(error).splitlines()[0]}") from None


def _frame_of_columns(frame: Any, columns: Sequence[str] | None) -> pd.DataFrame:
    """Make a frame by way of NumPy, which needs no further library."""
    wanted = [name for name in frame.columns if columns is None or name in columns]
    return pd.DataFrame({name: _series(frame.get_column(name)) for name in wanted})


def _series(column: Any) -> pd.Series:
    """Return a column with its missing cells, whole numbers in full, times in their zone."""
    if column.dtype.is_nested() or str(column.dtype) in _WIDE:
        return pd.Series(column.to_list(), dtype=object)
    zone = getattr(column.dtype, "time_zone", None)
    if zone:
        return pd.Series(column.to_numpy()).dt.tz_localize("UTC").dt.tz_convert(zone)
    if column.null_count():
        if column.dtype.is_integer():
            numbers, missing = column.fill_null(0).to_numpy(), column.is_null().to_numpy()
            return pd.Series(_whole(np.ma.array(numbers, mask=missing)))
        if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
            return pd.Series(column.to_list(), dtype=object)  # categories would take the place of nulls
    return pd.Series(column.to_numpy())


def _whole(cells: Any) -> Any:
    """Return whole numbers, some of them missing, as pandas holds them in full; other cells as they are."""
    if isinstance(cells, np.ma.MaskedArray):
        if cells.dtype.kind in "iu" and cells.ndim == 1:
            return pd.arrays.IntegerArray(np.array(cells.data), np.ma.getmaskarray(cells).copy())
    elif isinstance(cells, list | tuple) and any(cell is None for cell in cells):
        known = [cell for cell in cells if cell is not None]
        if known and all(type(cell) is int and abs(cell) < 2**63 for cell in known):
            return pd.array(cells, "Int64")
    return cells


def _frame_of_mapping(data: Mapping[Any, Any]) -> pd.DataFrame:
    try:
        frame = pd.DataFrame({name: _whole(column) for name, column in data.items()})
    except (TypeError, ValueError) as error:
        raise InputError(f"data must hold columns of one length by name: {error}") from None
    indices = [column.index for column in data.values() if isinstance(column, pd.Series)]
    if any(len(index) != len(frame) for index in indices):  # pandas has filled up what one of them lacks
        raise InputError("data must hold columns of the same rows by name, but their indexes differ")
    return frame


def _frame_of_records(data: Sequence[Any]) -> pd.DataFrame:
    rows = [row._asdict() if hasattr(row, "_asdict") else row for row in data]
    if not all(hasattr(row, "keys") for row in rows):
        raise InputError("data must be rows of one kind: either all have names, or none has")
    for row in rows:
        repeated = [name for name, count in Counter(row.keys()).items() if count > 1]
        if repeated:
            raise InputError(f"data must have each column once, but has several of: {repeated[0]}")
    names = dict.fromkeys(name for row in rows for name in row.keys())  # noqa: SIM118
    columns = {
        name: [row[name] if name in row.keys() else None for row in rows]  # noqa: SIM118
        for name in names
    }
    return _frame_of_mapping(columns)


def _refuse_infinite(cells: NDArray[np.float64], columns: Sequence[str] | None) -> None:
    for j in range(cells.shape[1]):
        infinite = np.flatnonzero(np.isinf(cells[:, j]))
        if infinite.size:
            where = f"row {infinite[0] + 1}" + (f", column {columns[j]!r}" if columns is not None else "")
            raise InputError(f"data must be finite or NaN, got {cells[infinite[0], j]} in {where}")
