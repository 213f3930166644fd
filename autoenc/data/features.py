"""Features, what a column is learned as: a number, a truth value, a date, or indicators of categories."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.cells import cells_of
from autoenc.data.dates import RESOLUTIONS, dates_of, days_of
from autoenc.errors import InputError, shortened

__all__ = [
    "Category",
    "Date",
    "Feature",
    "Label",
    "Number",
    "Truth",
    "blanks",
    "feature_of",
    "key_of",
    "plain_label",
    "truth_of",
]

Label = str | int | float | bool
Cells = NDArray[np.float64]
_TRUTH: dict[Any, float] = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


@dataclass(frozen=True)
class Feature(ABC):
    """A column of a table, and the columns of numbers that stand for it.

    Attributes:
        name: Of the column.
    """

    name: str
    kind: ClassVar[str]

    @property
    def names(self) -> list[str]:
        """Of the columns of numbers."""
        return [self.name]

    @abstractmethod
    def encode(self, column: pd.Series) -> Cells:
        """Return its cells as numbers ``[rows, columns]``, NaN where one is missing.

        Raises:
            InputError: If a cell is nothing of this kind; it names the row.
        """

    @abstractmethod
    def decode(self, cells: Cells, possible: NDArray[np.bool_]) -> NDArray[Any]:
        """Return what such numbers, or a model's answer, stand for ``[rows]``.

        Args:
            cells: ``[rows, columns]``.
            possible: Which columns were learned from, ``[columns]``.
        """

    def as_plain(self) -> dict[str, Any]:
        """Return plain values, of which :func:`feature_of` makes the same feature."""
        return {"kind": self.kind, "name": self.name}

    def _refuse(self, column: pd.Series, wrong: NDArray[np.bool_], needed: str) -> None:
        rows = np.flatnonzero(wrong)
        if rows.size:
            cell = column.iloc[int(rows[0])]
            shown = shortened(cell) if isinstance(cell, str) else str(cell)
            raise InputError(
                f"column {self.name!r} has {shown} in row {rows[0] + 1}, where {needed} is needed"
            )


@dataclass(frozen=True)
class Number(Feature):
    """A number as it is."""

    kind = "number"

    def encode(self, column: pd.Series) -> Cells:
        """See :meth:`Feature.encode`."""
        return cells_of(column)[:, None]

    def decode(self, cells: Cells, possible: NDArray[np.bool_]) -> NDArray[Any]:
        """See :meth:`Feature.decode`."""
        return cells[:, 0]


@dataclass(frozen=True)
class Truth(Feature):
    """True as 1 and false as 0."""

    kind = "truth"

    def encode(self, column: pd.Series) -> Cells:
        """See :meth:`Feature.encode`."""
        objects = column.to_numpy(object)
        cells = np.array([truth_of(cell) for cell in objects], np.float64)
        self._refuse(column, np.isnan(cells) & ~blanks(column), "true or false")
        return cells[:, None]

    def decode(self, cells: Cells, possible: NDArray[np.bool_]) -> NDArray[Any]:
        """Return True where a number is at least one half."""
        return cells[:, 0] >= 0.5


def truth_of(cell: Any) -> float:
    """Return a cell as 1 or 0; NaN where it is neither true nor false."""
    if isinstance(cell, bool | np.bool_ | int | float | np.number):
        return float(cell) if float(cell) in (0.0, 1.0) else math.nan
    return _TRUTH.get(cell.strip().lower(), math.nan) if isinstance(cell, str) else math.nan


@dataclass(frozen=True)
class Date(Feature):
    """Days since 1970.

    Attributes:
        resolution: What dates are rounded to when numbers are turned back.
        zone: The time zone they are given back in; None for dates without one.
    """

    resolution: str = "D"
    zone: str | None = None
    kind = "date"

    def encode(self, column: pd.Series) -> Cells:
        """See :meth:`Feature.encode`."""
        cells = days_of(column)
        self._refuse(column, np.isnan(cells) & ~blanks(column), "a date like 2020-01-31")
        return cells[:, None]

    def decode(self, cells: Cells, possible: NDArray[np.bool_]) -> NDArray[Any]:
        """Return dates without a time zone; those of a zone in universal time."""
        return dates_of(cells[:, 0], self.resolution)

    def as_plain(self) -> dict[str, Any]:
        """See :meth:`Feature.as_plain`."""
        return {**super().as_plain(), "resolution": self.resolution, "zone": self.zone}


@dataclass(frozen=True)
class Category(Feature):
    """An indicator for each category; all of them are missing where the cell is, or is none of these.

    Attributes:
        labels: The categories. A text and a number that are written alike are the same one.
        encoded: Names of the indicators.
    """

    labels: tuple[Label, ...] = ()
    encoded: tuple[str, ...] = ()
    kind = "category"

    @property
    def names(self) -> list[str]:
        """Of the indicators."""
        return list(self.encoded)

    def encode(self, column: pd.Series) -> Cells:
        """See :meth:`Feature.encode`; nothing is refused."""
        codes = self.codes(column)
        cells = np.zeros((len(codes), len(self.labels)))
        known = codes >= 0
        cells[~known] = np.nan
        cells[np.flatnonzero(known), codes[known]] = 1.0
        return cells

    def codes(self, column: pd.Series) -> NDArray[np.int64]:
        """Return the place of each cell's category, -1 where it is missing, -2 where it is none of these."""
        place_of = {key_of(label): place for place, label in enumerate(self.labels)}
        numbers, distinct = pd.factorize(column.to_numpy(object))
        places = [-1 if _is_blank(cell) else place_of.get(key_of(cell), -2) for cell in distinct]
        return np.array([*places, -1], np.int64)[numbers]

    def decode(self, cells: Cells, possible: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the label of the largest indicator among those that were learned from."""
        if not possible.any():
            possible = np.ones_like(possible)
        largest = np.where(possible, cells, -np.inf).argmax(axis=1)
        labels = np.empty(len(self.labels), object)
        labels[:] = self.labels
        decoded: NDArray[Any] = labels[largest]
        return decoded

    def as_plain(self) -> dict[str, Any]:
        """See :meth:`Feature.as_plain`."""
        return {**super().as_plain(), "labels": list(self.labels), "encoded": list(self.encoded)}


def blanks(column: pd.Series) -> NDArray[np.bool_]:
    """Return which cells are missing, blank text among them, ``[rows]``."""
    missing: NDArray[np.bool_] = column.isna().to_numpy(bool, copy=True)
    if column.dtype.kind in "biufcmM":
        return missing
    blank = np.array([_is_blank(cell) for cell in column.to_numpy(object)], bool)
    missing |= blank
    return missing


def _is_blank(cell: Any) -> bool:
    return isinstance(cell, str) and not cell.strip()


def key_of(label: Any) -> str:
    """Return a category as CSV would have it: 1, 1.0 and "1" are one."""
    if isinstance(label, float | np.floating) and float(label).is_integer() and abs(float(label)) < 2**53:
        return str(int(label))
    return str(label)


def plain_label(cell: Any) -> Label:
    """Return a category as a plain value, which a model file can hold."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    return cell if type(cell) in (str, int, float, bool) else str(cell)


def feature_of(plain: Any) -> Feature:
    """Return the feature of :meth:`Feature.as_plain`.

    Raises:
        ValueError, KeyError: If that makes no sense.
    """
    if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str):
        raise ValueError("a column of its encoding must have a name")
    make = _KINDS.get(plain["kind"]) if isinstance(plain["kind"], str) else None
    if make is None:
        raise ValueError(
            f"a column of its encoding must be one of {', '.join(_KINDS)}, got {plain['kind']!r}"
        )
    feature = make(plain)
    if feature.as_plain() != dict(plain):
        raise ValueError(f"column {feature.name!r} of its encoding must be described by known parts")
    return feature


