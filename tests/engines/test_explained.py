from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from autoenc.engines import Fit, Recipe, Split, explained
from autoenc.engines.explained import explained_by_column, explained_variance
from autoenc.engines.native import NativeEngine
from autoenc.engines.torch_loop import TorchEngine
from autoenc.models.network import DynamicAutoencoder

QUICK = Recipe(epochs=3, batch_size=9)


def reconstructing(split: Split, state: dict, fit: Fit) -> np.ndarray:
    shape = fit.network(split.values.shape[1])
    model = DynamicAutoencoder(
        shape.input_dim, shape.latent_dim, shape.hidden_dims, norm=shape.norm, input_norm=shape.input_norm,
        linear_path=shape.linear_path,
    )  # fmt: skip
    model.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in state.items()})
    with torch.no_grad():
        return model.double().eval()(torch.from_numpy(split.values).double())[0].numpy()


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), n_columns=st.integers(1, 9), noise=st.floats(0, 2))
def test_it_is_r2_where_the_rows_that_judge_have_the_training_mean(seed, n_columns, noise) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(rng.normal(size=n_columns), 1, (20, n_columns)).astype(np.float32)
    split = Split(np.concatenate([rows, rows[::-1]]), np.arange(20), np.arange(20, 40))
    guesses = split.values + noise * rng.normal(size=split.values.shape)
    expected = r2_score(split.values[split.test], guesses[split.test], multioutput="raw_values")
    np.testing.assert_allclose(explained_by_column(split, lambda at: guesses[at]), expected, rtol=1e-5)
    assert explained_variance(split, lambda at: guesses[at]) == pytest.approx(expected.mean(), rel=1e-5)


def test_missing_cells_and_columns_without_anything_to_explain_are_left_out() -> None:
    nan = np.nan
    values = np.array(
        [[0, 5, nan, 1], [2, 5, nan, 3], [0, 6, 1, 2], [2, 7, 2, 2], [nan, 8, 3, 2]], np.float32
    )  # columns: missing cells; constant in training; unobserved in training; at the mean in the judging rows
    split = Split(values, np.array([0, 1]), np.array([2, 3, 4]))
    found = explained_by_column(split, lambda at: np.full((at.size, 4), 1.5, np.float32))
    np.testing.assert_allclose(found, [1 - (1.5**2 + 0.5**2) / 2, nan, nan, nan])


def test_nothing_can_be_said_of_columns_that_are_all_constant() -> None:
    split = Split(np.ones((4, 2), np.float32), np.arange(2), np.arange(2, 4))
    assert explained_variance(split, lambda at: np.ones((at.size, 2))) is None


def test_columns_that_vary_and_are_left_out_of_the_loss_are_not_explained() -> None:
    original = np.array([[0.0, 1], [2, 3], [0, 1], [2, 3]])
    scaled = np.stack([original[:, 0] - 1, np.full(4, np.nan)], axis=1).astype(np.float32)
    split = Split(scaled, np.arange(2), np.arange(2, 4), original, lambda values: values + np.arange(1, 3))
    np.testing.assert_allclose(explained_by_column(split, lambda at: np.zeros((at.size, 2))), [0, 0])
    np.testing.assert_allclose(explained_by_column(split, lambda at: scaled[at] * [1, 0] + [0, 1]), [1, 0])


def test_bent_columns_are_judged_in_their_own_units() -> None:
    original = np.array([[1.0], [10], [1], [100]])
    split = Split(
        np.log10(original).astype(np.float32), np.arange(2), np.arange(2, 4), original, lambda v: 10**v
    )
    assert explained_variance(split, lambda at: np.ones((at.size, 1))) == pytest.approx(
        1 - (9**2 + 90**2) / (4.5**2 + 94.5**2)
    )


def test_it_does_not_depend_on_how_many_rows_are_reconstructed_at_once(make_split, monkeypatch) -> None:
    split = make_split(n_rows=61, missing=0.2)
    guesses = split.values * 0.9
    whole = explained_by_column(split, lambda at: guesses[at])
    monkeypatch.setattr(explained, "_CHUNK_CELLS", 13)
    np.testing.assert_allclose(explained_by_column(split, lambda at: guesses[at]), whole, rtol=1e-12)


