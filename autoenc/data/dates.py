"""Dates as days since 1970 in double precision, and back."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["RESOLUTIONS", "are_dates", "dates_of", "days_of", "resolution_of", "zone_of"]

RESOLUTIONS = ("D", "s", "ms", "us")
"""What dates may be rounded to, the coarsest first, as NumPy names it."""

_PER_DAY = {"D": 1, "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_NO_DATE = np.datetime64("NaT", "us")
_FIRST, _LAST = -719_162.0, 2_932_896.0  # the years 1 to 9999, which text and frames can hold
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)


def are_dates(column: pd.Series) -> bool:
    """Return whether all observed cells are dates: by type, or as text like 2020-01-31 12:30:00."""
    if isinstance(column.dtype, pd.DatetimeTZDtype | pd.PeriodDtype) or column.dtype.kind == "M":
        return True
    present = column.dropna()
    if not len(present) or not (
        pd.api.types.is_object_dtype(present.dtype) or pd.api.types.is_string_dtype(present.dtype)
    ):
        return False
    if not all(_may_be_date(cell) for cell in present):
        return False
    return not np.isnan(days_of(present)).any()


def _may_be_date(cell: Any) -> bool:
    if isinstance(cell, str):
        return _ISO.fullmatch(cell.strip()) is not None
    return isinstance(cell, datetime.date | np.datetime64)  # a datetime is a date


def days_of(column: pd.Series) -> NDArray[np.float64]:
    """Return days since 1970-01-01, in universal time where a time zone is known; NaN for what is no date.

    Args:
        column: Dates of any type, or text.
    """
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    cells = column.to_numpy()
    if cells.dtype.kind != "M":  # text or objects, also those that Arrow's dates become
        cells = _parsed(cells)
    per_day = _PER_DAY[np.datetime_data(cells.dtype)[0]]
    whole, rest = np.divmod(cells.astype(np.int64), per_day)  # so that nanoseconds are not rounded twice
    return np.where(np.isnat(cells), np.nan, whole + rest / per_day)


def zone_of(dtype: Any) -> str | None:
    """Return the time zone of a type of dates, of Arrow's as well; None where it has none."""
    zone = getattr(getattr(dtype, "pyarrow_dtype", dtype), "tz", None)
    return None if zone is None else str(zone)


def _parsed(cells: NDArray[Any]) -> NDArray[np.datetime64]:
    return np.array([_datetime64(cell) for cell in cells], "datetime64[us]")


def _datetime64(cell: Any) -> np.datetime64:
    """One date, to the microsecond."""
    if cell is pd.NaT:  # a datetime to isinstance, which NumPy does not take
        return _NO_DATE
    if isinstance(cell, str):
        text = cell.strip()
        if _ISO.fullmatch(text) is None:
            return _NO_DATE
        try:
            cell = datetime.datetime.fromisoformat(text.replace(",", "."))
        except ValueError:  # the 31st of a short month
            return _NO_DATE
    if isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime(warn=False)
    if isinstance(cell, datetime.datetime):
        if cell.tzinfo is not None:
            cell = cell.astimezone(datetime.UTC).replace(tzinfo=None)
    elif not isinstance(cell, datetime.date | np.datetime64):
        return _NO_DATE
    return np.datetime64(cell, "us")


def resolution_of(days: NDArray[np.float64]) -> str:
    """Return the coarsest resolution in which all dates are whole.

    Shape:
        days: ``[rows]``, NaN where a cell is missing.
    """
    observed = days[~np.isnan(days)]
    for unit in RESOLUTIONS[:-1]:
        steps = observed * _PER_DAY[unit]
        # Half a microsecond, and what a day in double precision cannot say.
        near = _PER_DAY[unit] * np.maximum(5e-7 / 86_400, 2 * np.spacing(np.abs(observed)))
        if (np.abs(steps - np.round(steps)) <= near).all():
            return unit
    return RESOLUTIONS[-1]


def dates_of(days: NDArray[np.float64], resolution: str) -> NDArray[np.datetime64]:
    """Return days since 1970 as dates, rounded to a resolution; whole days in seconds, as pandas has them.

    Shape:
        days, result: ``[rows]``.
    """
    missing = np.isnan(days)
    steps = np.round(np.clip(np.where(missing, 0.0, days), _FIRST, _LAST) * _PER_DAY[resolution])
    cells = steps.astype(np.int64).astype(f"datetime64[{resolution}]")
    cells[missing] = _NO_DATE
    return cells.astype("datetime64[s]") if resolution == "D" else cells
