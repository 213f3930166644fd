"""Choosing what is surely better than something simple."""

from __future__ import annotations

import pytest

from autoenc.analysis.selection import select
from autoenc.analysis.surest import best_of_sure, gain_over
from autoenc.engines import Outcome, Recipe
from autoenc.searching.trials import Trial, TrialResult

FOLDS = ("1/4", "2/4", "3/4", "4/4")


def result(width: int, *losses: float) -> TrialResult:
    trial = Trial((width,), 2, Recipe(), FOLDS, (0,))
    return TrialResult(trial, tuple(Outcome([loss], [loss], loss, 0.1, {}) for loss in losses))


SIMPLE = result(1, 0.50, 0.52, 0.48, 0.50)
STEADY = result(2, 0.47, 0.49, 0.45, 0.47)  # 0.03 better in each fold
BETTER = result(3, 0.40, 0.50, 0.40, 0.46)  # 0.06 better on average, but not evenly
LUCKY = result(4, 0.20, 0.60, 0.55, 0.55)  # better on average, by one fold


@pytest.mark.parametrize(
    ("results", "n_errors", "chosen"),
    [
        ([SIMPLE], 0.5, SIMPLE),
        ([SIMPLE, STEADY], 6.0, STEADY),
        ([SIMPLE, STEADY, BETTER], 0.5, BETTER),
        ([SIMPLE, STEADY, BETTER], 6.0, STEADY),
        ([SIMPLE, LUCKY], 0.5, SIMPLE),
        ([SIMPLE, LUCKY], 0.0, LUCKY),
        ([SIMPLE, result(5, 0.6, 0.6, 0.6, 0.6)], 0.0, SIMPLE),
    ],
)
def test_the_best_of_what_is_sure_is_chosen(results, n_errors, chosen) -> None:
    selection = best_of_sure(select(results, 10), results, SIMPLE, n_errors)
    assert selection.chosen is chosen
    assert f"more than {n_errors:g} standard errors" in selection.rule


def test_the_error_of_a_gain_is_that_of_differences_within_folds() -> None:
    gain, error = gain_over(SIMPLE, STEADY)
    assert gain == pytest.approx(0.03)
    assert error == pytest.approx(0, abs=1e-12)
