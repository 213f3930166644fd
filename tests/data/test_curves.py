"""Curves: monotone, undone, independent of the unit, and the same as scikit-learn's where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer

from autoenc.data.curves import fit_curve
from autoenc.data.scaling import Scaling

ROWS = np.arange(60)


def counts(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = np.floor(np.exp(rng.uniform(0, 10, size=80)))
    cells[rng.random(80) < 0.1] = np.nan
    return cells


@pytest.mark.parametrize("kind", ["log1p", "quantile", "auto"])
@given(seed=st.integers(0, 99))
def test_what_is_bent_comes_back(kind, seed) -> None:
    column = counts(seed)
    curve = fit_curve(kind, column)
    if curve is None:  # no tail is long enough
        assert kind == "auto"
        return
    bent = curve.bend(column)
    np.testing.assert_allclose(curve.unbend(bent), column, rtol=1e-6)
    order = np.argsort(column[~np.isnan(column)])
    assert (np.diff(bent[~np.isnan(bent)][order]) >= 0).all()


@given(seed=st.integers(0, 99), unit=st.sampled_from([1e-9, 1e-3, 7.0, 1e12]))
def test_the_unit_of_a_column_does_not_matter(seed, unit) -> None:
    column = counts(seed)
    for kind in ("log1p", "quantile", "auto"):
        one, other = (Scaling.fit(kind, cells[:, None], ROWS) for cells in (column, column * unit))
        np.testing.assert_allclose(
            other.apply(column[:, None] * unit), one.apply(column[:, None]), rtol=2e-5, atol=2e-5
        )


@given(seed=st.integers(0, 99))
def test_quantiles_are_those_of_scikit_learn(seed) -> None:
    rng = np.random.default_rng(seed)
    learned, others = rng.exponential(size=200), rng.exponential(size=50)
    theirs = QuantileTransformer(n_quantiles=200, output_distribution="normal").fit(learned[:, None])
    bent, expected = fit_curve("quantile", learned).bend(others), theirs.transform(others[:, None])[:, 0]
    inside = np.abs(expected) < 2.5
    np.testing.assert_allclose(bent[inside], expected[inside], atol=0.02)
    assert (np.sign(bent[~inside]) == np.sign(expected[~inside])).all()


def test_auto_bends_long_tails_alone() -> None:
    rng = np.random.default_rng(0)
    assert fit_curve("auto", rng.normal(size=500)) is None
    assert fit_curve("auto", rng.random(500)) is None
    assert fit_curve("auto", np.exp(2 * rng.normal(size=500))).kind == "log1p"
    assert fit_curve("auto", rng.standard_t(2, size=500)).kind == "log1p"


@pytest.mark.parametrize("kind", ["log1p", "quantile", "auto"])
def test_constant_and_unobserved_columns_have_no_curve(kind) -> None:
    assert fit_curve(kind, np.full(9, 3.0)) is None
    assert fit_curve(kind, np.full(9, np.nan)) is None
    values = np.column_stack([np.full(80, 3.0), counts(1)])
    scaling = Scaling.fit(kind, values, ROWS)
    np.testing.assert_array_equal(scaling.left_out, [True, False])
    restored = scaling.undo(scaling.apply(values))
    np.testing.assert_allclose(restored[:, 0], 3.0)
    np.testing.assert_allclose(restored[:60, 1], values[:60, 1], rtol=1e-4)


def test_a_model_file_keeps_the_curves(tmp_path) -> None:
    import autoenc

    values = np.column_stack([counts(seed) for seed in range(4)])
    options = {"hidden_dims_search": 4, "max_layers": 1, "epochs": 2, "quiet": True, "latent_dim": 2}
    for kind in ("log1p", "quantile", "auto"):
        model = autoenc.search(
            values, **options, scaling=kind, output_dir=tmp_path, save_models=True
        ).best_model()
        read = autoenc.load_model(tmp_path / "best_model_latent2.pth")
        assert read.scaling.key == model.scaling.key
        np.testing.assert_array_equal(read.reconstruct(values), model.reconstruct(values))
