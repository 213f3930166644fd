from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoenc.settings import TransferSettings, require_settings
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.space import configuration

SMALL = {
    "regression_target": "score", "classification_target": "kind", "n_cv_folds": 3, "epochs": 2,
    "stage2_epochs": 2, "latent_dim_options": "2,8", "hidden_dims_options": "4,8-4", "head_hidden": 4,
}  # fmt: skip


@pytest.fixture(scope="session")
def labelled_frame() -> pd.DataFrame:
    """90 rows of 5 columns, with a score and a kind that follow from them; some labels are missing."""
    rng = np.random.default_rng(7)
    values = rng.random((90, 5)).round(4)
    values[rng.random(values.shape) < 0.3] = 0
    frame = pd.DataFrame(values, columns=list("abcde"))
    frame["score"] = (10 * frame.a + 5 * frame.b + rng.normal(0, 0.5, 90)).round(3)
    frame["kind"] = np.where(frame.c + frame.d > 0.9, 2.0, 1.0)
    frame.loc[rng.random(90) < 0.1, "score"] = np.nan
    frame.loc[rng.random(90) < 0.1, "kind"] = np.nan
    frame.loc[::17, ["score", "kind"]] = np.nan
    frame.loc[3, "a"] = np.nan
    return frame


@pytest.fixture(scope="session")
def labelled_csv(labelled_frame, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("labelled") / "rows.csv"
    labelled_frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def make_settings(labelled_csv):
    def make(**options) -> TransferSettings:
        return require_settings(TransferSettings, {"data_path": str(labelled_csv), **SMALL, **options})

    return make


@pytest.fixture(scope="session")
def data(make_settings) -> TransferData:
    return TransferData.load(make_settings())


@pytest.fixture(scope="session")
def chosen(make_settings):
    params = {"latent_dim": 8, "hidden_dims": "8-4", "family": "ae", "activation": "relu", "norm": "layer",
              "dropout": 0.2, "learning_rate": 1e-3, "weight_decay": 1e-4, "head_dropout": 0.1,
              "head_learning_rate": 3e-3, "head_weight_decay": 1e-4}  # fmt: skip
    return configuration(params, make_settings())
