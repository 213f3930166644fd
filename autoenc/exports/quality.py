"""Quality of the reconstruction of each column of some rows, in the column's own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ColumnQuality", "Quality", "quality_of"]


@dataclass(frozen=True)
class ColumnQuality:
    """Of a column.

    Attributes:
        name: Of the column.
        missing: Share of its cells that are missing.
        error: Root of the mean squared error over observed cells; None where there is none.
        deviation: Standard deviation of these cells.
        explained: 1 - squared error / squared deviation from their mean; None of a constant column.
    """

    name: str
    missing: float
    error: float | None
    deviation: float | None
    explained: float | None


@dataclass(frozen=True)
class Quality:
    """Of a table.

    Attributes:
        n_rows: Rows that were measured.
        columns: Each column.
    """

    n_rows: int
    columns: tuple[ColumnQuality, ...]

    @property
    def explained(self) -> float | None:
        """The mean over the columns that are not constant; None where there is none."""
        known = [column.explained for column in self.columns if column.explained is not None]
        return float(np.mean(known)) if known else None


def quality_of(
    names: Sequence[str] | None, cells: NDArray[np.float64], reconstruction: NDArray[np.float64]
) -> Quality:
    """Measure reconstructions.

    Args:
        names: Of the columns; None where they have none.
        cells: Rows in original units, ``[rows, columns]``, NaN where a cell is missing.
        reconstruction: The same as the model gives them back.
    """
    known = [f"column {j + 1}" for j in range(cells.shape[1])] if names is None else names
    columns = [_column(name, cells[:, j], reconstruction[:, j]) for j, name in enumerate(known)]
    return Quality(len(cells), tuple(columns))


def _column(name: str, cells: NDArray[np.float64], reconstruction: NDArray[np.float64]) -> ColumnQuality:
    is_observed = ~np.isnan(cells)
    observed = cells[is_observed]
    if not observed.size:
        return ColumnQuality(name, 1.0, None, None, None)
    squared = float(np.square(reconstruction[is_observed] - observed).mean())
    variance = float(np.square(observed - observed.mean()).mean())
    is_constant = bool(observed.min() == observed.max())
    explained = None if is_constant or not variance else 1 - squared / variance
    missing = 1 - observed.size / cells.size
    return ColumnQuality(name, missing, float(np.sqrt(squared)), float(np.sqrt(variance)), explained)
