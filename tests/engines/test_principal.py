"""Principal components have the bits of scikit-learn's, whichever of both computes them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from autoenc.engines.principal import PrincipalComponents, principal_components


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n_rows", "n_columns", "is_own"),
    [(10, 1, True), (240, 24, True), (1606, 24, True), (239, 24, False), (5, 7, False)],
)
@pytest.mark.parametrize("n_components", [1, 3])
def test_components_are_those_of_scikit_learn(dtype, n_rows, n_columns, is_own, n_components):
    rng = np.random.default_rng(n_rows)
    n_components = min(n_components, n_columns)
    rows = (rng.normal(size=(n_rows, n_columns)) * rng.uniform(0.1, 3, n_columns) + 1).astype(dtype)
    rows[:, -1] = rows[:, 0]  # a direction without any variance
    found, expected = principal_components(rows, n_components), PCA(n_components, random_state=0).fit(rows)
    assert isinstance(found, PrincipalComponents) == is_own
    for name in ("mean_", "components_", "explained_variance_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    others = rng.normal(size=(7, n_columns)).astype(dtype)
    projected = found.transform(others)
    np.testing.assert_array_equal(projected, expected.transform(others))
    np.testing.assert_array_equal(found.inverse_transform(projected), expected.inverse_transform(projected))
