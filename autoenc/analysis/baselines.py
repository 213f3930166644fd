"""What an autoencoder must beat: the column mean and PCA of the same latent size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import Recipe, Split
from autoenc.engines.explained import explained_variance
from autoenc.engines.pca_start import column_means, pca_of_rows

__all__ = ["above_pca", "baseline_losses", "pca_explained", "reconstruction_loss"]

_ROUNDING = 1e-10  # of the column mean's loss: squares of single precision's rounding


def reconstruction_loss(
    reconstruction: NDArray[np.floating], target: NDArray[np.floating], recipe: Recipe
) -> float:
    """The sparse-aware loss (:func:`autoenc.models.loss.sparse_aware_loss`) of arrays, summed in float64."""
    observed = ~np.isnan(target)
    error = np.square(np.where(observed, reconstruction - target, 0.0), dtype=np.float64)
    nonzero = observed & (target != 0)
    over_all = error.sum() / max(observed.sum(), 1)
    over_nonzero = error[nonzero].sum() / max(nonzero.sum(), 1)
    return float(recipe.all_weight * over_all + recipe.nonzero_weight * over_nonzero)


def baseline_losses(split: Split, latent_dim: int, recipe: Recipe) -> dict[str, float]:
    """Test losses of the baselines, fitted on the training rows of a split.

    PCA needs whole rows: a missing cell, in training and in test rows, is given its column's mean over
    the training rows. As everywhere, only observed cells enter the loss.

    Returns:
        ``mean`` and ``pca``.
    """
    train, test = split.values[split.train], split.values[split.test]
    means = column_means(train)
    train, filled = (np.where(np.isnan(rows), means, rows) for rows in (train, test))
    pca = pca_of_rows(train, latent_dim)
    if pca.mean_.dtype == np.float64:
        filled = filled.astype(np.float64)
    return {
        "mean": reconstruction_loss(np.broadcast_to(means, test.shape), test, recipe),
        "pca": reconstruction_loss(pca.inverse_transform(pca.transform(filled)), test, recipe),
    }


def pca_explained(split: Split, latent_dim: int) -> float | None:
    """Explained variance of the test rows by PCA, fitted on the training rows as for the loss.

    The measure counts every column by its own deviation, and so does PCA of columns that are standardized.

    Args:
        split: The data, standardized.
        latent_dim: Components; cut to what rows and columns allow.

    Returns:
        The mean over columns; None where none can be judged.
    """
    train = split.values[split.train]
    if np.isnan(train).all():
        return None
    means = column_means(train)
    pca = pca_of_rows(np.where(np.isnan(train), means, train), latent_dim)

    def reconstruct(rows: NDArray[np.int64]) -> NDArray[np.floating]:
        cells = split.values[rows]
        filled = np.where(np.isnan(cells), means, cells)
        restored: NDArray[np.floating] = pca.inverse_transform(pca.transform(filled))
        return restored

    return explained_variance(split, reconstruct)


def above_pca(loss: float, baselines: Mapping[str, float]) -> float | None:
    """How much higher a loss is than that of PCA, as a share of it; below 0 where it is lower.

    Args:
        loss: Of an autoencoder.
        baselines: What :func:`baseline_losses` gave on the same rows.

    Returns:
        None where PCA loses nothing but rounding, of which no share can be told.
    """
    pca = baselines["pca"]
    return loss / pca - 1 if pca > _ROUNDING * baselines["mean"] and pca > 0 else None
