"""The estimators pass scikit-learn's own suite of checks."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import autoenc

SMALL: dict[str, Any] = {"latent_dim": 2, "epochs": 2}
ESTIMATORS = [
    autoenc.Autoencoder(hidden_dims=(8,), **SMALL),
    autoenc.ArchitectureSearch(hidden_dims_search=(4, 8), max_layers=1, n_jobs=1, **SMALL),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # tables of the checks are small and odd, and are told so
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)
