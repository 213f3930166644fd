"""The sparse-aware reconstruction loss and its parts."""

from __future__ import annotations

import torch

__all__ = ["sparse_aware_loss"]


def sparse_aware_loss(
    reconstruction: torch.Tensor,
    target: torch.Tensor,
    nonzero_weight: float = 0.7,
    all_weight: float = 0.3,
) -> torch.Tensor:
    """Compute the squared error in which the few non-zero cells of a sparse table count for more.

    With O the observed cells (not NaN) and N the observed non-zero cells of ``target``, the loss is
    ``nonzero_weight * mean over N + all_weight * mean over O`` of the squared error. Where N is empty
    only the second term stands; where nothing is observed the loss is 0.

    Args:
        reconstruction: The model's output.
        target: The table; NaN marks a missing cell, which never enters the loss.
        nonzero_weight: Weight of the mean over the observed non-zero cells.
        all_weight: Weight of the mean over all observed cells.

    Shape:
        reconstruction, target: ``[rows, columns]``, equal; the result is a scalar.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> target = torch.tensor([[0.0, 2.0, float("nan")]])
        >>> float(sparse_aware_loss(torch.zeros(1, 3), target))  # 0.7 * 4 + 0.3 * (0 + 4) / 2
        3.4...
    """
    if reconstruction.shape != target.shape:
        raise ValueError(
            "reconstruction must have the shape of target, "
            f"got {tuple(reconstruction.shape)} and {tuple(target.shape)}"
        )
    observed = ~torch.isnan(target)
    filled = torch.where(observed, target, torch.zeros_like(target))
    error = torch.where(observed, reconstruction - filled, torch.zeros_like(filled)).square()
    nonzero = filled != 0
    n_observed, n_nonzero = observed.sum(), nonzero.sum()
    over_all = error.sum() / n_observed.clamp(min=1)
    over_nonzero = (error * nonzero).sum() / n_nonzero.clamp(min=1)
    return nonzero_weight * over_nonzero + all_weight * over_all
