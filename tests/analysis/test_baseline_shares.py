"""What a loss is in relation to PCA's, and that rounding is no loss."""

from __future__ import annotations

import pytest

from autoenc.analysis.baselines import above_pca
from autoenc.report.answer import compared_with_baseline


@pytest.mark.parametrize("unit", [1e-18, 1.0, 1e12])
def test_a_loss_of_pca_that_is_rounding_has_no_share(unit: float) -> None:
    rounding, usual = ({"pca": share * unit, "mean": 0.3 * unit} for share in (1.5e-16, 0.02))
    assert above_pca(0.01 * unit, rounding) is None
    assert compared_with_baseline(0.01 * unit, rounding) == "PCA of the same latent size loses nothing"
    assert above_pca(0.03 * unit, usual) == pytest.approx(0.5)
    assert compared_with_baseline(0.01 * unit, usual).startswith("50 % below PCA")
    assert above_pca(0.0, {"pca": 0.0, "mean": 0.0}) is None
