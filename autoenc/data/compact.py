"""Cells of a long table, each column in the fewest bytes that hold every one of them exactly.

Most tables hold counts, or measurements with a few decimals: 12.25 is 1225 hundredths, and an integer of two
or four bytes. What such a column gives back are the same numbers in double precision, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "Cells", "Column", "Compact", "column_ends", "compacted", "in_fewest_bytes", "row_blocks",
    "worth_compacting",
]  # fmt: skip

_FEWEST_CELLS, _FEWEST_ROWS = 2**20, 10_000
"""Of a table that is long."""
_MOST_WIDE = 1 / 3
"""Of the columns: where more need double precision, an array of all of them takes little more."""
_MOST_DECIMALS = 15
_CELLS_AT_ONCE, _LEAST_ROWS_AT_ONCE = 2**18, 1024
_SAMPLE = 1000
_LARGEST_POWER = 22  # of ten that is a number in double precision
_POWERS = 10.0 ** np.arange(_LARGEST_POWER + 1)
_UNITS_AT_ONCE = 2**15
_INTEGERS: tuple[type[np.signedinteger[Any]], ...] = (np.int8, np.int16, np.int32)
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """The cells of a column, ``[rows]``.

    Attributes:
        numbers: Cells in single or double precision; or whole numbers of units, of which the lowest number of
            the type stands for a missing cell, and the next one for -0.
        decimals: Of whole numbers: a unit is 10 to the power of minus this, ``[rows]`` where each cell has
            a unit of its own.
        has_missing: Of whole numbers: whether a cell is missing.
        has_negative_zero: Of whole numbers: whether a cell is -0.
    """

    numbers: NDArray[Any]
    decimals: int | NDArray[np.int8] = 0
    has_missing: bool = False
    has_negative_zero: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes that the cells take."""
        return self.numbers.nbytes + (0 if isinstance(self.decimals, int) else self.decimals.nbytes)

    def cells(self, rows: Any) -> Doubles:
        """Return cells of some rows, an array of its own."""
        part = np.asarray(self.numbers[rows])
        cells = part.astype(np.float64)
        if part.dtype.kind == "i":
            # Rounded once, to the nearest number, as reading a decimal does.
            if not isinstance(self.decimals, int):
                _take_own_units(cells, np.asarray(self.decimals[rows]))
            elif self.decimals:
                cells /= float(10**self.decimals)
            least = np.iinfo(part.dtype).min
            if self.has_missing:
                cells[part == least] = np.nan
            if self.has_negative_zero:
                cells[part == least + 1] = -0.0
        return cells


class Compact:
    """What an array ``[rows, columns]`` in double precision is for those who take cells from it.

    An index is one of rows, or one of rows and one of columns, as arrays know them, or what ``np.ix_`` makes;
    the answer is always an array of its own.
    """

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.shape = len(self.columns[0].numbers), len(self.columns)

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that the cells take."""
        return sum(column.nbytes for column in self.columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        rows, places = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(places, int | np.integer):
            return self.columns[int(places)].cells(rows)
        if np.ndim(places) == 2:
            rows, places = rows[:, 0], places[0]
        chosen = [self.columns[j] for j in np.arange(len(self.columns))[places].tolist()]
        if isinstance(rows, int | np.integer):
            return np.array([column.cells(rows) for column in chosen], np.float64)
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        n_rows = len(range(*rows.indices(len(self)))) if isinstance(rows, slice) else rows.size
        cells = np.empty((n_rows, len(chosen)))
        for i, column in enumerate(chosen):
            cells[:, i] = column.cells(rows)
        return cells

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self.astype(np.float64 if dtype is None else dtype)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> NDArray[Any]:
        """Return all cells as an array of a type, always a new one."""
        cells = np.empty(self.shape, dtype)
        for block in row_blocks(self):
            cells[block] = self[block]
        return cells

    def only(self, places: NDArray[np.int64]) -> Compact:
        """Return some of the columns."""
        return Compact([self.columns[j] for j in places.tolist()])

    def replaced(self, columns: dict[int, Doubles]) -> Compact:
        """Return the same with other cells in some columns, by their place."""
        changed = {j: in_fewest_bytes(cells) for j, cells in columns.items()}
        return Compact([changed.get(j, column) for j, column in enumerate(self.columns)])


Cells: TypeAlias = NDArray[np.floating] | Compact
"""A table's cells ``[rows, columns]``."""


def row_blocks(cells: Cells) -> Iterator[slice]:
    """Yield blocks of rows that are small enough for a processor's cache, unless the table is wide."""
    n_rows, n_columns = cells.shape
    n_at_once = max(_LEAST_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(1, n_columns))
    for start in range(0, n_rows, n_at_once):
        yield slice(start, min(start + n_at_once, n_rows))


def column_ends(cells: Cells) -> tuple[Doubles, Doubles]:
    """Return the lowest and the highest observed cell of each column, NaN where there is none."""
    if not isinstance(cells, Compact):
        return np.fmin.reduce(cells), np.fmax.reduce(cells)
    columns = (cells[:, j] for j in range(cells.shape[1]))
    low, high = zip(*((np.fmin.reduce(column), np.fmax.reduce(column)) for column in columns), strict=True)
    return np.array(low), np.array(high)


def worth_compacting(n_rows: int, n_columns: int) -> bool:
    """Return whether a table is so long that its bytes count more than the time that each column costs."""
    return n_rows >= _FEWEST_ROWS and n_rows * n_columns >= _FEWEST_CELLS


