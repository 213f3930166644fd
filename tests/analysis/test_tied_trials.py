"""Claims about which stacks are worse hold at the stated rate."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autoenc.analysis.ties import range_p, tied_trials, tied_with_best, ties
from autoenc.engines import Outcome, Recipe
from autoenc.searching.trials import Trial, TrialResult

N = 300
LIMIT = 0.05 + 2 * np.sqrt(0.05 * 0.95 / N)


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "ties.py"
    spec = importlib.util.spec_from_file_location("ties_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def results(losses: np.ndarray, folds: tuple[str, ...]) -> list[TrialResult]:
    found = []
    for i, of_trial in enumerate(losses):
        trial = Trial((8 + i,), 2, Recipe(), folds, tuple(range(of_trial.shape[1])))
        outcomes = tuple(Outcome([1.0], [float(x)], 1.0, 1.0, {}, 0) for x in of_trial.ravel())
        found.append(TrialResult(trial, outcomes))
    return found


@pytest.mark.parametrize("kind", ["short", "full", "noise"])
@pytest.mark.parametrize("shape", [(2, 5, 2), (2, 10, 3), (12, 3, 2), (12, 5, 3), (34, 5, 6), (12, 1, 5)])
def test_of_equal_stacks_none_is_called_worse_more_often_than_stated(simulation, kind, shape) -> None:
    wrong, missed, _ = simulation.rates(kind, shape, N)
    assert wrong <= LIMIT
    assert missed <= LIMIT


@pytest.mark.parametrize(("shape", "power"), [((2, 5, 6), 0.85), ((12, 5, 3), 0.6), ((34, 5, 2), 0.4)])
def test_a_stack_that_is_better_by_far_is_found(simulation, shape, power) -> None:
    assert simulation.rates("short", shape, 100)[2] >= power


def test_luck_of_weights_that_all_folds_share_is_no_proof() -> None:
    """Every fold agrees that the first is better, as its seeds were lucky."""
    luck = np.array([[0.9, 1.2], [1.15, 1.3]])
    losses = np.repeat(luck[:, None], 5, axis=1) + 0.001 * np.random.default_rng(0).normal(size=(2, 5, 2))
    assert sorted(tied_with_best(losses, 1 / 4)) == [0, 1]


def test_two_rows_are_judged_by_the_t_test_of_both_sides() -> None:
    from scipy import stats

    for t in (2.0, 4.0, 12.7):
        assert range_p(t, 2, 1.0) == pytest.approx(2 * stats.t.sf(t, 1), rel=0.01)


@pytest.mark.parametrize(("t", "n_rows", "power"), [(5, 34, 25), (4, 34, 84), (4, 5, 60)])
def test_the_distribution_is_that_of_the_studentized_range(t, n_rows, power) -> None:
    from scipy.stats import studentized_range

    degrees = 1.05**power
    assert range_p(t, n_rows, degrees) == pytest.approx(
        studentized_range.sf(t * 2**0.5, n_rows, degrees), rel=0.01
    )


def test_clearly_worse_rows_are_left_out() -> None:
    rng = np.random.default_rng(1)
    losses = np.array([1.0, 1.001, 3.0])[:, None, None] + 0.01 * rng.normal(size=(3, 8, 2))
    assert sorted(tied_with_best(losses, 1 / 7)) == [0, 1]


def test_equal_numbers_are_tied_and_exact_differences_are_not() -> None:
    losses = np.ones((3, 4, 2))
    losses[2] = 2
    assert tied_with_best(losses, 1 / 3) == [0, 1]


@pytest.mark.parametrize(
    ("shape", "folds", "words"),
    [
        ((2, 5, 1), ("1/5", "2/5", "3/5", "4/5", "5/5"), "--seeds 3"),
        ((2, 2, 3), ("1/2", "2/2"), "3 folds"),
        ((2, 1, 2), ("holdout",), "3 seeds"),
        ((1, 1, 3), ("holdout",), "no other"),
    ],
)
def test_what_cannot_be_tested_is_not_claimed(shape, folds, words) -> None:
    tied, method = ties(results(np.ones(shape), folds))
    assert tied is None
    assert "not tested" in method
    assert words in method


def test_the_method_says_over_what() -> None:
    tied, method = ties(results(np.ones((2, 3, 2)), ("1/3", "2/3", "3/3")))
    assert tied is not None
    assert "3 folds and 2 seeds" in method
    assert "3 seeds on this one split" in ties(results(np.ones((2, 1, 3)), ("holdout",)))[1]
    assert "3 seeds on this one split" in ties(results(np.ones((2, 1, 3)), ("fold1of5",)))[1]


@pytest.mark.parametrize(("shape", "folds"), [((6, 3, 2), ("1/3", "2/3", "3/3")), ((6, 1, 4), ("holdout",))])
def test_trials_of_a_study_are_tested_as_stacks_are(shape, folds) -> None:
    losses = 1 + np.random.default_rng(1).normal(size=shape) / 20
    losses[3:] += 0.5
    losses = losses[np.argsort(losses.mean(axis=(1, 2)))]
    known = {10 * i: row.ravel().tolist() for i, row in enumerate(losses)}
    of_stacks, method = ties(results(losses, folds))
    tied, same = tied_trials(*shape, lambda: known)
    assert (same, len(tied or ())) == (method, 3)
    assert {number // 10 for number in tied or ()} == {
        result.trial.architecture[0] - 8 for result in of_stacks
    }


def test_trials_that_cannot_be_tested_are_not_looked_at() -> None:
    def losses():
        raise AssertionError

    assert tied_trials(1, 3, 2, losses) == (None, "not tested: no other trial was compared")
    untested, why = tied_trials(4, 5, 1, losses, "seeds=3")
    assert untested is None
    assert why.endswith("from what a trial is worth; seeds=3 shows it")
    assert tied_trials(4, 5, 2, dict)[1] == (
        "not tested: the record does not hold what each seed came to in each fold"
    )
