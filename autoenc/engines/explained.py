"""Explained variance: a measure of reconstructions that does not depend on recipe, loss or scaling.

Of a column it is 1 minus the squared error over the squared deviation from the mean of the training rows,
both over the observed cells of the rows that judge and in the column's own units: 1 is perfect, 0 as good as
that mean. Of several folds the squared deviation is that of all their rows, in proportion to the cells that
judge: the mean over folds is then the explained variance of all these rows together, and no fold decides in
which a column happens to vary little. Of a table it is the mean over its columns; indicators of categories
that stand for one column of text count as one, their squared errors and deviations added up after scaling.
Where the rows that judge have the mean of the training rows it is what scikit-learn calls ``r2_score``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split

__all__ = ["explained_by_column", "explained_variance", "mean_explained", "reconstruction_loss"]

_CHUNK_CELLS = 2**22
"""Cells that are reconstructed at once."""
_CELLS_IN_DOUBLE = 2**18
"""Of these, the cells that are compared at once."""

Reconstruct = Callable[[NDArray[np.int64]], NDArray[np.floating]]


def explained_by_column(split: Split, reconstruct: Reconstruct) -> NDArray[np.float64]:
    """Return the explained variance of each column over the rows that judge a split.

    Args:
        split: The data.
        reconstruct: Takes row indices ``[n]``; returns their scaled reconstructions ``[n, columns]``.

    Returns:
        ``[columns]``; NaN of columns that are constant in the training rows or in the rows that judge, of
        which nothing can be explained, and 0 of others that are left out of the loss.
    """
    error, total, is_judged = _errors(split, reconstruct)
    explained = np.full(error.size, np.nan)
    np.divide(total - error, total, out=explained, where=is_judged)
    explained[is_judged & split.is_left_out] = 0.0
    return explained


def reconstruction_loss(
    split: Split, rows: NDArray[np.int64], reconstruct: Reconstruct, recipe: Recipe
) -> float:
    """Return the loss :func:`autoenc.models.loss.sparse_aware_loss` of rows, summed in double precision.

    Args:
        split: The data.
        rows: Indices of the rows ``[n]``.
        reconstruct: Takes row indices; returns their scaled reconstructions ``[n, columns]``.
        recipe: Has the weights.
    """
    over_all = over_nonzero = 0.0
    n_observed = n_nonzero = 0
    for chunk in _chunks(split, rows):
        target = split.values[chunk]
        nonzero = ~np.isnan(target) & (target != 0)
        error = np.nan_to_num(
            np.square(reconstruct(chunk) - target, dtype=np.float64), nan=0.0, posinf=np.inf
        )
        over_all, n_observed = over_all + float(error.sum()), n_observed + int((~np.isnan(target)).sum())
        over_nonzero, n_nonzero = over_nonzero + float(error[nonzero].sum()), n_nonzero + int(nonzero.sum())
    return recipe.all_weight * over_all / max(n_observed, 1) + recipe.nonzero_weight * over_nonzero / max(
        n_nonzero, 1
    )


def _errors(
    split: Split, reconstruct: Reconstruct
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Squared errors, squared deviations, and which columns can be judged, each ``[columns]``."""
    mean, total, is_judged = split.deviations
    error = np.zeros(mean.size)
    for rows in _chunks(split, split.test):
        error += _squared_errors(split, rows, reconstruct(rows))
    return error, total, is_judged


def _squared_errors(
    split: Split, rows: NDArray[np.int64], reconstruction: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Sum of the squared errors of each column, ``[columns]``, few rows in double precision at once."""
    n_columns = reconstruction.shape[1]
    # Of one column numpy adds up pairs, which no blocks would.
    n_at_once = max(1, _CELLS_IN_DOUBLE // n_columns) if n_columns > 1 else max(1, rows.size)
    sums = np.zeros((1, n_columns))
    for start in range(0, rows.size, n_at_once):
        part = slice(start, start + n_at_once)
        restored = reconstruction[part].astype(np.float64)
        if split.undo is not None:
            restored = split.undo(restored)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.square(restored - split.target(rows[part]))
            squares[np.isnan(squares)] = 0.0
            # The sum so far goes first: the same order of additions as over all rows at once.
            sums = np.concatenate([sums, squares]).sum(axis=0, keepdims=True)
    by_column: NDArray[np.float64] = sums[0]
    return by_column


def _chunks(split: Split, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    n_rows = max(1, _CHUNK_CELLS // max(split.values.shape[1], 1))
    return [rows[start : start + n_rows] for start in range(0, rows.size, n_rows)]


def mean_explained(by_column: NDArray[np.float64]) -> float | None:
    """Return the mean over the columns that can be judged; None where there is none."""
    judged = by_column[~np.isnan(by_column)]
    return float(judged.mean()) if judged.size else None


def explained_variance(split: Split, reconstruct: Reconstruct) -> float | None:
    """Return the mean explained variance over the columns of a split; see :func:`explained_by_column`."""
    if split.groups is None:
        return mean_explained(explained_by_column(split, reconstruct))
    error, total, is_judged = _errors(split, reconstruct)
    error = np.where(split.is_left_out, total, error)
    if split.original is not None:  # in shares of rows; scaled indicators are divided by the roots of theirs
        share = np.where((split.groups >= 0) & is_judged, split.deviations[0], 1.0)
        error, total = error / share, total / share
    explained = []
    for group in np.unique(split.groups[is_judged]).tolist():
        ours = is_judged & (split.groups == group)
        if group >= 0:
            explained.append(1 - error[ours].sum() / total[ours].sum())
        else:
            explained += (1 - error[ours] / total[ours]).tolist()
    return mean_explained(np.array(explained, np.float64))
