"""Standard errors of means over folds and seeds, from both the rows that measured them and the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.searching.trials import Trial, TrialResult

__all__ = ["Component", "combined", "components", "corrected_error", "losses_of", "test_train_ratio"]


class Component(NamedTuple):
    """Contribution of one source to the variance of the means of rows.

    Attributes:
        variance: ``[rows]``, of the mean.
        degrees: ``[rows]``, degrees of freedom of that estimate.
        most_degrees: Of the difference of two rows at most.
    """

    variance: NDArray[np.float64]
    degrees: NDArray[np.float64]
    most_degrees: float


def losses_of(results: Sequence[TrialResult]) -> NDArray[np.float64]:
    """Return the losses ``[trials, folds, seeds]`` of trials that were measured by the same fits."""
    first = results[0].trial
    shape = len(results), len(first.folds), len(first.seeds)
    return np.array([result.losses for result in results], float).reshape(shape)


def test_train_ratio(trial: Trial) -> float:
    """Return the share of test rows to training rows in a fold; 0 where one split judges."""
    return 0.0 if len(trial.folds) == 1 else 1 / (len(trial.folds) - 1)


def components(losses: NDArray[np.float64], ratio: float, pool: bool = True) -> list[Component]:
    """Return the variance of each row's mean that is due to folds, and that which is due to seeds.

    All folds share the seeds, so the luck of initial weights is common to the folds of a row, and the spread
    over folds does not show it; it has a component of its own, the spread over seeds of the means over folds.
    That of the folds, without what a fold does to all rows alike, has the variance of Nadeau and Bengio
    (Machine Learning 52, 2003), which allows for training sets that overlap: 1/folds + test/training rows.

    Args:
        losses: ``[rows, folds, seeds]``.
        ratio: Test rows / training rows of a fold; 0 without folds.
        pool: Take what rows do alike out of the folds, and never take a variance below the mean of all rows',
            each in units of the row's mean: an estimate from two seeds alone is often far too low.

    Returns:
        A component for folds, where there are two at least, and one for seeds, where there are two.
    """
    n_rows, n_folds, n_seeds = losses.shape
    means = losses.mean(axis=(1, 2))
    parts = []
    if n_folds > 1:
        by_fold = losses.mean(axis=2) - means[:, None]
        share = 1.0
        if pool and n_rows > 1:
            by_fold, share = by_fold - by_fold.mean(axis=0), 1 - 1 / n_rows
        own = (by_fold**2).sum(axis=1) / (n_folds - 1) / share
        n_free = (n_rows - 1 if pool and n_rows > 1 else 1) * (n_folds - 1.0)
        parts.append(_component(own, n_free, n_folds - 1.0, 1 / n_folds + ratio, means, pool))
    if n_seeds > 1:
        by_seed = losses.mean(axis=1) - means[:, None]
        own = (by_seed**2).sum(axis=1) / (n_seeds - 1)
        n_free = (n_rows if pool else 1) * (n_seeds - 1.0)
        parts.append(_component(own, n_free, n_seeds - 1.0, 1 / n_seeds, means, pool))
    return parts


def _component(
    own: NDArray[np.float64],
    pooled_degrees: float,
    own_degrees: float,
    factor: float,
    means: NDArray[np.float64],
    pool: bool,
) -> Component:
    if not pool:
        return Component(factor * own, np.full(len(own), own_degrees), own_degrees)
    unit = means**2 if (means > 0).all() else np.ones(len(means))
    typical = unit * (own / unit).mean()
    return Component(factor * np.maximum(own, typical), np.full(len(own), pooled_degrees), pooled_degrees)


def combined(
    variances: Sequence[NDArray[np.float64]], degrees: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of variances, and its degrees of freedom by Satterthwaite (Biometrics Bulletin 2, 1946).

    Args:
        variances: Independent estimates, an array each.
        degrees: Their degrees of freedom, of the same shapes.
    """
    total = np.sum(variances, axis=0)
    parts = np.sum([v * (v / d) for v, d in zip(variances, degrees, strict=True)], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(parts > 0, total * (total / parts), min(float(d.min()) for d in degrees))
    return total, free


def corrected_error(result: TrialResult) -> float | None:
    """Return the standard error of a trial's mean loss over folds and seeds; None of a single fit.

    With one seed it does not know how far another seed would be; with one split, how far other rows would.
    """
    parts = components(losses_of([result]), test_train_ratio(result.trial), pool=False)
    return sqrt(sum(float(part.variance[0]) for part in parts)) if parts else None
