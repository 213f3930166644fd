"""Explained variance of rows that a model was not fitted on, weighted where rows have weights.

The measure is that of :mod:`autoenc.engines.explained`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.explained import mean_explained
from autoenc.errors import InputError

__all__ = ["explained_score"]

_ROUNDED = 8  # units in the last place: how far apart means of the same cells may be, by the order of the sum


def explained_score(
    cells: NDArray[np.float64],
    reconstruction: NDArray[np.float64],
    means: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Average over columns 1 - squared error / squared deviation from the mean of the training rows.

    Args:
        cells: Rows, ``[rows, columns]``; NaN is missing, and enters neither sum.
        reconstruction: What a model makes of them.
        means: Of the training rows, ``[columns]``; NaN of columns that are not judged.
        weights: Of the rows, ``[rows]``.

    Raises:
        InputError: If no column deviates from its mean, so that there is nothing to explain.
    """
    weight = np.ones(len(cells)) if weights is None else weights
    error = np.nansum(weight[:, None] * np.square(reconstruction - cells), axis=0)
    deviations = cells - means
    deviations[np.abs(deviations) <= _ROUNDED * np.spacing(np.abs(means))] = 0
    total = np.nansum(weight[:, None] * np.square(deviations), axis=0)
    explained = np.full(means.size, np.nan)
    np.divide(total - error, total, out=explained, where=(total > 0) & ~np.isnan(means))
    mean = mean_explained(explained)
    if mean is None:
        raise InputError("score: no column of these rows varies, so that there is nothing to explain")
    return mean
