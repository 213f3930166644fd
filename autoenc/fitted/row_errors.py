"""Errors of reconstructed rows, and clipping of reconstructions to the learned range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.table import Scaling
from autoenc.engines.contract import Recipe
from autoenc.errors import InputError

__all__ = ["row_errors", "within_range"]


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


def within_range(scaled: NDArray[np.float32], scaling: Scaling) -> NDArray[np.float32]:
    """Return reconstructions with what leaves the range of the training rows moved to its nearer end.

    Args:
        scaled: In scaled units, ``[rows, columns]``.
        scaling: Of the columns, which knows their ranges in original units.

    Raises:
        InputError: If the range is not known, as in model files of earlier versions.
    """
    if scaling.low is None or scaling.high is None:
        raise InputError(
            "clip: the model's file does not say which range it has learned from; train it again"
        )
    low, high = (scaling.apply(end[None])[0] for end in (scaling.low, scaling.high))
    kept: NDArray[np.float32] = np.fmax(np.fmin(scaled, high), low)
    return kept
