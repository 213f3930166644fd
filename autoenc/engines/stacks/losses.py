"""The loss of every model of a stack: as it is learned from, and over many batches at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.recipe import Recipe
from autoenc.engines.stacks.network import StackNetwork, by_model

__all__ = ["loss_sums", "losses_of", "measured_losses"]

_CELLS = 2**24
"""Cells of the widest layer that are computed at once when a loss is only measured."""


def loss_sums(
    reconstruction: torch.Tensor, target: torch.Tensor, index: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums from which losses follow.

    Args:
        reconstruction: ``[n_models, rows, columns]``.
        target: ``[n_groups, rows, columns]``, NaN where a cell is missing.
        index: Each model's group; None where there is one.

    Returns:
        Squared errors ``[n_models, 2]`` and numbers of cells ``[n_groups, 2]``, each over all observed cells
        and over those that are not zero.
    """
    missing = torch.isnan(target)
    filled = target.masked_fill(missing, 0)
    observed, nonzero = ~missing, filled != 0
    error = (reconstruction - by_model(filled, index)).masked_fill(by_model(missing, index), 0).square()
    errors = (error.sum(dim=(1, 2)), (error * by_model(nonzero, index)).sum(dim=(1, 2)))
    counts = (observed.sum(dim=(1, 2)), nonzero.sum(dim=(1, 2)))
    return torch.stack(errors, dim=1), torch.stack(counts, dim=1)


def losses_of(
    recipes: Sequence[Recipe], errors: torch.Tensor, counts: torch.Tensor, index: torch.Tensor | None
) -> NDArray[np.float64]:
    """Return the loss of each model, ``[n_models]``, from its sums over many batches."""
    cells = np.maximum(by_model(counts, index).cpu().numpy().astype(np.float64), 1)
    weights = np.array([[recipe.all_weight, recipe.nonzero_weight] for recipe in recipes])
    losses: NDArray[np.float64] = (weights * errors.double().cpu().numpy() / cells).sum(axis=1)
    return losses


@torch.no_grad()
def measured_losses(
    network: StackNetwork,
    flat: torch.Tensor,
    means: torch.Tensor | None,
    values: torch.Tensor,
    rows: torch.Tensor,
    index: torch.Tensor | None,
    recipes: Sequence[Recipe],
) -> NDArray[np.float64]:
    """Return the loss of each model over rows, without dropout, ``[n_models]``.

    Args:
        network: What is computed with the parameters ``flat`` and ``means``.
        flat: ``[n_models, n_parameters]``.
        means: See :meth:`StackNetwork.means`.
        values: The tables.
        rows: Rows of them, ``[n_groups, n]``.
        index: Each model's group; None where there is one.
        recipes: Of each model.
    """
    widest = max(values.shape[1], *(layer.n_out for layer in network.layers))
    n_rows = max(1, _CELLS // (len(flat) * widest))
    errors = torch.zeros(len(flat), 2, device=flat.device, dtype=torch.float64)
    counts = torch.zeros(len(rows), 2, device=flat.device, dtype=torch.float64)
    for part in rows.split(n_rows, dim=1):
        target = values[part]
        missing = torch.isnan(target)
        reconstruction = network.forward(flat, means, target.masked_fill(missing, 0), missing, index)
        more_errors, more_counts = loss_sums(reconstruction, target, index)
        errors += more_errors
        counts += more_counts
    return losses_of(recipes, errors, counts, index)
