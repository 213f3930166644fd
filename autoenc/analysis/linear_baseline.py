"""The best linear autoencoder for the loss that judges: what hidden layers must beat.

PCA is fitted to plain squared errors, and judged by a loss in which non-zero cells count for more; on sparse
tables that flatters whatever is compared with it. This is the same map, a row times a matrix whose rank is
the latent size plus a constant, fitted to the weighted loss of the training rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.lbfgs import minimized
from autoenc.engines import Recipe
from autoenc.engines.pca_start import column_means, pca_of_rows

__all__ = ["MOST_CELLS", "linear_reconstruction"]

MOST_CELLS = 1_000_000
"""Of the training rows; beyond, fitting takes longer than it is worth, and there is no such baseline."""
_MOST_STEPS = 200
_ENOUGH = 1e-6  # relative change of the loss in a step at which fitting ends


def linear_reconstruction(
    train: NDArray[np.floating], test: NDArray[np.floating], latent_dim: int, recipe: Recipe
) -> NDArray[np.float64] | None:
    """Fit a linear autoencoder to the training rows, and return what it makes of the test rows.

    Encoder and decoder are fitted together by L-BFGS, from PCA, so that the training loss is never above
    PCA's. Test rows go through the encoder, as they do in a network: their latent points are not fitted. A
    missing cell enters as its column's mean, and never the loss.

    Args:
        train: Scaled rows, NaN where a cell is missing.
        test: The same.
        latent_dim: Size of the latent space; cut to what rows and columns allow.
        recipe: Says how cells are weighted.

    Shape:
        train, test: ``[rows, columns]``; the result is as ``test``.

    Returns:
        None where there are more than :data:`MOST_CELLS` cells to train on, or none that is observed.
    """
    observed = ~np.isnan(train)
    if train.size > MOST_CELLS or not observed.any():
        return None
    means = column_means(train.astype(np.float32)).astype(np.float64)
    # A power of two takes the unit out without rounding.
    unit = 2.0 ** np.frexp(max(float(np.abs(train[observed]).max()), 1e-300))[1]
    target = np.where(observed, train - means, 0.0) / unit
    pca = pca_of_rows(target, latent_dim)
    weights = _weights(observed, train, recipe)
    scale = float((weights * target**2).sum())
    n_latent, n_columns = pca.components_.shape
    encoder, decoder = pca.components_.T, pca.components_
    constant = pca.mean_ - pca.mean_ @ encoder @ decoder
    start = np.concatenate([encoder.ravel(), decoder.ravel(), constant])
    if scale > 0:
        start = _fitted(start, target, weights / scale, n_latent)
    encoder, decoder, constant = _parts(start, n_latent, n_columns)
    entered = np.where(np.isnan(test), 0.0, test - means) / unit
    restored: NDArray[np.float64] = means + unit * (entered @ encoder @ decoder + constant)
    return restored


def _weights(observed: NDArray[np.bool_], cells: NDArray[np.floating], recipe: Recipe) -> NDArray[np.float64]:
    """Return what each cell's squared error counts in the loss; 0 where it is missing."""
    nonzero = observed & (cells != 0)
    weights: NDArray[np.float64] = recipe.all_weight * observed / observed.sum()
    weights += recipe.nonzero_weight * nonzero / max(nonzero.sum(), 1)
    return weights


def _fitted(
    start: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64], n_latent: int
) -> NDArray[np.float64]:
    n_rows, n_columns = target.shape
    # Arrays that stay: making them anew takes longer than filling them. The last latent unit is the constant.
    latent, error, weighted = np.ones((n_rows, n_latent + 1)), np.empty_like(target), np.empty_like(target)

    def loss_and_gradient(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        encoder, _, _ = _parts(values, n_latent, n_columns)
        decoder = values[encoder.size :].reshape(n_latent + 1, n_columns)
        np.matmul(target, encoder, out=latent[:, :-1])
        np.matmul(latent, decoder, out=error)
        np.subtract(error, target, out=error)
        np.multiply(weights, error, out=weighted)
        loss = float(np.vdot(weighted, error))
        gradient = [target.T @ (weighted @ decoder[:-1].T), latent.T @ weighted]
        return loss, 2 * np.concatenate([part.ravel() for part in gradient])

    return minimized(loss_and_gradient, start, _MOST_STEPS, _ENOUGH)


def _parts(
    values: NDArray[np.float64], n_latent: int, n_columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return encoder ``[columns, latent]``, decoder ``[latent, columns]``, constant ``[columns]``."""
    n = n_latent * n_columns
    encoder, decoder = values[:n].reshape(n_columns, n_latent), values[n : 2 * n].reshape(n_latent, n_columns)
    return encoder, decoder, values[2 * n :]
