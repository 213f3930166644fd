"""Choosing among many: by how sure a gain is, so that luck does not choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np

from autoenc.analysis.selection import Selection
from autoenc.searching.trials import TrialResult

__all__ = ["best_of_sure", "gain_over"]


def gain_over(simple: TrialResult, result: TrialResult) -> tuple[float, float]:
    """Return how much lower the loss of a trial is than that of another, and the standard error of that.

    The error is that of differences within folds, with the variance of Nadeau and Bengio (Machine Learning
    52, 2003). Where folds have seeds of their own it knows how far other initial weights would be.

    Args:
        simple: The other trial, measured on the same folds, two at least.
        result: The trial.
    """
    gains = np.subtract(simple.repetitions, result.repetitions)
    n = gains.size
    return float(gains.mean()), float(gains.std(ddof=1)) * sqrt(1 / n + 1 / (n - 1))


def best_of_sure(
    found: Selection, results: Sequence[TrialResult], simple: TrialResult, n_errors: float
) -> Selection:
    """Choose the lowest mean loss of the trials whose gain over something simple is sure.

    A gain is sure where it is more than so many standard errors of it; see :func:`gain_over`. Where none is,
    the simple trial is chosen. Among sure ones the errors say nothing more: they are larger for what is less
    like the simple trial, and not for what is worse.

    Args:
        found: What else the results say.
        results: What may be chosen, all measured on the same folds.
        simple: What gains are over; one of them.
        n_errors: Standard errors that a gain must be more than.
    """
    gains = [gain_over(simple, result) for result in results]
    sure = [r for r, (gain, error) in zip(results, gains, strict=True) if gain > n_errors * error]
    chosen = min(sure, key=lambda result: result.loss, default=simple)
    rule = f"the best of those whose gain over {simple.trial.name} is more than {n_errors:g} standard errors"
    return replace(found, rule=rule, chosen=chosen)
