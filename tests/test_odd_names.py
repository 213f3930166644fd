"""Columns whose names mean something to Python, to pandas or to a page are columns like others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc

NAMES = (
    "self", "class", "index", "frame", "name", "size", "T", "values", "None", "0", "-1", "a\nb", "<b>x</b>",
    "a,b", "a=b", "$x_1$", "loss", "config", "fold", "row", "set", "z1", "columns", "__class__", "kwargs",
)  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((80, 2)) @ rng.standard_normal((2, len(NAMES)))
    return pd.DataFrame(hidden + 0.3 * rng.standard_normal(hidden.shape), columns=NAMES)


def search(frame: pd.DataFrame | Path, **options: Any) -> autoenc.SearchResults:
    return autoenc.search(
        frame, latent_dim=2, hidden_dims_search=(8,), max_layers=1, epochs=2, quiet=True, **options
    )


def test_a_mixed_table_goes_through_fit_and_its_model(frame: pd.DataFrame, tmp_path: Path) -> None:
    mixed = frame.assign(size=pd.qcut(frame["size"], 3, labels=["s", "m", "l"]))
    mixed["class"] = mixed["class"] > 0
    result = autoenc.fit(mixed, latent_dim=2, budget=1, quiet=True)
    model = result.best_model()
    assert list(model.reconstruct(mixed).columns) == list(NAMES)
    assert not model.impute(mixed.mask(np.eye(80, len(NAMES), dtype=bool))).isna().any(axis=None)
    result.report(tmp_path / "report.html")


def as_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def as_csv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


FORMS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "frame": lambda frame, folder: frame,
    "masked": lambda frame, folder: frame.astype({"self": "Float64"}),
    "sparse": lambda frame, folder: frame.astype({"self": pd.SparseDtype(float)}),
    "marked": lambda frame, folder: frame.assign(**{"T": frame["T"].where(frame["T"] > -1, -99.0)}),
    "parquet": as_parquet,
    "csv": as_csv,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_of_numbers_goes_through_a_search(frame: pd.DataFrame, form: str, tmp_path: Path) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    result = search(FORMS[form](frame, tmp_path), na_values=("-99",))
    assert result.columns == list(NAMES)
    assert result.best_model().encode(frame).shape == (80, 2)


def test_a_label_may_have_such_a_name(frame: pd.DataFrame) -> None:
    labelled = frame.drop(columns="class")
    labelled["self"] = (labelled["self"] > 0).astype(int)
    assert search(labelled, stratify="self", folds=3).ranked
    transferred = autoenc.transfer(labelled, classification_target="self", n_trials=2, quiet=True)
    assert len(transferred.leaderboard) == 2
