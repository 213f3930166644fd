"""Baselines of an autoencoder: the column mean, PCA, and a linear autoencoder of its latent size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.linear_baseline import MOST_CELLS, linear_reconstruction
from autoenc.engines import Recipe, Split
from autoenc.engines.explained import explained_variance
from autoenc.engines.pca_start import column_means, filled_rows, pca_of_rows
from autoenc.system.surroundings import one_library_thread

__all__ = [
    "BASELINES", "above_pca", "baseline_losses", "best_baseline", "pca_explained", "reconstruction_loss",
]  # fmt: skip

BASELINES = {
    "pca": "PCA of the same latent size",
    "linear": "a linear autoencoder of the same latent size, fitted to the same loss",
    "mean": "the column mean",
}
"""By name, in words."""

_ROWS_AT_ONCE = 8192
_ROUNDING = 1e-10  # of the column mean's loss: squares of single precision's rounding


def reconstruction_loss(
    reconstruction: NDArray[np.floating], target: NDArray[np.floating], recipe: Recipe
) -> float:
    """Compute the loss (:func:`autoenc.models.loss.sparse_aware_loss`) of arrays, summed in float64."""
    error = np.empty(target.shape)
    n_observed = n_nonzero = 0
    blocks = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(target), _ROWS_AT_ONCE)]
    for block in blocks:
        observed = ~np.isnan(target[block])
        n_observed += int(observed.sum())
        np.square(
            np.where(observed, reconstruction[block] - target[block], 0.0), out=error[block], dtype=np.float64
        )
    over_all = error.sum() / max(n_observed, 1)
    # Errors of cells that are not zero, moved together to the front: a sum needs no copy of them.
    flat = error.reshape(-1)
    for block in blocks:
        cells = target[block]
        kept = error[block][(cells != 0) & ~np.isnan(cells)]
        flat[n_nonzero : n_nonzero + kept.size] = kept
        n_nonzero += kept.size
    over_nonzero = flat[:n_nonzero].sum() / max(n_nonzero, 1)
    return float(recipe.all_weight * over_all + recipe.nonzero_weight * over_nonzero)


@one_library_thread()  # the same numbers on any machine; on matrices this small, faster, too
def baseline_losses(split: Split, latent_dim: int, recipe: Recipe) -> dict[str, float]:
    """Return test losses of the baselines, fitted on the training rows of a split.

    PCA needs whole rows: a missing cell, in training and in test rows, is given its column's mean over
    the training rows. As everywhere, only observed cells enter the loss.

    Returns:
        ``mean`` and ``pca``; and ``linear``, the linear autoencoder fitted to the weighted loss
        (:func:`autoenc.analysis.linear_baseline.linear_reconstruction`), where the table is not too large.
    """
    values, linear = split.values, None
    means = column_means(values, split.train)
    if split.train.size * values.shape[1] <= MOST_CELLS:
        linear = linear_reconstruction(values[split.train], values[split.test], latent_dim, recipe)
    pca = pca_of_rows(filled_rows(values, split.train, means), latent_dim)
    filled = filled_rows(values, split.test, means)
    restored = pca.inverse_transform(pca.transform(filled.astype(pca.mean_.dtype, copy=False)))
    del filled
    test = values[split.test]
    return {
        "mean": reconstruction_loss(np.broadcast_to(means, test.shape), test, recipe),
        "pca": reconstruction_loss(restored, test, recipe),
        **({} if linear is None else {"linear": reconstruction_loss(linear, test, recipe)}),
    }


def best_baseline(baselines: Mapping[str, float]) -> str:
    """Return the name of the baseline with the lowest loss; PCA where that loses nothing but rounding."""
    if baselines["pca"] <= _ROUNDING * baselines["mean"]:
        return "pca"
    return min((name for name in BASELINES if name in baselines), key=lambda name: baselines[name])


@one_library_thread()
def pca_explained(split: Split, latent_dim: int) -> float | None:
    """Return the explained variance of the test rows by PCA, fitted on the training rows as for the loss.

    The measure counts every column by its own deviation, and so does PCA of columns that are standardized.

    Args:
        split: The data, standardized.
        latent_dim: Components; cut to what rows and columns allow.

    Returns:
        The mean over columns; None where none can be judged.
    """
    if split.is_left_out.all():
        return None
    means = column_means(split.values, split.train)
    pca = pca_of_rows(filled_rows(split.values, split.train, means), latent_dim)

    def reconstruct(rows: NDArray[np.int64]) -> NDArray[np.floating]:
        filled = filled_rows(split.values, rows, means)
        restored: NDArray[np.floating] = pca.inverse_transform(pca.transform(filled))
        return restored

    return explained_variance(split, reconstruct)


def above_pca(loss: float, baselines: Mapping[str, float], name: str = "pca") -> float | None:
    """Return how much higher a loss is than that of a baseline, as a share of it; below 0 where it is lower.

    Args:
        loss: Of an autoencoder.
        baselines: What :func:`baseline_losses` gave on the same rows.
        name: Of the baseline.

    Returns:
        None where the baseline loses nothing but rounding, of which no share can be told.
    """
    beside = baselines[name]
    return loss / beside - 1 if beside > _ROUNDING * baselines["mean"] and beside > 0 else None
