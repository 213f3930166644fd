"""The interval of a loss difference: its sign, its seed, and what it does at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis.baselines import reconstruction_loss
from autoenc.analysis.bootstrap import loss_difference_interval
from autoenc.engines import Recipe

RECIPE = Recipe()


def arrays(n_rows: int, noise: float, other_noise: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    target = rng.random((n_rows, 5)).astype(np.float32)
    target[rng.random(target.shape) < 0.4] = 0
    target[rng.random(target.shape) < 0.1] = np.nan
    filled = np.nan_to_num(target)
    return (*(filled + each * rng.normal(size=target.shape) for each in (noise, other_noise)), target)


@pytest.mark.parametrize(("noise", "other_noise"), [(0.1, 0.3), (0.3, 0.1)])
def test_the_better_one_is_told_whichever_comes_first(noise, other_noise) -> None:
    one, other, target = arrays(200, noise, other_noise)
    low, high = loss_difference_interval(one, other, target, RECIPE)
    difference = reconstruction_loss(one, target, RECIPE) - reconstruction_loss(other, target, RECIPE)
    assert low < difference < high
    assert (high < 0) if noise < other_noise else (low > 0)
    swapped = loss_difference_interval(other, one, target, RECIPE)
    assert swapped == pytest.approx((-high, -low), rel=0.05)


def test_it_is_the_same_again_and_does_not_depend_on_the_batch(monkeypatch) -> None:
    given = arrays(50, 0.2, 0.2)
    found = loss_difference_interval(*given, RECIPE)
    assert found == loss_difference_interval(*given, RECIPE)
    monkeypatch.setattr("autoenc.analysis.bootstrap._CELLS_AT_ONCE", 700)
    assert found == pytest.approx(loss_difference_interval(*given, RECIPE), rel=1e-9)


def test_models_that_are_equal_differ_by_nothing() -> None:
    one, _, target = arrays(20, 0.2, 0.2)
    assert loss_difference_interval(one, one, target, RECIPE) == (0, 0)


def test_equal_noise_is_told_apart_in_few_of_many_tables() -> None:
    wrong = 0
    for seed in range(100):
        low, high = loss_difference_interval(*arrays(100, 0.2, 0.2, seed), RECIPE)
        wrong += not low <= 0 <= high
    assert wrong <= 14  # 5 are expected; P(more than 14) of a binomial with 0.05 is 1e-4


def test_rows_without_a_cell_and_a_single_row() -> None:
    one, other, target = arrays(4, 0.2, 0.1)
    target[:] = np.nan
    assert loss_difference_interval(one, other, target, RECIPE) == (0, 0)
    assert loss_difference_interval(one[:1], other[:1], target[:1], RECIPE) is None
