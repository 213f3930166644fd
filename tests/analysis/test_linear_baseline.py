"""The linear autoencoder that is fitted to the loss that judges."""

from __future__ import annotations

import numpy as np
import pytest

from autoenc.analysis import linear_baseline
from autoenc.analysis.baselines import baseline_losses, best_baseline, reconstruction_loss
from autoenc.analysis.linear_baseline import linear_reconstruction
from autoenc.engines import Recipe, Split


def sparse_table(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.exp(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 12)) - 1))
    return (counts / counts.max(axis=0)).astype(np.float32)


def split_of(table: np.ndarray, n_train: int = 240) -> Split:
    return Split(table, np.arange(n_train), np.arange(n_train, len(table)))


def test_on_a_sparse_table_it_beats_pca() -> None:
    losses = baseline_losses(split_of(sparse_table()), 2, Recipe())
    assert losses["linear"] < 0.95 * losses["pca"] < losses["mean"]
    assert best_baseline(losses) == "linear"


def test_on_training_rows_it_is_never_worse_than_pca() -> None:
    for seed in range(3):
        table = sparse_table(seed)
        table[np.random.default_rng(seed).random(table.shape) < 0.1] = np.nan
        rows = np.arange(len(table))
        losses = baseline_losses(Split(table, rows, rows), 3, Recipe())
        assert losses["linear"] <= losses["pca"]


def test_with_the_plain_loss_it_is_pca() -> None:
    table = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    losses = baseline_losses(split_of(table, 160), 3, Recipe(nonzero_weight=0.0, all_weight=1.0))
    assert losses["linear"] == pytest.approx(losses["pca"], rel=1e-3)


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**40])
def test_it_does_not_depend_on_the_unit(unit) -> None:
    table = sparse_table()
    plain = linear_reconstruction(table[:240], table[240:], 2, Recipe())
    scaled = linear_reconstruction(table[:240] * unit, table[240:] * unit, 2, Recipe())
    assert plain is not None
    assert scaled == pytest.approx(unit * plain, rel=1e-4, abs=1e-4 * unit)


def test_it_is_the_same_each_time() -> None:
    table = sparse_table()
    first, second = (linear_reconstruction(table[:240], table[240:], 2, Recipe()) for _ in range(2))
    assert np.array_equal(first, second)


def test_missing_test_cells_take_no_part() -> None:
    table = sparse_table()
    table[250:, 3] = np.nan
    found = linear_reconstruction(table[:240], table[240:], 2, Recipe())
    assert found is not None
    assert np.isfinite(found).all()
    assert reconstruction_loss(found, table[240:], Recipe()) > 0


def test_large_tables_have_none(monkeypatch) -> None:
    monkeypatch.setattr(linear_baseline, "MOST_CELLS", 100)
    assert set(baseline_losses(split_of(sparse_table()), 2, Recipe())) == {"mean", "pca"}


def test_constant_and_unobserved_columns_do_no_harm() -> None:
    table = sparse_table()
    table[:, 0], table[:, 1] = 0, np.nan
    assert np.isfinite(list(baseline_losses(split_of(table), 2, Recipe()).values())).all()
    assert linear_reconstruction(np.full((5, 2), np.nan), np.zeros((2, 2)), 1, Recipe()) is None
    zeros = np.zeros((6, 3), np.float32)
    assert np.array_equal(linear_reconstruction(zeros, zeros, 1, Recipe()), zeros)


@pytest.mark.parametrize("rows_at_once", [1, 7, 8192])
def test_the_loss_of_arrays_is_the_same_in_blocks(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    target = (rng.normal(size=(300, 5)) * rng.integers(0, 2, (300, 5))).astype(np.float32)
    target[rng.random(target.shape) < 0.1] = np.nan
    answers, recipe = rng.normal(size=target.shape).astype(np.float32), Recipe()
    observed = ~np.isnan(target)
    error = np.square(np.where(observed, answers - target, 0.0), dtype=np.float64)
    nonzero = observed & (target != 0)
    expected = recipe.all_weight * (error.sum() / observed.sum())
    expected += recipe.nonzero_weight * (error[nonzero].sum() / nonzero.sum())
    monkeypatch.setattr("autoenc.analysis.baselines._ROWS_AT_ONCE", rows_at_once)
    assert reconstruction_loss(answers, target, recipe) == expected
    assert reconstruction_loss(answers, np.full_like(target, np.nan), recipe) == 0