def _date(plain: Mapping[str, Any]) -> Date:
    resolution, zone = plain["resolution"], plain["zone"]
    if resolution not in RESOLUTIONS:
        raise ValueError(
            f"dates of its encoding must be rounded to {', '.join(RESOLUTIONS)}, got {resolution!r}"
        )
    if zone is not None:
        try:
            pd.DatetimeTZDtype(tz=zone)
        except Exception:  # of whatever library knows time zones
            raise ValueError(f"dates of its encoding must have a known time zone, got {zone!r}") from None
    return Date(plain["name"], resolution, zone)


def _category(plain: Mapping[str, Any]) -> Category:
    labels, encoded = _listed(plain["labels"]), _listed(plain["encoded"])
    if not labels or len(labels) != len(encoded) or not all(isinstance(name, str) for name in encoded):
        raise ValueError("a category of its encoding must have an indicator with a name")
    if not all(type(label) in (str, int, float, bool) for label in labels):
        raise ValueError("categories of its encoding must be text, numbers or truth values")
    if len({key_of(label) for label in labels}) != len(labels):
        raise ValueError("categories of its encoding must differ")
    return Category(plain["name"], tuple(labels), tuple(encoded))


def _listed(values: Any) -> Sequence[Any]:
    if not isinstance(values, list):
        raise ValueError("categories of its encoding must be a list")
    return values


_KINDS: dict[str, Callable[[Mapping[str, Any]], Feature]] = {
    "number": lambda plain: Number(plain["name"]),
    "truth": lambda plain: Truth(plain["name"]),
    "date": _date,
    "category": _category,
}
