"""Paired bootstrap over rows: how sure it is that one model reconstructs better than another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import Recipe

__all__ = ["loss_difference_interval", "percentile_interval"]

_RESAMPLES = 2000
_CELLS_AT_ONCE = 2_000_000


def percentile_interval(
    rows: Sequence[NDArray[np.float64]], statistic: Callable[..., NDArray[np.float64]]
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a statistic by resampling rows, always in the same way.

    Args:
        rows: Arrays ``[rows]`` that stay together.
        statistic: Of such arrays, over the ``axis`` that it is given.

    Returns:
        Lower and upper bound; None of a single row, which cannot be resampled.
    """
    from scipy import stats

    if len(rows[0]) < 2:
        return None
    interval = stats.bootstrap(
        rows, statistic, paired=True, vectorized=True, method="percentile", n_resamples=_RESAMPLES,
        batch=max(1, _CELLS_AT_ONCE // len(rows[0])), rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(interval.low), float(interval.high)


def loss_difference_interval(
    reconstruction: NDArray[np.floating],
    other: NDArray[np.floating],
    target: NDArray[np.floating],
    recipe: Recipe,
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the difference of two losses; below 0 the first one is lower.

    Both models meet the same rows in each resample, so what makes a row hard for both cancels. The loss is
    that of :func:`~autoenc.analysis.baselines.reconstruction_loss`, computed anew for each
    resample. It speaks of other rows for these two models, not of other trainings. The seed is fixed: the
    same arrays, the same interval.

    Args:
        reconstruction: Of one model.
        other: Of the other one.
        target: The rows themselves, NaN where a cell is missing.
        recipe: Says how the loss weighs cells.

    Shape:
        reconstruction, other, target: ``[rows, columns]``, in scaled units.

    Returns:
        Lower and upper bound; None of a single row, which cannot be resampled.
    """
    observed = ~np.isnan(target)
    nonzero = observed & (target != 0)
    error = np.square(np.where(observed, reconstruction - target, 0.0), dtype=np.float64)
    error -= np.square(np.where(observed, other - target, 0.0), dtype=np.float64)
    rows = (error.sum(axis=1), (error * nonzero).sum(axis=1), observed.sum(axis=1), nonzero.sum(axis=1))

    def difference(over_all, over_nonzero, n_observed, n_nonzero, axis):  # type: ignore[no-untyped-def]
        loss = recipe.all_weight * over_all.sum(axis) / np.maximum(n_observed.sum(axis), 1)
        return loss + recipe.nonzero_weight * over_nonzero.sum(axis) / np.maximum(n_nonzero.sum(axis), 1)

    return percentile_interval(rows, difference)
