"""Estimators do what the library does, and work wherever scikit-learn's transformers do."""

from __future__ import annotations

import inspect
import io
import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

import autoenc
from autoenc.settings import SearchSettings
from autoenc.settings.estimator import AutoencoderSettings
from autoenc.settings.options import options_of

SMALL: dict[str, Any] = {"latent_dim": 2, "epochs": 3}
KINDS = {
    "autoencoder": autoenc.Autoencoder(hidden_dims=(8,), **SMALL),
    "search": autoenc.ArchitectureSearch(hidden_dims_search=(4, 8), max_layers=1, n_jobs=1, **SMALL),
}


@pytest.fixture(params=KINDS)
def estimator(request: Any) -> Any:
    return clone(KINDS[request.param])


def test_parameters_are_the_declared_options() -> None:
    own = {"random_state"}
    autoencoder = autoenc.Autoencoder().get_params()
    assert autoencoder.keys() - own == AutoencoderSettings.model_fields.keys() - {"seed"}
    search = autoenc.ArchitectureSearch().get_params()
    assert search.keys() - own - {"n_jobs", "scoring"} <= SearchSettings.model_fields.keys()
    of_warm_starts = {"ensemble", "warm_start", "compare_warm"}
    assert {*options_of(SearchSettings, "training")} - of_warm_starts <= search.keys()
    for kind, given in ((AutoencoderSettings, autoencoder), (SearchSettings, search)):
        settings = kind()
        for name in given.keys() & kind.model_fields.keys():
            declared = getattr(settings, name)
            alone = declared[0] if isinstance(declared, tuple) and len(declared) == 1 else declared
            assert given[name] is None or given[name] == alone or name == "refit", name
        assert given["random_state"] == settings.seed
    for kind in (autoenc.Autoencoder, autoenc.ArchitectureSearch):
        documented = inspect.getdoc(kind)
        assert not [name for name in kind().get_params() if f"    {name}: " not in documented]


def test_a_recipe_by_name_is_the_defaults_of_the_others(frame: pd.DataFrame) -> None:
    plain = autoenc.Autoencoder(hidden_dims=(8,), recipe="plain", epochs=2).fit(frame).model_.info["recipe"]
    assert (plain["norm"], plain["dropout"], plain["nonzero_weight"], plain["epochs"]) == ("none", 0, 0, 2)
    vae = autoenc.Autoencoder(hidden_dims=(8,), family="vae", epochs=2).fit(frame).model_.info["recipe"]
    assert (vae["family"], vae["kl_weight"], vae["corruption"]) == ("vae", 1e-3, 0)


def test_a_search_is_that_of_the_library(frame: pd.DataFrame) -> None:
    options: dict[str, Any] = {"hidden_dims_search": (4, 8), "max_layers": 2, "folds": 3, **SMALL}
    found = autoenc.ArchitectureSearch(**options, refit="train").fit(frame)
    expected = autoenc.search(frame, **options, quiet=True)
    pd.testing.assert_frame_equal(
        found.leaderboard_.drop(columns="seconds"), expected.leaderboard.drop(columns="seconds")
    )
    assert_allclose(found.transform(frame), expected.best_model().encode(frame), atol=1e-5)
    assert found.best_hidden_dims_ == expected.selection.chosen.trial.architecture
    assert found.results_.plot.sizes() is not None
    whole = autoenc.ArchitectureSearch(**options).fit(frame)
    expected = autoenc.search(frame, **options, refit="all", quiet=True)
    assert_allclose(whole.transform(frame), expected.best_model().encode(frame), atol=1e-5)


@pytest.mark.parametrize("patience", [0, 2])
def test_a_search_trains_its_best_stack_again_on_all_rows(frame: pd.DataFrame, patience: int) -> None:
    options = {**SMALL, "patience": patience, "min_epochs": 2, "epochs": 12}
    found = autoenc.ArchitectureSearch(hidden_dims_search=(4, 8), max_layers=2, **options).fit(frame)
    chosen = found.results_.selection.chosen
    assert found.model_.info["n_train"] == len(frame)
    assert found.model_.info["recipe"]["stop_after"] == (chosen.median_epochs if patience else 0)
    if not patience:
        alone = autoenc.Autoencoder(found.best_hidden_dims_, **options).fit(frame)
        assert_allclose(found.transform(frame), alone.transform(frame), atol=0)


