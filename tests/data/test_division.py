from __future__ import annotations

import numpy as np
import pytest
from sklearn import model_selection

from autoenc.data import division as dividing
from autoenc.data.divisible import folds_problem
from autoenc.data.division import HOLDOUT, Division, fold_names
from autoenc.data.table import Table
from autoenc.errors import InputError

RNG = np.random.default_rng(0)
CLASSES = np.array(["rare"] * 20 + ["common"] * 80)[RNG.permutation(100)]
GROUPS = np.array([f"g{i % 17}" for i in range(100)])


def table(**labels: np.ndarray) -> Table:
    values = RNG.random((100, 3)).astype(np.float32)
    return Table(values, list("abc"), "t.csv", labels=labels)


@pytest.mark.parametrize("by", [{}, {"stratify": "c"}, {"group": "g"}, {"stratify": "c", "group": "g"}])
def test_folds_cover_the_training_rows_once_and_never_the_test_rows(by) -> None:
    division = Division(table(c=CLASSES, g=GROUPS), "maxabs", 1, **by)
    held_out = np.concatenate([division.rows(fold)[1] for fold in fold_names(4)])
    assert sorted(held_out) == sorted(division.train)
    assert set(division.train) | set(division.test) == set(range(100))
    for fold in [HOLDOUT, *fold_names(4)]:
        train, test = division.rows(fold)
        assert not set(train) & set(test)
        if fold != HOLDOUT:
            assert not set(division.test) & (set(train) | set(test))
        if "group" in by:
            assert not set(GROUPS[train]) & set(GROUPS[test])
        if by == {"stratify": "c"}:
            assert (CLASSES[test] == "rare").mean() == pytest.approx(0.2, abs=0.03)


def test_every_split_is_scaled_by_its_own_training_rows() -> None:
    division = Division(table(), "maxabs", 1)
    for fold in [HOLDOUT, *fold_names(3)]:
        split = division.split(fold)
        np.testing.assert_allclose(np.abs(split.values[split.train]).max(axis=0), 1, rtol=1e-6)
        raw = division.table.values
        np.testing.assert_allclose(division.scaling(fold).scale, np.abs(raw[split.train]).max(axis=0))


@pytest.mark.parametrize(
    ("labels", "options", "n_folds", "message"),
    [
        ({}, {}, 200, "--folds 200: there are only 80 training rows"),
        (
            {"c": np.array(["one"] + ["many"] * 99)},
            {"stratify": "c"},
            0,
            "--stratify c: class 'one' has 1 row",
        ),
        ({"g": np.array(["same"] * 100)}, {"group": "g"}, 0, "--group g"),
        ({"g": np.array(["x", "y"] * 50)}, {"group": "g"}, 5, "--folds 5 with --group g"),
    ],
)
def test_what_cannot_be_divided_is_told(labels, options, n_folds, message) -> None:
    def divide() -> None:
        division = Division(table(**labels), "maxabs", 1, **options, folds=n_folds)
        division.rows(fold_names(n_folds)[0])

    with pytest.raises(InputError, match=message):
        divide()


@pytest.mark.parametrize("n_rows", [2, 3, 7, 10, 101, 2008])
@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_plain_divisions_are_those_of_scikit_learn(n_rows, seed):
    rows = np.random.default_rng(1).permutation(10 * n_rows)[:n_rows]
    train, test = model_selection.train_test_split(rows, test_size=0.2, random_state=seed)
    found = dividing.divide_holdout(rows, seed)
    np.testing.assert_array_equal(found[0], np.sort(train))
    np.testing.assert_array_equal(found[1], np.sort(test))
    for n_folds in {2, min(5, n_rows), n_rows if n_rows < 50 else 3}:
        splitter = model_selection.KFold(n_folds, shuffle=True, random_state=seed)
        pairs = dividing.divide_folds(rows, n_folds, seed)
        assert len(pairs) == n_folds
        for pair, (train, test) in zip(pairs, splitter.split(np.zeros(n_rows)), strict=True):
            np.testing.assert_array_equal(pair[0], rows[train])
            np.testing.assert_array_equal(pair[1], rows[test])


@pytest.mark.parametrize(("n_rows", "told"), [(1, "there is only 1 training row,"), (2, "there are only 2 ")])
def test_too_few_rows_for_folds_are_counted(n_rows, told):
    assert folds_problem(3, n_rows, None, None).startswith(told)
    assert folds_problem(n_rows, n_rows, None, None) is None