def compacted(n_rows: int, n_columns: int, column: Callable[[int], NDArray[np.float64]]) -> Compact | None:
    """Return the cells of a table in fewer bytes; None where it is short, or most cells need all eight.

    Args:
        n_rows: Its rows.
        n_columns: Its columns.
        column: Returns the cells of a column, by its place; some are asked for twice.
    """
    if not worth_compacting(n_rows, n_columns):
        return None
    columns: list[Column | None] = []
    for j in range(n_columns):
        columns.append(_in_fewer_bytes(column(j)))
        if columns.count(None) > _MOST_WIDE * n_columns:
            return None
    return Compact([Column(np.array(column(j))) if kept is None else kept for j, kept in enumerate(columns)])


def in_fewest_bytes(cells: Doubles) -> Column:
    """Return the cells of a column in as few bytes as hold them exactly, in double precision at worst."""
    return _in_fewer_bytes(cells) or Column(np.array(cells))


def _in_fewer_bytes(cells: Doubles) -> Column | None:
    """Return a column in fewer bytes; None where that would change a cell."""
    sample = cells[:: -(-cells.size // _SAMPLE)]
    for decimals in range(_MOST_DECIMALS + 1):
        if _units(sample, decimals) is not None and (column := _whole_units(cells, decimals)) is not None:
            return column
    with np.errstate(over="ignore"):
        if ((sample.astype(np.float32) == sample) | np.isnan(sample)).all():
            single = cells.astype(np.float32)
            if ((single == cells) | np.isnan(cells)).all():
                return Column(single)
    return None if _few_digits(sample) is None else _few_digits(cells)


def _units(cells: Doubles, decimals: int) -> Doubles | None:
    """Return how many units observed cells are, 0 for missing ones; None where they are no whole ones."""
    unit, is_missing = float(10**decimals), np.isnan(cells)
    with np.errstate(over="ignore"):
        units: Doubles = np.rint(cells * unit)
    units[is_missing] = 0
    if np.abs(units).max(initial=0) > np.iinfo(np.int32).max - 1:
        return None
    return units if ((units / unit == cells) | is_missing).all() else None


def _whole_units(cells: Doubles, decimals: int) -> Column | None:
    """Return a column of whole numbers of units; None where a cell is none."""
    numbers, least = np.empty(cells.size, np.int32), np.iinfo(np.int32).min
    low = high = 0.0
    has_missing = has_negative_zero = False
    for start in range(0, cells.size, _CELLS_AT_ONCE):
        part = slice(start, start + _CELLS_AT_ONCE)
        block = np.ascontiguousarray(cells[part])
        units = _units(block, decimals)
        if units is None:
            return None
        low, high = min(low, float(units.min())), max(high, float(units.max()))
        numbers[part] = units
        is_missing, is_negative_zero = np.isnan(block), (units == 0) & np.signbit(block)
        is_negative_zero &= ~is_missing
        if is_missing.any():
            has_missing, numbers[part][is_missing] = True, least
        if is_negative_zero.any():
            has_negative_zero, numbers[part][is_negative_zero] = True, least + 1
    # Where both stand for something, numbers begin two above the lowest.
    small = next(kind for kind in _INTEGERS if np.iinfo(kind).min + 2 <= low and high <= np.iinfo(kind).max)
    fewer = numbers.astype(small, copy=False)
    for mark, is_there in enumerate((has_missing, has_negative_zero)):
        if is_there:
            fewer[numbers == least + mark] = np.iinfo(small).min + mark
    return Column(fewer, decimals, has_missing, has_negative_zero)


def _take_own_units(units: Doubles, decimals: NDArray[np.int8]) -> None:
    """Make cells of units in place, each of its own decimals."""
    flat, places = units.reshape(-1), decimals.reshape(-1)
    for start in range(0, flat.size, _UNITS_AT_ONCE):
        part = slice(start, start + _UNITS_AT_ONCE)
        flat[part] /= _POWERS.take(places[part], mode="clip")  # 1 where decimals are below 0
        if places[part].min() < 0:
            flat[part] *= _POWERS.take(-places[part], mode="clip")


def _few_digits(cells: Doubles) -> Column | None:
    """Return a column of cells of nine digits at most, wherever their point is; None where one has more."""
    numbers, decimals = np.empty(cells.size, np.int32), np.zeros(cells.size, np.int8)
    least, marks = np.iinfo(np.int32).min, [False, False]
    for start in range(0, cells.size, _CELLS_AT_ONCE):
        part = slice(start, start + _CELLS_AT_ONCE)
        block = np.ascontiguousarray(cells[part])
        is_missing = np.isnan(block)
        if np.isinf(block).any():
            return None
        known = np.where(is_missing, 0.0, block)
        # As many decimals as leave room in 32 bits for what is next to the largest of such size.
        places = np.floor(np.log10(2.0**31 - 4) - np.frexp(known)[1] * np.log10(2.0)).astype(np.int64)
        places[known == 0] = 0
        if np.abs(places).max(initial=0) > _LARGEST_POWER:
            return None
        decimals[part] = places
        units = np.rint(known * _POWERS.take(places, mode="clip") / _POWERS.take(-places, mode="clip"))
        back = units.copy()
        _take_own_units(back, decimals[part])
        if not (back == known).all():
            return None
        numbers[part] = units
        is_negative_zero = (known == 0) & np.signbit(block) & ~is_missing
        for mark, is_marked in enumerate((is_missing, is_negative_zero)):
            if is_marked.any():
                numbers[part][is_marked], marks[mark] = least + mark, True
    return Column(numbers, decimals, *marks)
