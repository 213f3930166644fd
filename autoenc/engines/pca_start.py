"""Starting from PCA: a network that is the PCA of its training rows before the first step.

The encoder is ``W (x - mean) + f(x)`` and the decoder ``V z + g(z)``. W and V begin as PCA's solution, with
latent units of unit variance; the last layers of f and g begin as zero, and learn what PCA leaves.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.fit import Fit, State
from autoenc.engines.principal import Components, principal_components
from autoenc.engines.randomness import initial_state
from autoenc.engines.split import Origin, RowsOfCells, Split
from autoenc.errors import InputError

__all__ = [
    "LinearFit", "check_latent_dim", "column_means", "filled_rows", "fit_pca", "pca_of_rows", "start_of",
]  # fmt: skip

_LARGE = 1e12  # sums of squares beyond leave the range of single precision; below it, they save memory
_NO_SPREAD = 1e-12  # of the first component's standard deviation
_CELLS_AT_ONCE = 2**18  # of a long table, which is never copied as a whole where that can be helped


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


def column_means(values: RowsOfCells, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Return the means of the observed cells of each column; 0 where there is none.

    Args:
        values: ``[rows, columns]``.
        rows: Which rows count, by default all.

    Returns:
        ``[columns]``.
    """
    counts, totals = np.zeros(values.shape[1], np.int64), np.zeros((1, values.shape[1]))
    for cells in _row_blocks(values, rows):
        missing = np.isnan(cells)
        counts += len(cells) - missing.sum(axis=0)
        # The sum so far goes first: the same order of additions, and the same bits, as of all rows at once.
        block = np.concatenate([totals, np.where(missing, np.float32(0), cells)], dtype=np.float64)
        totals = block.sum(axis=0, keepdims=True)
    means: NDArray[np.float32] = (totals[0] / np.maximum(counts, 1)).astype(np.float32)
    return means


def _row_blocks(values: RowsOfCells, rows: NDArray[np.int64] | None) -> Iterator[NDArray[np.float32]]:
    """Yield rows in blocks; all at once where a sum over blocks would add up in another order."""
    n_rows, n_columns = values.shape[0] if rows is None else rows.size, values.shape[1]
    is_sequential = n_columns > 1 and (not isinstance(values, np.ndarray) or values.flags.c_contiguous)
    n_at_once = max(1, _CELLS_AT_ONCE // n_columns) if is_sequential else max(1, n_rows)
    for start in range(0, n_rows, n_at_once):
        part = slice(start, start + n_at_once)
        yield values[part] if rows is None else values[rows[part]]


def filled_rows(
    values: RowsOfCells, rows: NDArray[np.int64], means: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return a copy of some rows with the column's mean in place of each missing cell.

    Args:
        values: ``[rows, columns]``.
        rows: Which rows.
        means: ``[columns]``.
    """
    filled: NDArray[np.float32] = values[rows]
    n_at_once = max(1, _CELLS_AT_ONCE // max(1, values.shape[1]))
    for start in range(0, rows.size, n_at_once):
        block = filled[start : start + n_at_once]
        np.copyto(block, means, where=np.isnan(block))
    return filled


def pca_of_rows(rows: NDArray[np.floating], latent_dim: int) -> Components:
    """Fit PCA to rows without missing cells; the latent size is cut to what rows and columns allow."""
    if max(rows.max(), -rows.min()) > _LARGE:
        rows = rows.astype(np.float64)
    with np.errstate(invalid="ignore"):  # shares of a variance that is 0, which nobody asks for here
        return principal_components(rows, min(latent_dim, *rows.shape))


def fit_pca(split: Split, latent_dim: int) -> LinearFit:
    """Return the PCA of a split's training rows; a missing cell is given its column's mean over them."""
    mean = column_means(split.values, split.train)
    pca = pca_of_rows(filled_rows(split.values, split.train, mean), latent_dim)
    deviations = np.sqrt(pca.explained_variance_)
    small = ~(deviations > _NO_SPREAD * deviations.max())
    return LinearFit(pca.mean_, pca.components_, np.where(small, 1, deviations))


_kept: dict[int, tuple[weakref.ref[Split | Origin], dict[int, LinearFit]]] = {}
_lock = threading.Lock()


def _pca_of(split: Split, latent_dim: int) -> LinearFit:
    """Return the PCA of a split, which all its fits begin from: computed once while the split is in use."""
    owner = split if split.origin is None else split.origin  # which outlives splits that are made anew
    with _lock:
        kept = _kept.get(id(owner))
        if kept is None or kept[0]() is not owner:
            kept = _kept[id(owner)] = (weakref.ref(owner, partial(_forget, id(owner))), {})
        if latent_dim not in kept[1]:
            kept[1][latent_dim] = fit_pca(split, latent_dim)
        return kept[1][latent_dim]


def _forget(key: int, _: weakref.ref[Split | Origin]) -> None:
    _kept.pop(key, None)


def check_latent_dim(latent_dim: int, n_rows: int, n_columns: int) -> None:
    """See that training rows of a table have so many principal components.

    Raises:
        InputError: If they have fewer.
    """
    most = min(n_rows, n_columns)
    if latent_dim > most:
        raise InputError(
            f"start pca: the latent size must be at most {most}, the smaller of training rows and columns, "
            f"got {latent_dim}"
        )


def start_of(split: Split, fit: Fit) -> State:
    """Return the initial parameters, by their state-dict names, for the start that a fit's recipe names.

    Raises:
        InputError: If it begins from PCA and its latent size is above the number of training rows or columns.
    """
    network = fit.network(split.values.shape[1])
    state = initial_state(network, fit.seed)
    if fit.recipe.start == "random":
        return state
    check_latent_dim(fit.latent_dim, split.train.size, network.input_dim)
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