def test_patience_leaves_a_fifth_of_the_rows_to_judge(frame: pd.DataFrame) -> None:
    options: dict[str, Any] = {"hidden_dims": (8,), "latent_dim": 2, "epochs": 40, "initial_lr": 0.05}
    stopped = autoenc.Autoencoder(**options, patience=2, min_epochs=3).fit(frame)
    assert stopped.model_.info["n_train"] == 48
    assert stopped.n_iter_ == 1 + int(np.argmin(stopped.validation_loss_curve_))
    whole = autoenc.Autoencoder(**options).fit(frame)
    assert (len(whole.loss_curve_), whole.n_iter_, whole.validation_loss_curve_) == (40, 40, None)


def test_rows_go_there_and_back(estimator: Any, frame: pd.DataFrame) -> None:
    latent = estimator.fit_transform(frame)
    assert latent.shape == (60, 2)
    back = estimator.inverse_transform(latent)
    assert_allclose(back, estimator.model_.reconstruct(frame), rtol=1e-4, atol=1e-6)
    assert list(estimator.feature_names_in_) == list(frame)
    assert estimator.n_features_in_ == 6
    assert list(estimator.get_feature_names_out()) == ["latent_1", "latent_2"]
    with pytest.raises(ValueError, match=r"X must be latent points \[rows, 2\], got \[60, 3\]"):
        estimator.inverse_transform(np.zeros((60, 3)))
    framed = estimator.set_output(transform="pandas").transform(frame)
    assert isinstance(framed, pd.DataFrame)
    assert list(framed) == ["latent_1", "latent_2"]
    polars = estimator.set_output(transform="polars").transform(frame)
    assert polars.columns == ["latent_1", "latent_2"]


def test_sparse_rows_and_frames_are_as_arrays(estimator: Any, frame: pd.DataFrame) -> None:
    cells = frame.fillna(0).to_numpy()
    expected = clone(estimator).fit_transform(cells)
    for kind in (
        scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array, scipy.sparse.lil_array
    ):  # fmt: skip
        assert_allclose(clone(estimator).fit(kind(cells)).transform(kind(cells)), expected, atol=0)
    assert_allclose(clone(estimator).fit_transform(frame.fillna(0)), expected, atol=0)
    single = cells.astype(np.float32)
    assert clone(estimator).fit_transform(single).dtype == np.float32


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_columns_without_cells_are_learned_from_by_nobody(estimator: Any, frame: pd.DataFrame) -> None:
    wider = frame.assign(empty=np.nan, same=1.0)[["empty", *frame, "same"]]
    estimator.fit(wider)
    back = estimator.inverse_transform(estimator.transform(wider.assign(empty=5.0)))
    assert np.isnan(back[:, 0]).all()
    assert np.isfinite(back[:, 1:]).all()
    assert np.isfinite(estimator.score(wider))
    with pytest.raises(ValueError, match="must have an observed cell"):
        estimator.fit(wider[["empty"]])


def test_the_score_is_explained_variance(estimator: Any, frame: pd.DataFrame) -> None:
    whole = frame.fillna(0)
    estimator.fit(whole)
    back = estimator.model_.reconstruct(whole)
    assert estimator.score(whole) == pytest.approx(r2_score(whole, back), rel=1e-5)
    missing = frame.mask(frame > 0.9)
    back = estimator.model_.reconstruct(missing)
    error, total = ((missing - back) ** 2).sum(), ((missing - whole.mean()) ** 2).sum()
    assert estimator.score(missing) == pytest.approx((1 - error / total).mean(), rel=1e-6)
    twice = pd.concat([missing, missing.head(20)])
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    assert estimator.score(missing, sample_weight=weights) == pytest.approx(estimator.score(twice))
    for mean in (whole.mean(), np.nextafter(whole.mean(), 1)):  # however it was rounded
        with pytest.raises(ValueError, match="no column of these rows varies"):
            estimator.score(pd.DataFrame([mean] * 3))


def test_a_random_state_decides(frame: pd.DataFrame) -> None:
    def latent(state: Any) -> np.ndarray:
        return autoenc.Autoencoder(hidden_dims=(8,), random_state=state, **SMALL).fit_transform(frame)

    assert_allclose(latent(1), latent(np.int64(1)), atol=0)
    assert_allclose(latent(np.random.RandomState(1)), latent(np.random.RandomState(1)), atol=0)
    for other in (2, None, np.random.RandomState(1)):
        assert not np.allclose(latent(1), latent(other))


