"""Markers of missing cells, besides empty ones."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.data.naming import is_number, with_columns

__all__ = ["MISSING_WORDS", "Markers", "without_markers"]

MISSING_WORDS = frozenset([
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
])  # fmt: skip
"""What stands for a missing number beside an empty cell: the words that pandas knows."""


class Markers:
    """Markers that a user has named; a number is one however it is written.

    Args:
        given: Words and numbers.

    Attributes:
        words: As they are written.
        numbers: Those that are numbers, ``[numbers]``.
    """

    def __init__(self, given: Collection[str]) -> None:
        self.words = frozenset(word.strip() for word in given)
        self.numbers = np.array(sorted(float(word) for word in self.words if is_number(word)), np.float64)

    def __bool__(self) -> bool:
        return bool(self.words)

    def mark(self, cell: Any) -> bool:
        """Return whether a cell is one of them."""
        if isinstance(cell, str):
            text = cell.strip()
            return text in self.words or (is_number(text) and float(text) in self.numbers)
        is_real = isinstance(cell, int | float | np.number) and not isinstance(cell, bool)
        return is_real and float(cell) in self.numbers

    def forget(self, values: NDArray[np.float64]) -> None:
        """Make those numbers missing, in place."""
        if self.numbers.size:
            values[np.isin(values, self.numbers)] = np.nan


def without_markers(frame: pd.DataFrame, as_text: Collection[str], markers: Markers) -> pd.DataFrame:
    """Return a frame whose marked cells are missing; columns ``as_text`` keep the others as they are."""
    changed = {}
    for column in frame.columns if markers else ():
        marked = _marked(frame[column], markers)
        if marked.any():
            kept = frame[column].astype(object) if column in as_text else frame[column]
            changed[column] = kept.mask(marked)
    return with_columns(frame, changed)


def _marked(column: pd.Series, markers: Markers) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(False, column.index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.isin(markers.numbers.tolist()).astype(bool)
    return column.map(markers.mark).fillna(False).astype(bool)
