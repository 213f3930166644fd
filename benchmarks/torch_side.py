"""The training loop that a careful person would write in PyTorch: one model after the other, one thread.

Nothing stands in the loop that need not be there: no DataLoader, no NaN handling per step, the loss as one
weighted sum, fused AdamW, and no value read back before the epoch is over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from autoenc.engines import Fit, Recipe, Split
from autoenc.models.network import DynamicAutoencoder

__all__ = ["Cells", "torch_fit"]


class Cells(NamedTuple):
    """One side of the split, with all that the loss needs worked out in advance.

    Shape:
        filled, observed, nonzero: ``[rows, columns]``, missing cells as 0.
        n_observed, n_nonzero: ``[rows]``.
    """

    filled: torch.Tensor
    observed: torch.Tensor
    nonzero: torch.Tensor
    n_observed: torch.Tensor
    n_nonzero: torch.Tensor

    @classmethod
    def of(cls, split: Split, rows: np.ndarray, device: str = "cpu") -> Cells:
        """The cells of these rows."""
        values = torch.from_numpy(split.values[rows]).to(device)
        observed, filled = (~values.isnan()).float(), values.nan_to_num(0.0)
        nonzero = (filled != 0).float()
        return cls(filled, observed, nonzero, observed.sum(1), nonzero.sum(1))

    def weights(self, order: torch.Tensor, batch_size: int, recipe: Recipe) -> torch.Tensor:
        """What each cell's squared error counts in its batch: the loss is then one weighted sum."""
        batch = torch.arange(len(order), device=order.device) // batch_size
        zeros = torch.zeros(-(-len(order) // batch_size), device=order.device)
        per_observed = recipe.all_weight / zeros.index_add(0, batch, self.n_observed[order]).clamp(min=1)
        per_nonzero = recipe.nonzero_weight / zeros.index_add(0, batch, self.n_nonzero[order]).clamp(min=1)
        weights = self.observed[order] * per_observed[batch, None]
        return weights.addcmul_(self.nonzero[order], per_nonzero[batch, None])


def torch_loss(model: DynamicAutoencoder, cells: Cells, recipe: Recipe) -> float:
    """The loss over all rows at once."""
    model.eval()
    with torch.inference_mode():
        n_rows = len(cells.filled)
        weights = cells.weights(torch.arange(n_rows, device=cells.filled.device), n_rows, recipe)
        return ((model(cells.filled)[0] - cells.filled).square() * weights).sum().item()


def torch_fit(fit: Fit, train: Cells, test: Cells, compiled: bool = False) -> float:
    """Train one stack where its cells are; returns its final test loss."""
    recipe, device = fit.recipe, train.filled.device
    n_rows, n_columns = train.filled.shape
    model = DynamicAutoencoder(n_columns, fit.latent_dim, fit.architecture, recipe.dropout).to(device)
    if compiled:
        model.compile()
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe.initial_lr, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs, recipe.eta_min)
    test_losses = []
    for _ in range(recipe.epochs):
        model.train()
        order = torch.randperm(n_rows, device=device)
        batches = train.filled[order].split(recipe.batch_size)
        weights = train.weights(order, recipe.batch_size, recipe).split(recipe.batch_size)
        total = torch.zeros((), device=device)
        for x, weight in zip(batches, weights, strict=True):
            optimizer.zero_grad()
            loss = ((model(x)[0] - x).square() * weight).sum()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        schedule.step()
        test_losses.append(torch_loss(model, test, recipe))
    torch_loss(model, train, recipe)
    return test_losses[-1]
