"""Models of all kinds, to be exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc

SCALINGS = ["maxabs", "none", "minmax", "standard", "floored", "robust", "log1p", "quantile", "auto"]
KINDS: dict[str, dict[str, Any]] = {
    **{scaling: {"scaling": scaling} for scaling in SCALINGS},
    **{name: {"activation": name} for name in ("leaky_relu", "elu", "gelu", "silu", "tanh")},
    "no norm": {"norm": "none"},
    "input norm": {"norm": "none", "input_norm": "layer"},
    "pca": {"start": "pca", "scaling": "standard"},
    "mask": {"missing": "mask"},
    "mask, pca": {"missing": "mask", "start": "pca", "norm": "none", "scaling": "standard"},
    "vae": {"family": "vae"},
    "vae, pca, quantile": {"family": "vae", "start": "pca", "scaling": "quantile"},
}


@pytest.fixture(scope="session")
def odd_table() -> pd.DataFrame:
    """Long tails, steps, a constant, an unlearned column, missing cells."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.random((120, 6)), columns=["flat", "tail", "steps", "both", "zeros", "same"])
    table["tail"] = np.exp(2 * rng.normal(size=120))
    table["steps"] = np.round(4 * table["steps"])
    table["both"] = rng.standard_t(2, size=120)
    table["zeros"] = table["zeros"].where(table["zeros"] > 0.7, 0.0)
    table = table.mask(rng.random(table.shape) < 0.1)
    return table.assign(same=3.0)


@pytest.fixture(scope="session")
def rows(odd_table: pd.DataFrame) -> np.ndarray:
    """Rows of it and beyond it: other numbers in the constant column, cells past the range, empty rows."""
    beyond = odd_table.head(6).copy()
    beyond["same"] = [3.0, 0.0, 2.0, np.nan, 4.0, 3.0 + 1e-14]
    beyond.iloc[1, :5] += 2.0
    beyond.iloc[2, :5] -= 1.0
    beyond.iloc[3] = np.nan
    return pd.concat([odd_table, beyond]).to_numpy()


@pytest.fixture(scope="session", params=KINDS)
def model(request: Any, odd_table: pd.DataFrame) -> Any:
    return autoenc.Autoencoder((16, 8), 2, epochs=4, **KINDS[request.param]).fit(odd_table).model_


@pytest.fixture(scope="session")
def ensemble(odd_table: pd.DataFrame) -> Any:
    from autoenc.fitted.ensemble import FittedEnsemble

    members = [
        autoenc.Autoencoder(hidden, size, epochs=4, scaling="standard").fit(odd_table).model_
        for hidden, size in (((8,), 2), ((16, 8), 3))
    ]
    return FittedEnsemble(members, {"note": "two"})


@pytest.fixture(scope="session")
def mixed() -> Any:
    """A model of categories, one of which no training row has, and rows with it."""
    columns = {"size": np.linspace(1, 2, 60), "site": ["a", "b", "c"] * 20, "new": [True, False] * 30}
    table = pd.DataFrame(columns)
    options: dict[str, Any] = {"hidden_dims_search": (8,), "max_layers": 1, "epochs": 3, "latent_dim": 2}
    table.loc[0, "site"] = "rare"
    for seed in range(20):
        found = autoenc.search(table, encode=True, scaling="standard", seed=seed, **options, quiet=True)
        best = found.best_model()
        if best.scaling.unseen.any():
            return best, best.encoding.encode(table)
    raise AssertionError("the rare category is among the training rows of every seed")
