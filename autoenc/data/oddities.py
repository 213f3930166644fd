"""Columns that do not look like measurements: identifiers, and numbers that mark missing cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoenc.data.naming import as_value
from autoenc.errors import listed
from autoenc.system.text import counted

__all__ = ["odd_columns"]

_FEWEST_ROWS = 10  # of which ascending numbers are no accident
_NINES = tuple(float("9" * n) for n in range(2, 8))
_MARKERS = frozenset((*_NINES, *(-number for number in _NINES)))
_FILL = 1e20  # what scientific formats put into missing cells is this far out, or farther


def odd_columns(
    column_of: Callable[[int], NDArray[np.floating]],
    names: Sequence[str],
    *,
    look_for_identifiers: bool = True,
) -> list[str]:
    """Return warnings about identifiers and markers of missing cells among the columns to learn from.

    Args:
        column_of: Returns the cells of the column of a name, by the name's place; NaN where one is missing.
        names: Of the columns.
        look_for_identifiers: Whether to; a column that was asked for by name may well be one.
    """
    identifiers, warnings = [], []
    marked: dict[float, list[tuple[str, int]]] = {}
    for j, name in enumerate(names):
        column = column_of(j)
        if look_for_identifiers and is_identifier(column):
            identifiers.append(name)
            continue
        for marker, count in markers_in(column).items():
            marked.setdefault(marker, []).append((name, count))
    if identifiers:
        warnings.append(
            f"learned from, though whole, unique and ascending like an identifier: {listed(identifiers)}; "
            f"leave out what only identifies rows with --exclude {as_value(identifiers[:10])}"
        )
    for marker, columns_with in sorted(marked.items()):
        columns = listed([name for name, _ in columns_with])
        cells = counted(sum(count for _, count in columns_with), "cell")
        plural = "s" * (len(columns_with) > 1)
        warnings.append(
            f"{marker:.10g} stands in {cells} of {columns}, far from the other "
            f"values: if it marks missing cells, give --na_values {marker:.10g}; else --exclude "
            f"{as_value([name for name, _ in columns_with[:10]])} leaves the column{plural} out"
        )
    return warnings


def is_identifier(column: NDArray[np.floating]) -> bool:
    """Return whether all cells are whole, different and in order, or all numbers of a range in any order."""
    if column.size < _FEWEST_ROWS or not (column == np.floor(column)).all():  # NaN is not equal to itself
        return False
    steps = np.diff(column)
    rounded = abs(column[0]) >= 2.0**53  # so that neighbours may have become equal
    if steps.any() and any((step > 0 if not rounded else step >= 0).all() for step in (steps, -steps)):
        return True
    low, high = column.min(), column.max()
    return bool(high - low == column.size - 1 and np.unique(column).size == column.size)


def markers_in(column: NDArray[np.floating]) -> dict[float, int]:
    """Return usual markers of missing cells that stand far outside of all other values, with their cells."""
    observed = column[~np.isnan(column)]
    if observed.size == 0:
        return {}
    low, high = float(observed.min()), float(observed.max())
    if not any(_may_mark(end) for end in (low, high)):  # most columns end here
        return {}
    cells, counts = np.unique(observed, return_counts=True)
    may = np.array([_may_mark(float(cell)) for cell in cells])
    others = cells[~may].astype(np.float64)
    if others.size == 0:
        return {}
    spread = others[-1] - others[0]
    counts_by_marker = {}
    for cell, count in zip(cells[may].astype(np.float64), counts[may], strict=True):
        distance = max(others[0] - cell, cell - others[-1])
        if distance > max(spread, abs(cell) / 2):
            counts_by_marker[float(cell)] = int(count)
    return counts_by_marker


def _may_mark(cell: float) -> bool:
    return cell in _MARKERS or abs(cell) >= _FILL
