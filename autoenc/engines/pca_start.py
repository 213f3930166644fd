"""Starting from PCA: a network that is the PCA of its training rows before the first step.

The encoder is ``W (x - mean) + f(x)`` and the decoder ``V z + g(z)``. W and V begin as PCA's solution, with
latent units of unit variance; the last layers of f and g begin as zero, and learn what PCA leaves.
"""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.contract import Fit, Split, State
from autoenc.engines.principal import Components, principal_components
from autoenc.engines.randomness import initial_state
from autoenc.errors import InputError

__all__ = ["LinearFit", "column_means", "fit_pca", "pca_of_rows", "start_of"]

_LARGE = 1e12  # sums of squares beyond leave the range of single precision; below it, they save memory
_NO_SPREAD = 1e-12  # of the first component's standard deviation


class LinearFit(NamedTuple):
    """The PCA of training rows.

    Attributes:
        mean: ``[columns]``, over observed cells; what a missing cell is taken for.
        components: ``[latent_dim, columns]``, of unit length.
        spread: ``[latent_dim]``, standard deviations along them, 1 where there is next to none.
    """

    mean: NDArray[np.floating]
    components: NDArray[np.floating]
    spread: NDArray[np.floating]


def column_means(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means ``[columns]`` of the observed cells of rows; 0 where there is none."""
    counts = np.maximum((~np.isnan(rows)).sum(axis=0), 1)
    means: NDArray[np.float32] = (np.nansum(rows, axis=0, dtype=np.float64) / counts).astype(np.float32)
    return means


def pca_of_rows(rows: NDArray[np.floating], latent_dim: int) -> Components:
    """Fit PCA to rows without missing cells; the latent size is cut to what rows and columns allow."""
    if np.abs(rows).max() > _LARGE:
        rows = rows.astype(np.float64)
    with np.errstate(invalid="ignore"):  # shares of a variance that is 0, which nobody asks for here
        return principal_components(rows, min(latent_dim, *rows.shape))


def fit_pca(split: Split, latent_dim: int) -> LinearFit:
    """Return the PCA of a split's training rows; a missing cell is given its column's mean over them."""
    train = split.values[split.train]
    mean = column_means(train)
    pca = pca_of_rows(np.where(np.isnan(train), mean, train), latent_dim)
    deviations = np.sqrt(pca.explained_variance_)
    small = ~(deviations > _NO_SPREAD * deviations.max())
    return LinearFit(pca.mean_, pca.components_, np.where(small, 1, deviations))


_kept: dict[int, tuple[weakref.ref[Split], dict[int, LinearFit]]] = {}
_lock = threading.Lock()


def _pca_of(split: Split, latent_dim: int) -> LinearFit:
    """Return the PCA of a split, which all its fits begin from: computed once while the split is in use."""
    with _lock:
        kept = _kept.get(id(split))
        if kept is None or kept[0]() is not split:
            kept = _kept[id(split)] = (weakref.ref(split, partial(_forget, id(split))), {})
        if latent_dim not in kept[1]:
            kept[1][latent_dim] = fit_pca(split, latent_dim)
        return kept[1][latent_dim]


def _forget(key: int, _: weakref.ref[Split]) -> None:
    _kept.pop(key, None)


def start_of(split: Split, fit: Fit) -> State:
    """Return the initial parameters, by their state-dict names, for the start that a fit's recipe names.

    Raises:
        InputError: If it begins from PCA and its latent size is above the number of training rows or columns.
    """
    network = fit.network(split.values.shape[1])
    state = initial_state(network, fit.seed)
    if fit.recipe.start == "random":
        return state
    most = min(split.train.size, network.input_dim)
    if fit.latent_dim > most:
        raise InputError(
            f"start pca: the latent size must be at most {most}, the smaller of training rows and columns, "
            f"got {fit.latent_dim}"
        )
    pca = _pca_of(split, fit.latent_dim)
    encoder, decoder = (
        [layer.linear for layer in network.layers() if layer.linear.startswith(part)][-1]
        for part in ("encoder", "decoder")
    )
    for name in (encoder, decoder):
        state[f"{name}.weight"] = np.zeros_like(state[f"{name}.weight"])
    state[f"{decoder}.bias"] = state["mean"] = pca.mean.astype(np.float64)
    state["encoder_line.weight"][: fit.latent_dim] = pca.components / pca.spread[:, None]
    state["decoder_line.weight"] = (pca.components * pca.spread[:, None]).T.astype(np.float64)
    return state
