"""Choosing among many: by how sure a gain is, so that luck does not choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np

from autoenc.analysis.selection import Selection
from autoenc.searching.trials import TrialResult

__all__ = ["gain_over", "surest_gain"]


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


def surest_gain(
    found: Selection, results: Sequence[TrialResult], simple: TrialResult, n_errors: float
) -> Selection:
    """Choose the trial whose gain over something simple is surest; the simple one where no gain is.

    That is the gain less some standard errors of it; see :func:`gain_over`. The more trials there are, the
    luckier is the one with the lowest mean, and the more so where folds are small.

    Args:
        found: What else the results say.
        results: What may be chosen, all measured on the same folds.
        simple: What gains are over; one of them.
        n_errors: Standard errors that are taken off a gain.
    """
    gains = [gain_over(simple, result) for result in results]
    sure = [gain - n_errors * error for gain, error in gains]
    best = int(np.argmax(sure))
    chosen = results[best] if sure[best] > 0 else simple
    rule = f"the gain over {simple.trial.name} less {n_errors:g} standard errors"
    return replace(found, rule=rule, chosen=chosen)
