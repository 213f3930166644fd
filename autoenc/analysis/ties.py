"""Trials that may be as good as the best: each is compared with the best, which was picked among all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.error import combined, components, losses_of, test_train_ratio
from autoenc.searching.trials import TrialResult

__all__ = ["ALPHA", "range_p", "tied_trials", "tied_with_best", "ties"]

ALPHA = 0.05
_NODES = (np.arange(1000) + 0.5) / 1000
_STEP = 1.05  # degrees of freedom are rounded down to powers of it, so that few need be computed


def ties(ranked: Sequence[TrialResult]) -> tuple[list[TrialResult] | None, str]:
    """Return the trials that are not shown to be worse than the best, and how that was tested.

    Args:
        ranked: Trials measured by the same fits, lowest loss first.

    Returns:
        The trials, the best first; None where it cannot be tested, and why.
    """
    if len(ranked) < 2:
        return None, _nothing_else("stack")
    trial = ranked[0].trial
    n_folds, n_seeds = len(trial.folds), len(trial.seeds)
    if reason := _too_few(n_folds, n_seeds, "stack", "--seeds 3"):
        return None, reason
    tied = tied_with_best(losses_of(ranked), test_train_ratio(trial))
    return [ranked[i] for i in tied], _method(len(ranked), n_folds, n_seeds)


def tied_trials(
    n_trials: int,
    n_folds: int,
    n_seeds: int,
    losses_of_trials: Callable[[], Mapping[int, Sequence[float]]],
    option: str = "--seeds 3",
) -> tuple[list[int] | None, str]:
    """Return the trials of a study that are not shown to be worse than the best; see :func:`ties`.

    The test is that of an exhaustive search: as if all trials had been chosen before any was measured.

    Args:
        n_trials: How many have a value.
        n_folds: Folds that each was judged by; 1 where one division of the rows judged.
        n_seeds: Seeds that each was trained by.
        losses_of_trials: Return the losses of each trial by its number, the best first: fold by fold, seeds
            varying fastest. It is called only where there is something to test.
        option: The option that adds seeds, for advice.

    Returns:
        Their numbers, the best first; None where it cannot be tested, and why.
    """
    if n_trials < 2:
        return None, _nothing_else("trial")
    if reason := _too_few(n_folds, n_seeds, "trial", option):
        return None, reason
    losses = losses_of_trials()
    if len(losses) < 2:
        return None, "not tested: the record does not hold what each seed came to in each fold"
    numbers = [*losses]
    by_place = np.array([losses[number] for number in numbers], float).reshape(-1, n_folds, n_seeds)
    tied = tied_with_best(by_place, 0.0 if n_folds == 1 else 1 / (n_folds - 1))
    return [numbers[i] for i in sorted(tied)], _method(len(numbers), n_folds, n_seeds)


def _nothing_else(noun: str) -> str:
    return f"not tested: no other {noun} was compared"


def _too_few(n_folds: int, n_seeds: int, noun: str, option: str) -> str:
    """Return why so many folds and seeds are too few; empty where they suffice."""
    if (n_folds if n_folds > 1 else n_seeds) < 3:
        return "not tested: that takes at least 3 folds and 2 seeds, or 3 seeds"
    if n_seeds < 2:
        return (
            "not tested: with one seed the luck of the initial weights, common to all folds, cannot be told "
            f"from what a {noun} is worth; {option} shows it"
        )
    return ""


def _method(n_rows: int, n_folds: int, n_seeds: int) -> str:
    what = f"{n_folds} folds and {n_seeds} seeds" if n_folds > 1 else f"{n_seeds} seeds on this one split"
    return f"{1 - ALPHA:.0%}: each against the best of {n_rows:,}, corrected t over {what}"


def tied_with_best(losses: NDArray[np.float64], ratio: float, alpha: float = ALPHA) -> list[int]:
    """Return the rows that the row with the lowest mean is not shown to beat.

    A t test of every row against the lowest. Its variance is that of the difference of two means over folds
    and seeds (:func:`autoenc.analysis.error.components`), with degrees of freedom by Satterthwaite. As the
    lowest was itself picked among all rows, the statistic is judged by the distribution of the studentized
    range of as many rows, as in the test of Games and Howell (1976): where all rows are equal, all are in the
    result with probability 1 - alpha, and so is the truly best row where they are not.

    Args:
        losses: ``[rows, folds, seeds]``, with two seeds at least.
        ratio: Test rows / training rows of a fold; 0 without folds.
        alpha: Chance that a row is wrongly left out.

    Returns:
        Indices, lowest mean first.
    """
    means = losses.mean(axis=(1, 2))
    order = np.argsort(means, kind="stable")
    best = int(order[0])
    variances, degrees = [], []
    for part in components(losses, ratio):
        ends = np.broadcast_to(part.variance[best], means.shape), np.full(means.shape, part.degrees[best])
        total, free = combined([part.variance, ends[0]], [part.degrees, ends[1]])
        variances.append(total)
        degrees.append(np.minimum(free, part.most_degrees))
    variance, free = combined(variances, degrees)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(means > means[best], (means - means[best]) / np.sqrt(variance), 0.0)
    return [int(i) for i in order if i == best or range_p(float(t[i]), len(means), float(free[i])) >= alpha]


def range_p(t: float, n_rows: int, degrees: float) -> float:
    """Return the chance that some two of equal rows differ by ``t`` standard errors of their difference.

    Args:
        t: Difference in standard errors.
        n_rows: How many rows there are to pick the two from; with 2 it is Student's test of both sides.
        degrees: Degrees of freedom of the variance, rounded down by 5 % at most.
    """
    if t <= 1:  # far from rare for any number of rows
        return 1.0
    lengths, below = _range_distribution(n_rows)
    scales = _scales(int(np.floor(np.log(degrees) / np.log(_STEP) + 1e-9)))
    return float(1 - np.interp(np.sqrt(2) * min(t, 1e6) * scales, lengths, below).mean())


@lru_cache(256)
def _scales(power: int) -> NDArray[np.float64]:
    """Return quantiles of an estimated standard deviation in units of the true one."""
    from scipy.special import gammaincinv  # as chi2.ppf of scipy.stats, which takes a second to import

    degrees = _STEP**power
    scales: NDArray[np.float64] = np.sqrt(2 * gammaincinv(degrees / 2, _NODES) / degrees)
    return scales


@lru_cache(16)
def _range_distribution(n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lengths, and the chance that the range of as many standard normal numbers is shorter."""
    from scipy.special import ndtr

    lengths, lowest = np.linspace(0, 14, 561), np.linspace(-9, 9, 721)
    density = np.exp(-(lowest**2) / 2) / np.sqrt(2 * np.pi) * (lowest[1] - lowest[0])
    within = ndtr(lowest[None] + lengths[:, None]) - ndtr(lowest)[None]
    return lengths, np.clip(n_rows * (within ** (n_rows - 1) * density).sum(axis=1), 0, 1)
