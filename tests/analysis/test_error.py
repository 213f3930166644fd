"""The standard error of a mean over folds and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis.error import combined, components, corrected_error, losses_of
from autoenc.engines import Outcome, Recipe
from autoenc.searching.trials import Trial, TrialResult

FIVE = tuple(f"{k}/5" for k in range(1, 6))


def result(losses, folds=FIVE, seeds=(1,)) -> TrialResult:
    outcomes = tuple(Outcome([1.0], [float(loss)], 1.0, 1.0, {}, 0) for loss in losses)
    return TrialResult(Trial((8,), 2, Recipe(), folds, seeds), outcomes)


def test_losses_have_an_axis_for_folds_and_one_for_seeds() -> None:
    one = result(range(10), seeds=(1, 2))
    assert losses_of([one]).tolist() == [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]]


def test_over_folds_it_is_that_of_nadeau_and_bengio() -> None:
    losses = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert corrected_error(result(losses)) == pytest.approx(((1 / 5 + 1 / 4) * np.var(losses, ddof=1)) ** 0.5)


def test_over_seeds_it_is_the_usual_one() -> None:
    losses = [1.0, 1.1, 0.9]
    error = corrected_error(result(losses, ("holdout",), (1, 2, 3)))
    assert error == pytest.approx((np.var(losses, ddof=1) / 3) ** 0.5)
    assert corrected_error(result([1.0], ("holdout",))) is None


def test_luck_of_seeds_that_folds_share_counts() -> None:
    error = corrected_error(result([1, 2] * 5, seeds=(1, 2)))
    assert error == pytest.approx(0.5)


def test_estimates_match_the_variance_of_means() -> None:
    rng = np.random.default_rng(0)
    found, means = [], []
    for _ in range(2000):
        losses = 10 + rng.normal(size=(1, 1, 3)) + 0.5 * rng.normal(size=(1, 4, 1))
        found.append(sum(part.variance[0] for part in components(losses, 0.0, pool=False)))
        means.append(losses.mean())
    assert np.mean(found) == pytest.approx(np.var(means), rel=0.1)


def test_degrees_of_freedom_are_those_of_satterthwaite() -> None:
    total, free = combined([np.array([1.0, 4.0, 0.0])] * 2, [np.array([5.0] * 3)] * 2)
    assert total.tolist() == [2, 8, 0]
    assert free == pytest.approx([10, 10, 5])
