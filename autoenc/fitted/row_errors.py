"""Errors of reconstructed rows, and reconstructions outside of the learned range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.table import Scaling
from autoenc.engines import Recipe
from autoenc.errors import InputError

__all__ = ["leaves_range", "row_errors", "within_range"]


def row_errors(
    scaled: NDArray[np.floating], reconstruction: NDArray[np.floating], recipe: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the loss of each row alone, as if it were the whole table.

    Args:
        scaled: Rows, NaN where a cell is missing.
        reconstruction: What a model makes of them, in scaled units, too.
        recipe: Says how cells are weighted, where it does.

    Shape:
        scaled, reconstruction: ``[rows, columns]``; the result is ``[rows]``, NaN of rows without an observed
        cell.
    """
    observed = ~np.isnan(scaled)
    nonzero = observed & (scaled != 0)
    error = np.square(np.where(observed, reconstruction - scaled, 0.0), dtype=np.float64)
    of_all = error.sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    of_nonzero = (error * nonzero).sum(axis=1) / np.maximum(nonzero.sum(axis=1), 1)
    weights = [recipe.get(name, getattr(Recipe, name)) for name in ("all_weight", "nonzero_weight")]
    return np.where(observed.any(axis=1), weights[0] * of_all + weights[1] * of_nonzero, np.nan)


def leaves_range(values: NDArray[np.floating], scaling: Scaling) -> NDArray[np.bool_]:
    """Return which reconstructed rows leave the range of the training rows by more than its width.

    That is far outside of what was seen: -5 of items from 1 to 6. Columns without information take no part.

    Args:
        values: In original units, ``[rows, columns]``.
        scaling: Of the columns, which knows their ranges.

    Raises:
        InputError: If the range is not known, as in model files of earlier versions.

    Shape:
        The result is ``[rows]``.
    """
    low, high = _known_range(scaling, "outside")
    width = high - low
    with np.errstate(invalid="ignore"):  # of columns without a number in training the range is NaN
        outside = (values < low - width) | (values > high + width)
    return np.asarray((outside & ~scaling.without_information).any(axis=1))


def _known_range(scaling: Scaling, what: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if scaling.low is None or scaling.high is None:
        raise InputError(
            f"{what}: the model's file does not say which range it has learned from; train it again"
        )
    return scaling.low, scaling.high


def within_range(scaled: NDArray[np.float32], scaling: Scaling) -> NDArray[np.float32]:
    """Return reconstructions with what leaves the range of the training rows moved to its nearer end.

    Args:
        scaled: In scaled units, ``[rows, columns]``.
        scaling: Of the columns, which knows their ranges in original units.

    Raises:
        InputError: If the range is not known, as in model files of earlier versions.
    """
    low, high = (scaling.apply(end[None])[0] for end in _known_range(scaling, "clip"))
    kept: NDArray[np.float32] = np.fmax(np.fmin(scaled, high), low)
    return kept
