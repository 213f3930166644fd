"""Scaled data, divided into rows to train on and rows to test on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Origin", "RowsOfCells", "Split"]

Measured = TypeVar("Measured")
_CELLS_AT_ONCE = 2**17  # of columns whose deviations are taken together


class Origin:
    """What is the same of splits that are equal, but made one after the other.

    Attributes:
        measures: What was found out about them, by its name, so that it is found out once.
    """

    def __init__(self) -> None:
        self.measures: dict[Hashable, Any] = {}


class RowsOfCells(Protocol):
    """What an array ``[rows, columns]`` is for those who take rows from it, or columns of rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        """Return cells of some rows, or with a slice beside them of some columns of these rows."""


@dataclass(frozen=True)
class Split:
    """Scaled data with the rows to train on and the rows to test on.

    Attributes:
        values: float32 ``[rows, columns]``, C-contiguous, NaN where a cell is missing.
        train, test: int64 ``[n]``, row indices into ``values``.
        original: ``[rows, columns]`` before scaling, where that is needed to judge: where a column is bent,
            or left out of the loss though it varies. None where columns are only moved and stretched.
        undo: Takes scaled values back to the original units; None without ``original``.
        groups: int64 ``[columns]``, for indicators of categories a number that those of one column share, for
            others a negative one; None where there are no indicators.
        is_fold: Whether it is one of several folds, whose deviations are taken over all their rows.
        origin: What it shares with splits that are equal; None of one that is not made again.
    """

    values: NDArray[np.float32]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    original: RowsOfCells | None = None
    undo: Callable[[NDArray[np.floating]], NDArray[np.float64]] | None = None
    groups: NDArray[np.int64] | None = None
    is_fold: bool = False
    origin: Origin | None = None

    def target(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what reconstructions are judged by, ``[n, columns]``; see ``original``."""
        values: RowsOfCells = self.values if self.original is None else self.original
        return values[rows].astype(np.float64, copy=False)

    @cached_property
    def is_left_out(self) -> NDArray[np.bool_]:
        """Columns without a scaled cell in the training rows, ``[columns]``: no network learns them."""
        return self._measured("is_left_out", self._left_out)

    def _left_out(self) -> NDArray[np.bool_]:
        left_out = np.ones(self.values.shape[1], bool)
        for start in range(0, self.train.size, 4096):
            left_out &= np.isnan(self.values[self.train[start : start + 4096]]).all(axis=0)
            if not left_out.any():
                break
        return left_out

    @cached_property
    def deviations(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Means over the training rows, squared deviations from them, and which columns can be judged.

        Returns:
            Each ``[columns]``; the squared deviations are sums over the observed cells of the test rows, of a
            fold those of all its rows in proportion to them. A column can be judged that varies in the
            training rows and deviates in the test rows.
        """
        return self._measured("deviations", self._deviations)

    def _measured(self, name: str, measure: Callable[[], Measured]) -> Measured:
        """Return what was found out about this split, or about an equal one."""
        if self.origin is None:
            return measure()
        measures, key = self.origin.measures, (name, self.is_fold)
        if key not in measures:
            measures[key] = measure()
        measured: Measured = measures[key]
        return measured

    def _deviations(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        n_columns = self.values.shape[1]
        mean, total = np.zeros(n_columns), np.zeros(n_columns)
        values: RowsOfCells = self.values if self.original is None else self.original
        n_at_once = max(1, _CELLS_AT_ONCE // max(1, self.train.size))  # the rows are never copied as a whole
        for start in range(0, n_columns, n_at_once):
            block = slice(start, start + n_at_once)
            sides = (values[rows, block].T for rows in (self.train, self.test))
            train, test = (np.ascontiguousarray(side, np.float64) for side in sides)
            for columns, in_train, in_test in _by_count(train, test):
                varies = in_train.max(axis=1) > in_train.min(axis=1)
                columns = columns[varies] + start
                in_train, in_test = _some(in_train, varies), _some(in_test, varies)
                means = in_train.mean(axis=1)
                mean[columns] = means
                total[columns] = np.square(in_test - means[:, None]).sum(axis=1)
                if self.is_fold:
                    n_train, n_test = in_train.shape[1], in_test.shape[1]
                    of_train = np.square(in_train - means[:, None]).sum(axis=1)
                    total[columns] = (total[columns] + of_train) * (n_test / (n_train + n_test))
        return mean, total, total > 0


def _by_count(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield columns with as many observed cells as each other, and these cells of both sides.

    Args:
        train: ``[columns, training rows]``, NaN where a cell is missing.
        test: ``[columns, test rows]``.

    Returns:
        Places of the columns ``[n]``, and the observed cells of each ``[n, cells]``.
    """
    seen_train, seen_test = ~np.isnan(train), ~np.isnan(test)
    counts = np.stack([seen_train.sum(axis=1), seen_test.sum(axis=1)], axis=1)
    for n_train, n_test in np.unique(counts, axis=0).tolist():
        if n_train and n_test:
            is_one = (counts == (n_train, n_test)).all(axis=1)
            columns = np.flatnonzero(is_one)
            in_train = _some(_some(train, is_one), _some(seen_train, is_one)).reshape(columns.size, n_train)
            in_test = _some(_some(test, is_one), _some(seen_test, is_one)).reshape(columns.size, n_test)
            yield columns, in_train, in_test


def _some(cells: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[Any]:
    """Return what is chosen of some cells, which are not copied where that is all of them."""
    return cells if chosen.all() else cells[chosen]
