"""Latent points become rows again, the same as those of a reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars
import pytest
from numpy.testing import assert_allclose

import autoenc

SMALL: dict[str, Any] = {
    "latent_dim": 2, "hidden_dims_search": (8,), "max_layers": 1, "epochs": 3, "quiet": True,
}  # fmt: skip


@pytest.mark.parametrize("scaling", ["maxabs", "quantile"])
def test_encoded_rows_decode_to_their_reconstruction(frame: pd.DataFrame, scaling: str) -> None:
    model = autoenc.search(frame, scaling=scaling, **SMALL).best_model()
    expected = model.reconstruct(frame)
    decoded = model.decode(model.encode(frame))
    pd.testing.assert_frame_equal(decoded, expected, rtol=1e-4, atol=1e-6)
    assert_allclose(model.decode(model.encode(frame).to_numpy()), expected, rtol=1e-4, atol=1e-6)
    assert model.decode(np.zeros((0, 2))).shape == (0, 6)


@pytest.mark.parametrize("make", [pd.DataFrame, polars.DataFrame])
def test_mixed_columns_decode_to_what_they_were(make: Any) -> None:
    days = pd.date_range("2020-01-01", periods=60)
    table = {"size": np.linspace(1, 2, 60), "site": ["a", "b", "c"] * 20, "day": days.to_numpy()}
    with pytest.warns(UserWarning, match="weigh otherwise"):
        model = autoenc.search(make(table), encode=True, **SMALL).best_model()
    decoded = model.decode(model.encode(make(table)))
    assert list(decoded.columns) == ["size", "site", "day"]
    assert set(decoded["site"]) <= {"a", "b", "c"}
    assert type(decoded) is make


def test_wrong_points_are_told(frame: pd.DataFrame) -> None:
    model = autoenc.search(frame, **SMALL).best_model()
    with pytest.raises(autoenc.InputError, match=r"data must be of shape \[rows, 2\]"):
        model.decode(np.zeros((3, 3)))
    with pytest.raises(autoenc.InputError, match="points must be finite numbers"):
        model.decode(np.full((3, 2), np.nan))
