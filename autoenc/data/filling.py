"""Filling the missing cells of frames: others keep every bit, and columns their type."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.features import Category, Date, Feature, Truth, key_of, truth_of

__all__ = ["Fill", "as_text", "filled_pandas", "filled_polars"]


_ZONE = re.compile(r":\d\d[\d:.,]*(Z|[+-]\d\d(?::?\d\d)?)\s*$")
"""What a text such as 2020-01-31T12:30:00+01:00 ends in."""


class Fill(NamedTuple):
    """The values that the missing cells of a column are filled with.

    Attributes:
        feature: The column.
        missing: Which cells are missing, ``[rows]``.
        values: For each of them a number, a truth value, a date or a category.
    """

    feature: Feature
    missing: NDArray[np.bool_]
    values: NDArray[Any]


def filled_pandas(frame: pd.DataFrame, fills: Sequence[Fill]) -> pd.DataFrame:
    """Return a copy of a frame with cells filled; whole numbers are rounded where the type has no others."""
    filled = frame.copy()
    for fill in fills:
        place = frame.columns.get_loc(fill.feature.name)
        assert isinstance(place, int)
        cells: Any = _filled(frame.iloc[:, place], fill)
        filled.isetitem(place, cells)
    return filled


def _filled(column: pd.Series, fill: Fill) -> pd.Series:
    dtype: Any = column.dtype
    values: Any = fill.values
    if isinstance(dtype, pd.SparseDtype):
        column, dtype = column.astype(dtype.subtype), np.dtype(dtype.subtype)
    if isinstance(dtype, pd.CategoricalDtype):
        of_key = {key_of(category): category for category in dtype.categories}
        labels = [of_key.get(key_of(value), value) for value in values.tolist()]
        new = [label for label in dict.fromkeys(labels) if label not in dtype.categories]
        column, values = column.cat.add_categories(new), np.array([*labels, None], object)[:-1]
    elif isinstance(dtype, pd.PeriodDtype):
        values = pd.PeriodIndex(values, freq=dtype.freq)
    elif isinstance(dtype, pd.DatetimeTZDtype):
        values = pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(dtype.tz).as_unit(dtype.unit)
    elif dtype.kind in "iu":
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        values = np.clip(np.round(values), limits.min, limits.max)
    elif pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        values = _like(column, fill)
    cells = column.array.copy()
    kind: Any = column.dtype
    cells[fill.missing] = pd.array(values, dtype=kind)
    filled: pd.Series = pd.Series(cells, column.index, dtype=kind, name=column.name)
    return filled


def _like(column: pd.Series, fill: Fill) -> NDArray[Any]:
    """Return values as the objects that a column holds: text where it holds text."""
    observed = column[~fill.missing]
    cells = np.empty(len(fill.values), object)
    if len(observed) and all(isinstance(cell, str) for cell in observed):
        cells[:] = as_text(fill, observed.tolist())
    elif isinstance(fill.feature, Date):
        zone = next((cell.tzinfo for cell in observed if isinstance(cell, datetime.datetime)), None)
        utc = pd.DatetimeIndex(fill.values.astype("datetime64[us]"))
        stamps = list(utc if zone is None else utc.tz_localize("UTC").tz_convert(zone))
        are_days = len(observed) and not any(isinstance(cell, datetime.datetime) for cell in observed)
        cells[:] = [stamp.date() if are_days else stamp for stamp in stamps]
    else:
        cells[:] = fill.values.tolist()
    return cells


def as_text(fill: Fill, observed: Sequence[str]) -> list[str]:
    """Return values as they are written in CSV, in the manner of the other cells of their column."""
    if isinstance(fill.feature, Category):
        return [key_of(value) for value in fill.values.tolist()]
    if isinstance(fill.feature, Truth):
        words = {truth_of(cell): cell for cell in reversed(observed)}
        return [words.get(float(value), str(bool(value))) for value in fill.values]
    if isinstance(fill.feature, Date):
        return _dates_as_text(fill.feature, fill.values, observed)
    return [f"{value:.9g}" for value in fill.values]


def _dates_as_text(feature: Date, values: Any, observed: Sequence[str]) -> list[str]:
    """Return dates in universal time as text, with a time and in the zone that the other cells have."""
    unit: Any = feature.resolution
    unit = "s" if unit == "D" and any(":" in cell for cell in observed) else unit
    mark = "T" if any("T" in cell for cell in observed) or unit == "D" else " "
    zones = {zone[1] for zone in map(_ZONE.search, observed) if zone is not None}
    zone = zones.pop() if len(zones) == 1 else "+00:00" if zones or feature.zone else ""
    if zone not in ("", "Z"):
        sign, digits = zone[0], zone[1:].replace(":", "").ljust(4, "0")
        minutes = int(sign + "1") * (60 * int(digits[:2]) + int(digits[2:]))
        values = values.astype("datetime64[us]") + np.timedelta64(minutes, "m")
    texts = np.datetime_as_string(values.astype(f"datetime64[{unit}]"), unit=unit).tolist()
    return [text.replace("T", mark) + zone for text in texts]


def filled_polars(frame: Any, fills: Sequence[Fill]) -> Any:
    """Return the same of polars, of a lazy frame its collected one."""
    import polars

    if isinstance(frame, polars.LazyFrame):
        frame = frame.collect()
    return frame.with_columns([_filled_polars(frame.get_column(fill.feature.name), fill) for fill in fills])


def _filled_polars(column: Any, fill: Fill) -> Any:
    import polars

    dtype, values = column.dtype, fill.values
    if dtype == polars.Categorical:  # takes neither truth nor dates, nor in early versions new categories
        return _filled_polars(column.cast(polars.String), fill).cast(dtype)
    if dtype.is_integer():
        values = np.round(values)
    if values.dtype.kind == "O":
        new = polars.Series(
            [key_of(value) for value in values.tolist()] if dtype != polars.Object else values
        )
    elif values.dtype.kind == "M":
        new = polars.Series(values.astype("datetime64[us]"))
        zone = getattr(dtype, "time_zone", None)
        new = new.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else new
    else:
        new = polars.Series(values)
    if dtype == polars.String and values.dtype.kind != "O":
        new = polars.Series(as_text(fill, column.filter(polars.Series(~fill.missing)).to_list()))
    known = dtype.categories if isinstance(dtype, polars.Enum) else None
    if known is not None and not {*new.to_list()} <= {*known.to_list()}:
        column, dtype = column.cast(polars.String), polars.String()
    return column.scatter(np.flatnonzero(fill.missing), new.cast(dtype))