def test_works_with_the_rest_of_scikit_learn(estimator: Any, frame: pd.DataFrame) -> None:
    target = frame["north"].fillna(0)
    mixed = frame.assign(site=["a", "b", "c"] * 20)
    columns = ColumnTransformer(
        [("latent", estimator, list(frame)), ("site", OneHotEncoder(sparse_output=False), ["site"])]
    ).set_output(transform="pandas")
    pipeline = Pipeline([("columns", columns), ("ridge", Ridge())])
    assert list(columns.fit_transform(mixed))[:2] == ["latent__latent_1", "latent__latent_2"]
    assert np.isfinite(cross_val_score(pipeline, mixed, target, cv=3)).all()
    scores = cross_val_score(estimator, frame, cv=KFold(3))  # its own score, without a target
    assert np.isfinite(scores).all()
    space = {"latent_dim": [1, 2], "dropout": [0.0, 0.2]}
    found = GridSearchCV(estimator, space, cv=KFold(2)).fit(frame)
    assert found.best_params_["latent_dim"] in (1, 2)
    assert found.transform(frame).shape == (60, found.best_params_["latent_dim"])
    grid = GridSearchCV(make_pipeline(estimator, Ridge()), {"ridge__alpha": [0.1, 1.0]}, cv=2)
    assert len(grid.fit(frame, target).predict(frame)) == 60


@pytest.mark.slow
def test_fits_beside_each_other_in_processes(frame: pd.DataFrame) -> None:
    estimator = clone(KINDS["search"])
    space = {"latent_dim": [1, 2]}
    found = [GridSearchCV(estimator, space, cv=KFold(2), n_jobs=n).fit(frame).cv_results_ for n in (1, 2)]
    assert_allclose(found[0]["mean_test_score"], found[1]["mean_test_score"], rtol=1e-6)


def by_pickle(estimator: Any) -> Any:
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


def by_skops(estimator: Any) -> Any:
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    content = skops.dumps(estimator)
    trusted = skops.get_untrusted_types(data=content)
    assert all(name.startswith(("autoenc.", "pandas.")) for name in trusted), trusted
    return skops.loads(content, trusted=trusted)


@pytest.mark.parametrize("through", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_what_is_kept_is_the_same(estimator: Any, frame: pd.DataFrame, through: Any, scaling: str) -> None:
    estimator.set_params(scaling=scaling).fit(frame)
    kept = through(estimator)
    assert_allclose(kept.transform(frame), estimator.transform(frame), atol=0)
    assert kept.score(frame) == estimator.score(frame)
    assert kept.get_params() == estimator.get_params()
    assert list(kept.feature_names_in_) == list(frame)
    if hasattr(estimator, "leaderboard_"):
        pd.testing.assert_frame_equal(kept.leaderboard_, estimator.leaderboard_)
        assert repr(kept.results_) == repr(estimator.results_)


def test_a_notebook_shows_its_parameters(estimator: Any, frame: pd.DataFrame) -> None:
    assert "latent_dim" in estimator.fit(frame)._repr_html_()
    assert "latent_dim" in make_pipeline(estimator, Ridge())._repr_html_()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hidden_dims": (8, 16)}, "hidden_dims must not increase, got 8,16"),
        ({"hidden_dims": ()}, "hidden_dims must be one value or more, got"),
        ({"epochs": 0, "dropout": 1.5}, "epochs must be .*\ndropout must be "),
        ({"dropout": (0.1, 0.2)}, "dropout must be one value, got 0.1, 0.2"),
        ({"eta_min": 0.1}, "eta_min must not be above initial_lr"),
        ({"engine": "native", "device": "cuda"}, "engine native trains on the CPU only"),
        ({"random_state": -1}, "seed must be at least 0"),
        ({"recipe": "best"}, "recipe must be one of"),
    ],
)
def test_wrong_parameters_are_told_by_name(frame: pd.DataFrame, options: Any, told: str) -> None:
    with pytest.raises(autoenc.InputError, match=told):
        autoenc.Autoencoder(**options).fit(frame)


def test_wrong_rows_and_searches_are_told(frame: pd.DataFrame, estimator: Any) -> None:
    with pytest.raises(autoenc.InputError, match="max_layers must be at least 1"):
        autoenc.ArchitectureSearch(max_layers=0).fit(frame)
    huge = frame.assign(north=1e300)
    with pytest.raises(ValueError, match=r"infinite in single precision|too large"):
        clone(estimator).set_params(scaling="none").fit(huge)
    with pytest.raises(ValueError, match="infinity"):
        clone(estimator).fit(frame.assign(north=np.inf))
    estimator.fit(frame)
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[["east", "north", *list(frame)[2:]]])
    with pytest.warns(UserWarning, match="far outside"):
        estimator.transform(frame.assign(north=1000.0))
