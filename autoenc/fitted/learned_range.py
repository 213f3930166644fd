"""Cells far outside of what a model has learned from, which it can say nothing of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoenc.data.table import Scaling
from autoenc.errors import InputError

__all__ = ["far_outside", "refuse_beyond", "refuse_no_number"]

_SPANS = 5.0
"""A cell is far outside where it is past the learned range by more than this many times its width."""
_SCALED = 100.0
"""Where a file does not tell the range: a scaled cell larger than this is far outside."""
_UNSCALED = 1e12
"""The same where columns are not scaled: past this, squares leave what single precision can add."""
_MOST_COLUMNS = 5


def far_outside(
    cells: NDArray[np.float64], scaling: Scaling, columns: Sequence[str] | None = None
) -> list[str]:
    """Name columns with cells far outside of what was learned from, a sentence each.

    Args:
        cells: Rows in original units, ``[rows, columns]``.
        scaling: Of the columns, with the range that it was fitted on where that is known.
        columns: Their names.
    """
    texts: list[str] = []
    without = scaling.without_information
    for j in range(cells.shape[1]):
        low, high = _limits(scaling, j)
        if without[j]:  # such cells take no part
            continue
        column = cells[:, j]
        far = np.flatnonzero((column < low) | (column > high))
        if not far.size:
            continue
        if len(texts) == _MOST_COLUMNS:
            return [*texts, "cells of more columns are far outside, too"]
        row = int(far[0])
        more = f" (and {far.size - 1} more cells of it)" if far.size > 1 else ""
        texts.append(
            f"row {row + 1}, column {_name(columns, j)}: {column[row]:g} is far outside of what the model "
            f"learned from{_range_text(scaling, j)}{more}"
        )
    return texts


def _limits(scaling: Scaling, j: int) -> tuple[float, float]:
    if scaling.low is not None and scaling.high is not None:
        low, high = float(scaling.low[j]), float(scaling.high[j])
        width = _SPANS * ((high - low) or abs(high))
        return low - width, high + width
    width = _UNSCALED if scaling.kind == "none" else _SCALED * float(scaling.scale[j])
    return float(scaling.center[j]) - width, float(scaling.center[j]) + width


def _range_text(scaling: Scaling, j: int) -> str:
    if scaling.low is None or scaling.high is None:
        return ""
    return f", {scaling.low[j]:g} to {scaling.high[j]:g}"


def refuse_beyond(
    scaled: NDArray[np.float32], cells: NDArray[np.float64], start: int, columns: Sequence[str] | None
) -> None:
    """See that scaled cells are finite or missing.

    Raises:
        InputError: If one is not; it names row and column.
    """
    if not np.isinf(scaled).any():
        return
    row, j = (int(place) for place in np.argwhere(np.isinf(scaled))[0])
    raise InputError(
        f"row {start + row + 1}, column {_name(columns, j)}: {cells[start + row, j]:g} is too far outside of "
        "what the model learned from to be computed with; leave a missing cell empty"
    )


def refuse_no_number(values: NDArray[np.floating], start: int = 0) -> None:
    """See that results are finite.

    Raises:
        InputError: If one is not; it names the row.
    """
    if np.isfinite(values).all():
        return
    row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
    raise InputError(
        f"row {start + row + 1}: its cells are too far outside of what the model learned from: the result is "
        "no number; leave missing cells empty"
    )


def _name(columns: Sequence[str] | None, j: int) -> str:
    return str(j + 1) if columns is None else repr(columns[j])
