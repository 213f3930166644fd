"""Calibrated fits: columns that a network hardly knows are drawn back to their mean."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from autoenc.data.division import HOLDOUT, Division, fold_names
from autoenc.data.table import Table
from autoenc.engines import Fit, Outcome, Recipe
from autoenc.engines.calibration import (
    Calibrating,
    _Errors,
    calibrated_state,
    calibration_factors,
    hardly_varies,
)
from autoenc.engines.explained import explained_by_column
from autoenc.engines.fit import BEFORE
from autoenc.engines.native import NativeEngine

RECIPE = Recipe(
    epochs=30, dropout=0.0, norm="none", start="pca", activation="tanh", scaling="standard",
    nonzero_weight=0.0, all_weight=1.0, initial_lr=1e-2, calibration_folds=4,
)  # fmt: skip


def _made(values: np.ndarray) -> Table:
    from autoenc.data.given import given_table
    from autoenc.searching.inputs import prepare_inputs
    from autoenc.settings import FitSettings

    path, read = given_table(values)
    return prepare_inputs(FitSettings(data_path=path, encode=False), None, read)[1]


@pytest.fixture(scope="module")
def division() -> Division:
    return Division(_made(_values()), "standard", 0, folds=4)


def _values(with_rare: bool = True) -> np.ndarray:
    rng = np.random.default_rng(3)
    known = np.tanh(rng.normal(size=(150, 2)) @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(150, 6))
    rare = np.zeros((150, 4))
    for j in range(3):
        rare[rng.choice(150, 3, replace=False), j] = 1.0
    rare[:, 3] = 1e-3 * rng.normal(size=150)
    rare[7, 3] = 5.0
    return np.hstack([known, rare]) if with_rare else known


def _fit(fold: str = HOLDOUT, **options: object) -> Fit:
    return Fit((16,), 2, replace(RECIPE, **options), 42, fold)


def _same(one: Outcome, other: Outcome) -> bool:
    return one.explained == other.explained and all(
        np.array_equal(one.state[name], other.state[name]) for name in one.state
    )


def test_columns_that_hardly_vary_decide_no_more(division: Division) -> None:
    engine, split = NativeEngine(), division.split()
    plain = engine.fit(split, _fit())
    calibrated = Calibrating(engine, division.split_of).fit(split, _fit())
    assert plain.explained < calibrated.explained
    by_column = explained_by_column(
        split, lambda rows: engine.reconstruct(split, _fit(), calibrated.state, rows)
    )
    before = explained_by_column(split, lambda rows: engine.reconstruct(split, _fit(), plain.state, rows))
    np.testing.assert_allclose(by_column[:6], before[:6], atol=0.02)  # those that are known stay so
    assert np.nanmin(by_column[6:]) > -0.5 > np.nanmin(before[6:])


@pytest.mark.parametrize("start", ["pca", "random"])
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_factors_become_part_of_the_last_layer(division: Division, start: str, norm: str) -> None:
    engine, split, fit = NativeEngine(np.float64), division.split(), _fit(start=start, norm=norm)
    state = engine.fit(split, fit).state
    rng = np.random.default_rng(0)
    factors, centers = rng.random(10), rng.normal(size=10)
    before = engine.reconstruct(split, fit, state, split.test)
    after = engine.reconstruct(split, fit, calibrated_state(fit, state, factors, centers), split.test)
    np.testing.assert_allclose(after, centers + factors * (before - centers), atol=1e-12)


def test_losses_are_those_of_the_calibrated_network(division: Division) -> None:
    engine, split, fit = NativeEngine(np.float64), division.split(), _fit()
    outcome = Calibrating(engine, division.split_of).fit(split, fit)
    for rows, loss in ((split.test, outcome.final_test_loss), (split.train, outcome.final_train_loss)):
        error = engine.reconstruct(split, fit, outcome.state, rows) - split.values[rows]
        assert loss == pytest.approx(np.square(error).mean())


def test_the_loss_of_a_start_that_is_kept_is_that_of_the_calibrated_network(division: Division) -> None:
    fit = _fit(patience=3, initial_lr=1.0, eta_min=1.0, min_epochs=1)  # no epoch is better than the start
    engine, split = NativeEngine(np.float64), division.split()
    outcome = Calibrating(engine, division.split_of).fit(split, fit)
    assert outcome.kept_epoch == BEFORE
    assert outcome.test_losses == engine.fit(split, fit).test_losses
    error = engine.reconstruct(split, fit, outcome.state, split.test) - split.values[split.test]
    assert outcome.final_test_loss == pytest.approx(np.square(error).mean())


def test_fits_on_folds_are_left_as_they_are(division: Division) -> None:
    engine, fit = NativeEngine(), _fit(fold_names(4)[1])
    split = division.split_of(fit)
    assert _same(Calibrating(engine, division.split_of).fit(split, fit), engine.fit(split, fit))


def test_what_is_remembered_makes_no_difference(division: Division) -> None:
    engine, split = NativeEngine(), division.split()
    alone = Calibrating(engine, division.split_of).fit(split, _fit())
    after = Calibrating(engine, division.split_of)
    for name in reversed(fold_names(4)):
        fit = _fit(name)
        after.fit(division.split_of(fit), fit)
    assert _same(alone, after.fit(split, _fit()))


def test_nothing_changes_where_nothing_is_gained() -> None:
    division = Division(_made(_values(with_rare=False)), "standard", 0, folds=4)
    engine, split = NativeEngine(), division.split()
    assert _same(Calibrating(engine, division.split_of).fit(split, _fit()), engine.fit(split, _fit()))


def test_a_recipe_that_asks_for_nothing_is_left_alone(division: Division) -> None:
    engine, split, fit = NativeEngine(), division.split(), _fit(calibration_folds=0)

    def refused(fit: Fit) -> None:
        raise AssertionError("no fold is needed")

    assert _same(Calibrating(engine, refused).fit(split, fit), engine.fit(split, fit))


def test_sent_elsewhere_it_is_the_engine_itself(division: Division) -> None:
    calibrating = Calibrating(NativeEngine(), division.split_of)
    assert isinstance(pickle.loads(pickle.dumps(calibrating)), NativeEngine)


def test_which_tables_hardly_vary_in_a_fold(division: Division) -> None:
    assert any(hardly_varies(division.standardized(name)) for name in fold_names(4))
    known = Division(_made(_values(with_rare=False)), "standard", 0, folds=4)
    assert not any(hardly_varies(known.standardized(name)) for name in fold_names(4))


def test_nothing_is_told_of_few_rows() -> None:
    few = Division(_made(_values()[:60]), "standard", 0, folds=4)
    assert not any(hardly_varies(few.standardized(name)) for name in fold_names(4))


def test_factors_are_the_best_of_the_others_folds() -> None:
    """A column that is known keeps its factor; one that is noise gets that of its mean."""
    rng = np.random.default_rng(1)
    factors, folds = np.linspace(0, 1, 11), []
    for _ in range(4):
        target = rng.normal(size=(40, 2))
        guess = np.column_stack([target[:, 0] + 0.1 * rng.normal(size=40), 2 * rng.normal(size=40)])
        squared = np.array([np.square(factor * guess - target).sum(axis=0) for factor in factors])
        own = np.square(target).sum(axis=0)
        folds.append(_Errors(squared[:, None], own[None], own))
    found = calibration_factors(folds)
    assert found is not None
    assert found[0] == 1
    assert found[1] <= 0.1


def test_factors_that_gain_nothing_elsewhere_are_none() -> None:
    own = np.ones((1, 1))
    errors = np.linspace(1.0, 0.5, 11)[:, None, None]  # the larger the factor, the better
    assert calibration_factors([_Errors(errors, own, own[0])] * 3) is None


def test_a_column_of_which_no_fold_says_anything_is_given_its_mean() -> None:
    own, nothing = np.array([[1.0, 0.0, 0.4]]), np.array([1.0, 0.0, 0.4])
    better = np.linspace(1.0, 0.5, 11)[:, None, None]
    squared = np.concatenate([better, 0 * better, 0 * better + 0.4], axis=2)  # constant; left out in training
    found = calibration_factors([_Errors(squared, own, nothing)] * 3)
    assert found is not None
    assert found.tolist() == [1, 0, 0]