@pytest.mark.parametrize("engine", [NativeEngine, TorchEngine])
@pytest.mark.parametrize("start", ["random", "pca"])
@pytest.mark.parametrize(("norm", "input_norm"), [("layer", "none"), ("none", "layer"), ("none", "same")])
def test_fits_say_what_their_model_explains(make_split, engine, start, norm, input_norm) -> None:
    split = make_split(n_rows=61, missing=0.1)
    fit = Fit((8, 4), 3, dataclasses.replace(QUICK, start=start, norm=norm, input_norm=input_norm))
    outcome = engine(np.float64).fit(split, fit)
    guesses = reconstructing(split, outcome.state, fit)
    assert outcome.explained == pytest.approx(explained_variance(split, lambda at: guesses[at]), rel=1e-6)


@pytest.mark.parametrize("start", ["random", "pca"])
@pytest.mark.parametrize(("norm", "input_norm"), [("layer", "none"), ("none", "layer"), ("layer", "layer")])
@pytest.mark.parametrize("stack", [(8,), (9, 5)])
def test_the_engines_agree_with_a_norm_of_the_input_of_its_own(
    make_split, norm, input_norm, stack, start
) -> None:
    split = make_split(n_rows=61, missing=0.1)
    fit = Fit(stack, 3, dataclasses.replace(QUICK, norm=norm, input_norm=input_norm, start=start))
    native, torched = (engine(np.float64).fit(split, fit) for engine in (NativeEngine, TorchEngine))
    for name in ("train_losses", "test_losses", "final_train_loss", "explained"):
        assert getattr(native, name) == pytest.approx(getattr(torched, name), rel=1e-10)
    assert native.state.keys() == torched.state.keys()
    for name, value in torched.state.items():
        np.testing.assert_allclose(native.state[name], value, rtol=0, atol=1e-10 * np.abs(value).max())
    assert ("input_norm.weight" in native.state) == (input_norm == "layer")
    assert sum(value.size for name, value in native.state.items() if name != "mean") == (
        fit.network(split.values.shape[1]).count_parameters()
    )


@pytest.mark.parametrize("engine", [NativeEngine, TorchEngine])
def test_a_schedule_cut_after_no_epoch_keeps_the_start(make_split, engine) -> None:
    split = make_split(n_rows=61)
    recipe = Recipe(epochs=5, patience=2, start="pca").stopped_after(0)
    outcome = engine().fit(split, Fit((8,), 3, recipe))
    assert outcome.final_test_loss == outcome.start_loss


@pytest.mark.parametrize("kind", ["standard", "quantile"])
def test_indicators_of_a_column_count_as_one(kind):
    """Against the definition, written out: squared errors over squared deviations of scaled indicators."""
    from autoenc.data.division import scaled_split
    from autoenc.data.scaling import BY_KIND, Scaling

    rng = np.random.default_rng(0)
    n = 300
    code = rng.choice(4, n, p=[0.55, 0.35, 0.1, 0])
    code[n - 1] = 3  # a category that the training rows lack
    values = np.column_stack([rng.normal(size=n), *(code == k for k in range(4))]).astype(float)
    groups = np.array([BY_KIND, 0, 0, 0, 0])
    train, test = np.arange(200), np.arange(200, n)
    scaling = Scaling.fit(kind, values, train, groups)
    split = scaled_split(values, scaling, scaling.apply(values), train, test)
    answer = rng.normal(size=(n, 5)).astype(np.float32)
    found = explained_variance(split, lambda rows: answer[rows])

    share = (code[:200, None] == np.arange(3)).mean(axis=0)
    known = test[:-1]
    target = ((code[known, None] == np.arange(3)) - share) / np.sqrt(share)
    words = 1 - np.square(answer[known, 1:4] - target).sum() / np.square(target).sum()
    number = scaling.undo(answer)[test, 0]
    mean = values[train, 0].mean()
    numbers = 1 - np.square(number - values[test, 0]).sum() / np.square(values[test, 0] - mean).sum()
    assert found == pytest.approx((words + numbers) / 2, rel=1e-5)
