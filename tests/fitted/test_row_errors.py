"""The error of each row, and reconstructions that are kept within the training range."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc import load_model
from autoenc.analysis.baselines import reconstruction_loss
from autoenc.data.scaling import Scaling
from autoenc.engines import Recipe
from autoenc.fitted.row_errors import leaves_range, row_errors

OPTIONS = {"hidden_dims_search": 8, "max_layers": 1, "epochs": 3, "quiet": True, "latent_dim": 2}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.integers(1, 7, (80, 5)).astype(float), columns=list("abcde"))


@pytest.fixture(scope="module")
def model(table):
    return autoenc.search(table, **OPTIONS).best_model()


def test_each_row_has_its_own_loss(model, table) -> None:
    rows = table.copy()
    rows.iloc[0, 2], rows.iloc[1, 1] = np.nan, 0
    given, error = model.reconstruct(rows, return_error=True)
    pd.testing.assert_frame_equal(given, model.reconstruct(rows))
    scaled, reconstruction = model.scaling.apply(rows.to_numpy()), model.reconstruct_scaled(rows)
    for i in (0, 1, 2):
        alone = reconstruction_loss(reconstruction[i : i + 1], scaled[i : i + 1], Recipe())
        assert error[i] == pytest.approx(alone)
    assert np.array_equal(model.row_errors(rows), error)


def test_a_row_unlike_all_others_stands_out(model, table) -> None:
    rows = pd.concat([table, pd.DataFrame([[150.0, -100, 150, -100, 150]], columns=table.columns)])
    with pytest.warns(UserWarning, match="is far outside of what the model learned from"):
        error = model.row_errors(rows)
    assert error.argmax() == len(rows) - 1
    assert error[-1] > 10 * error[:-1].max()


def test_a_row_without_an_observed_cell_has_none() -> None:
    cells = np.array([[np.nan, np.nan], [0, 0], [1, np.nan]])
    assert np.isnan(row_errors(cells, np.ones((3, 2)), {})[0])
    assert row_errors(cells, np.ones((3, 2)), {})[1:].tolist() == pytest.approx([0.3, 0])
    assert row_errors(cells, np.ones((3, 2)), {"all_weight": 1.0})[1] == 1


def test_what_leaves_the_range_is_moved_to_its_end(model, table) -> None:
    rows = 3 * table
    free, kept = model.reconstruct(rows), model.reconstruct(rows, clip=True)
    low, high = model.scaling.low, model.scaling.high
    assert ((free < low) | (free > high)).to_numpy().any()
    assert (kept >= low - 1e-5).to_numpy().all()
    assert (kept <= high + 1e-5).to_numpy().all()
    inside = ((free > low) & (free < high)).to_numpy()
    assert np.array_equal(free.to_numpy()[inside], kept.to_numpy()[inside])


def test_a_file_that_knows_no_range_is_not_clipped(root) -> None:
    model = load_model(root / "tests" / "assets" / "model-format1.pth")
    rows = pd.DataFrame([model.scaling.center] * 2, columns=model.columns)
    with pytest.raises(ValueError, match="train it again"):
        model.reconstruct(rows, clip=True)
    with pytest.raises(ValueError, match="train it again"):
        model.outside(rows)


def test_rows_given_back_far_outside_of_what_was_seen_are_flagged(table) -> None:
    model = autoenc.search(table, **OPTIONS, recipe="plain").best_model()  # no norm takes a row's level out
    assert not model.outside(table).any()
    rows = pd.concat([table, 1000 * table.iloc[:1]])
    with pytest.warns(UserWarning, match="is far outside of what the model learned from"):
        outside, given = model.outside(rows), model.reconstruct(rows).to_numpy()
    low, high = model.scaling.low, model.scaling.high
    past = ((given < 2 * low - high) | (given > 2 * high - low)).any(axis=1)
    assert outside.tolist() == past.tolist() == [False] * len(table) + [True]


def test_a_column_without_information_flags_no_row() -> None:
    cells = np.column_stack([np.arange(5.0), np.full(5, 3.0), np.full(5, np.nan)])
    scaling = Scaling.fit("standard", cells, np.arange(5))
    values = np.array([[2.0, 99, 99], [-3.9, 3, 0], [-4.1, 3, 0], [8.1, 3, np.nan]])
    assert leaves_range(values, scaling).tolist() == [False, False, True, True]
