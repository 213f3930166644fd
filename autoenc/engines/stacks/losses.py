"""The loss of every model of a stack: as it is learned from, and over many batches at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.recipe import Recipe
from autoenc.engines.stacks.network import StackNetwork, by_model

__all__ = ["error_of", "losses_of", "measured_sums", "squared_sums"]

_CELLS = 2**24
"""Cells of the widest layer that are computed at once when a loss is only measured."""


def error_of(
    reconstruction: torch.Tensor, filled: torch.Tensor, missing: torch.Tensor, index: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the error of each cell, 0 where it is missing, and which cells are not zero.

    Args:
        reconstruction: ``[n_models, rows, columns]``.
        filled: ``[n_groups, rows, columns]``, the cells, 0 where one is missing.
        missing: Which are, bool of the same shape.
        index: Each model's group; None where there is one.

    Shape:
        errors: ``[n_models, rows, columns]``; others: bool ``[n_models or 1, rows, columns]``.
    """
    filled = by_model(filled, index)
    return (reconstruction - filled).masked_fill_(by_model(missing, index), 0), filled != 0


def squared_sums(error: torch.Tensor, nonzero: torch.Tensor) -> torch.Tensor:
    """Return the sums of the squares of :func:`error_of`: of all cells and of those that are not zero.

    Shape:
        returns: ``[n_models, 2]``.
    """
    squares = error.square()
    return torch.stack([squares.sum(dim=(1, 2)), (squares * nonzero).sum(dim=(1, 2))], dim=1)


def losses_of(
    recipes: Sequence[Recipe], sums: torch.Tensor, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the loss of each model, ``[n_models]``, from its :func:`squared_sums` over many batches.

    Args:
        recipes: Of each model.
        sums: ``[n_models, 2]``.
        counts: ``[n_models or 1, 2]``, the numbers of cells that they are over.
    """
    weights = np.array([[recipe.all_weight, recipe.nonzero_weight] for recipe in recipes])
    losses: NDArray[np.float64] = (weights * sums.double().cpu().numpy() / np.maximum(counts, 1)).sum(axis=1)
    return losses


@torch.no_grad()
def measured_sums(
    network: StackNetwork,
    flat: torch.Tensor,
    means: torch.Tensor | None,
    values: torch.Tensor,
    rows: torch.Tensor,
    index: torch.Tensor | None,
) -> torch.Tensor:
    """Return the :func:`squared_sums` of each model over rows, without dropout, float64 ``[n_models, 2]``.

    Args:
        network: What is computed with the parameters ``flat`` and ``means``.
        flat: ``[n_models, n_parameters]``.
        means: See :meth:`StackNetwork.means`.
        values: The tables.
        rows: Rows of them, ``[n_groups, n]``.
        index: Each model's group; None where there is one.
    """
    widest = max(values.shape[1], *(layer.n_out for layer in network.layers))
    n_rows = max(1, _CELLS // (len(flat) * widest))
    sums = torch.zeros(len(flat), 2, device=flat.device, dtype=torch.float64)
    for part in rows.split(n_rows, dim=1):
        target = values[part]
        missing = torch.isnan(target)
        filled = target.masked_fill(missing, 0)
        reconstruction = network.forward(flat, means, filled, missing, index)
        sums += squared_sums(*error_of(reconstruction, filled, missing, index))
    return sums
