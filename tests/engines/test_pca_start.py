"""A fit that begins from PCA is PCA before its first step, in both engines, and never worse with patience."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from autoenc import InputError, load_model
from autoenc.analysis.baselines import baseline_losses
from autoenc.data.scaling import Scaling
from autoenc.engines import Fit, Recipe, Split
from autoenc.engines.fit import BEFORE
from autoenc.engines.native import NativeEngine
from autoenc.engines.pca_start import fit_pca, start_of
from autoenc.engines.torch_loop import TorchEngine
from autoenc.fitted.autoencoder import fitted_model, save_model
from autoenc.models.network import DynamicAutoencoder

QUICK = Recipe(epochs=5, batch_size=9, initial_lr=3e-3, start="pca")
FAMILIES = {"ae": {}, "dae": {"corruption": 0.3}, "vae": {"kl_weight": 0.01}}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize(("activation", "stack"), [("relu", (8, 4)), ("gelu", (7,)), ("tanh", (9, 5, 5))])
def test_the_engines_agree(make_split, family, norm, activation, stack) -> None:
    split = make_split(n_rows=61, missing=0.1)
    recipe = dataclasses.replace(QUICK, family=family, norm=norm, activation=activation, **FAMILIES[family])
    native, torched = (
        engine(np.float64).fit(split, Fit(stack, 3, recipe)) for engine in (NativeEngine, TorchEngine)
    )
    for name in ("train_losses", "test_losses", "start_loss", "final_train_loss"):
        assert getattr(native, name) == pytest.approx(getattr(torched, name), rel=1e-10)
    assert native.state.keys() == torched.state.keys()
    for name, value in torched.state.items():
        np.testing.assert_allclose(native.state[name], value, rtol=0, atol=1e-10 * np.abs(value).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("engine", [NativeEngine, TorchEngine])
@pytest.mark.parametrize("latent_dim", [1, 3, 5])
def test_before_the_first_step_the_loss_is_that_of_pca(make_split, engine, dtype, latent_dim) -> None:
    split = make_split(n_rows=80, missing=0.2)
    outcome = engine(dtype).fit(split, Fit((8, 4), latent_dim, QUICK))
    expected = baseline_losses(split, latent_dim, QUICK)["pca"]
    assert outcome.start_loss == pytest.approx(expected, rel=1e-6)


def test_the_latent_points_of_the_start_are_those_of_pca_in_standard_deviations(make_split) -> None:
    split = make_split(missing=0.0)
    fit = Fit((8,), 3, QUICK)
    model = DynamicAutoencoder(6, 3, (8,), linear_path=True)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in start_of(split, fit).items()})
    train = split.values[split.train]
    with torch.no_grad():
        points = model.eval().encode(torch.from_numpy(train)).numpy()
    pca = PCA(3).fit(train)
    expected = pca.transform(train) / np.sqrt(pca.explained_variance_)
    signs = np.sign((points * expected).sum(axis=0))
    np.testing.assert_allclose(points, expected * signs, atol=1e-4)
    assert points.std(axis=0, ddof=1) == pytest.approx(1, rel=1e-4)


@settings(max_examples=15)
@given(st.data())
def test_with_patience_no_fit_is_worse_than_pca_on_the_rows_that_judge_it(data) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_rows, n_columns = data.draw(st.integers(8, 60)), data.draw(st.integers(2, 9))
    values = rng.normal(size=(n_rows, n_columns)).astype(np.float32) * 10 ** rng.uniform(-2, 2, n_columns)
    values = values.astype(np.float32)
    values[rng.random(values.shape) < data.draw(st.floats(0, 0.4))] = np.nan
    order, n_train = rng.permutation(n_rows), n_rows * 3 // 4
    split = Split(values, np.sort(order[:n_train]), np.sort(order[n_train:]))
    recipe = dataclasses.replace(
        QUICK, patience=2, min_epochs=1, initial_lr=data.draw(st.sampled_from([1e-3, 0.1])),
        norm=data.draw(st.sampled_from(["layer", "none"])),
    )  # fmt: skip
    latent_dim = data.draw(st.integers(1, min(n_columns, n_train) - 1))
    outcome = NativeEngine().fit(split, Fit((6, 4), latent_dim, recipe))
    pca = baseline_losses(split, latent_dim, recipe)["pca"]
    assert outcome.failure or outcome.final_test_loss <= pca * (1 + 1e-5) + 1e-9
    if outcome.kept_epoch == BEFORE:
        assert outcome.final_test_loss == outcome.start_loss


@pytest.mark.parametrize("engine", [NativeEngine, TorchEngine])
def test_a_start_that_stays_the_best_is_kept(make_split, engine) -> None:
    split = make_split()
    fit = Fit((6,), 2, dataclasses.replace(QUICK, initial_lr=10.0, patience=2, min_epochs=1))
    outcome = engine().fit(split, fit)
    assert outcome.kept_epoch == BEFORE
    assert outcome.final_test_loss == outcome.start_loss
    for name, value in start_of(split, fit).items():
        np.testing.assert_array_equal(outcome.state[name], value.astype(np.float32))


def test_a_latent_size_that_pca_does_not_have_is_refused(make_split) -> None:
    with pytest.raises(InputError, match=r"start pca: the latent size must be at most 6, .*, got 7"):
        NativeEngine().fit(make_split(), Fit((8,), 7, QUICK))


def test_what_does_not_vary_is_no_problem() -> None:
    values = np.ones((20, 4), np.float32)
    split = Split(values, np.arange(15), np.arange(15, 20))
    outcome = NativeEngine().fit(split, Fit((4,), 3, QUICK))
    assert outcome.start_loss == pytest.approx(0, abs=1e-12)
    assert np.isfinite(outcome.final_test_loss)


def test_a_cell_that_is_missing_counts_as_its_columns_mean(make_split) -> None:
    split = make_split(missing=0.3)
    pca, train = fit_pca(split, 2), split.values[split.train]
    means = np.nanmean(train.astype(np.float64), axis=0)
    np.testing.assert_allclose(pca.mean, means, rtol=1e-5)


def test_a_model_is_saved_and_loaded_with_its_linear_maps(make_split, tmp_path) -> None:
    split = make_split(missing=0.1)
    fit = Fit((8, 4), 3, QUICK)
    outcome = NativeEngine().fit(split, fit)
    names = [f"c{i}" for i in range(6)]
    scaling = Scaling("none", np.zeros(6), np.ones(6))
    fitted = fitted_model(outcome.state, QUICK, names, scaling, {})
    assert (
        fitted.info["total_params"]
        == fit.network(6).count_parameters()
        == (Fit((8, 4), 3, Recipe()).network(6).count_parameters() + 2 * 3 * 6)
    )
    assert sum(p.numel() for p in fitted.model.parameters()) == fitted.info["total_params"]
    save_model(tmp_path / "model.pth", fitted)
    again, rows = load_model(tmp_path / "model.pth"), split.values.astype(np.float64)
    np.testing.assert_array_equal(again.encode(rows), fitted.encode(rows))
    with np.errstate(invalid="ignore"):
        error = (again.reconstruct_scaled(rows[split.test]) - rows[split.test]) ** 2
    observed = ~np.isnan(error)
    nonzero = observed & (rows[split.test] != 0)
    assert 0.7 * error[nonzero].mean() + 0.3 * error[observed].mean() == pytest.approx(
        outcome.final_test_loss, rel=1e-5
    )
