"""The reference engine: the training written plainly in PyTorch, on any device."""

from __future__ import annotations

import copy
import time
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autoenc.engines.contract import Request, StopFlag, Stopped
from autoenc.engines.epochs import outcome_of, run_epochs
from autoenc.engines.explained import explained_variance
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.pca_start import start_of
from autoenc.engines.prepared import Prepared
from autoenc.engines.randomness import CORRUPTION, batch_order, dropout_mask, latent_noise
from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split
from autoenc.engines.torch_state import training_state
from autoenc.models.loss import sparse_aware_loss
from autoenc.models.network import DynamicAutoencoder

__all__ = ["TorchEngine"]

_EVALUATION_ROWS = 65536  # rows that pass through the network at once when a loss is only measured


class _CoordinateDropout(nn.Module):
    """Dropout that draws from the coordinates of each unit instead of from a generator's state."""

    def __init__(self, dropout: float, seed: int, layer: int) -> None:
        super().__init__()
        self.dropout, self.seed, self.layer = dropout, seed, layer
        self.epoch = self.step = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.dropout == 0:
            return x
        mask = dropout_mask(self.seed, self.epoch, self.step, self.layer, len(x), x.shape[1], self.dropout)
        return x * torch.from_numpy(mask).to(x.device) / (1 - self.dropout)


class _CoordinateDraw:
    """Draws latent points from coordinates, and keeps the batch's KL divergence, a mean over its rows."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = self.step = 0
        self.divergence = torch.zeros(())

    def __call__(self, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        noise = torch.from_numpy(latent_noise(self.seed, self.epoch, self.step, *mean.shape)).to(mean)
        terms = mean.square() + log_variance.exp() - 1 - log_variance
        self.divergence = 0.5 * terms.sum(dim=1).mean()
        return mean + torch.exp(0.5 * log_variance) * noise


class TorchEngine(Prepared):
    """Trains fits with autograd and ``torch.optim.AdamW``, one operation after the other.

    Args:
        dtype: Precision of parameters and arithmetic.
        device: Any torch device.
    """

    name = "torch"
    n_at_once = 0
    _first_recipe = Recipe(epochs=1, family="vae")

    def __init__(self, dtype: type[np.float32] | type[np.float64] = np.float32, device: str = "cpu") -> None:
        self.dtype = torch.float32 if dtype == np.float32 else torch.float64
        self.device = device

    @training_state()
    def _fit(self, request: Request, stop: StopFlag) -> Outcome:
        started = time.perf_counter()
        split, fit, watch, initial = request
        recipe = fit.recipe
        model, dropouts = self._build(split, fit, initial)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=recipe.initial_lr, weight_decay=recipe.weight_decay
        )
        kept = model.state_dict()

        def keep() -> None:
            nonlocal kept
            kept = copy.deepcopy(model.state_dict())

        def train(epoch: int) -> float:
            if stop.is_set():
                raise Stopped
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate(epoch)
            return self._epoch(model, optimizer, dropouts, split, fit, epoch)

        epochs = run_epochs(
            recipe, train, lambda: self._loss(model, split, split.test, fit), keep, stop, watch
        )
        model.load_state_dict(kept)
        final_train_loss = self._loss(model, split, split.train, fit)
        explained = explained_variance(split, lambda rows: self._reconstruct(model, split, rows))
        state: State = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        return outcome_of(epochs, final_train_loss, time.perf_counter() - started, state, explained)

    def _build(
        self, split: Split, fit: Fit, initial: State | None
    ) -> tuple[DynamicAutoencoder, list[_CoordinateDropout]]:
        """The model with the fit's own weights, its dropout layers replaced by reproducible ones."""
        recipe, network = fit.recipe, fit.network(split.values.shape[1])
        with torch.device("meta"):  # to draw weights that are replaced would move the caller's generator
            model = DynamicAutoencoder(
                network.input_dim, network.latent_dim, network.hidden_dims, recipe.dropout, recipe.activation,
                recipe.norm, network.variational, network.linear_path, recipe.input_norm, network.input_mask,
            )  # fmt: skip
        model.draw = _CoordinateDraw(fit.seed)
        dropouts: list[_CoordinateDropout] = []
        for part in (model.encoder, model.decoder):
            for i, module in enumerate(part):
                if isinstance(module, nn.Dropout):
                    dropouts.append(_CoordinateDropout(recipe.dropout, fit.seed, len(dropouts)))
                    part[i] = dropouts[-1]
        state = start_of(split, fit) if initial is None else initial
        tensors = {name: torch.from_numpy(value) for name, value in state.items()}
        placed = {name: value.to(self.device, self.dtype, copy=True) for name, value in tensors.items()}
        model.load_state_dict(placed, assign=True)
        return model, dropouts

    def _rows(self, split: Split, rows: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(split.values[rows]).to(self.device, self.dtype)

    def _epoch(
        self,
        model: DynamicAutoencoder,
        optimizer: torch.optim.Optimizer,
        dropouts: list[_CoordinateDropout],
        split: Split,
        fit: Fit,
        epoch: int,
    ) -> float:
        recipe = fit.recipe
        order = split.train[batch_order(fit.seed, epoch, split.train.size)]
        sums = _LossSums()
        draw = cast(_CoordinateDraw, model.draw)
        model.train()
        for step, start in enumerate(range(0, order.size, recipe.batch_size)):
            for dropout in dropouts:
                dropout.epoch, dropout.step = epoch, step
            draw.epoch, draw.step = epoch, step
            target = self._rows(split, order[start : start + recipe.batch_size])
            seen = target
            if recipe.family == "dae":
                n_rows, n_columns = seen.shape
                mask = dropout_mask(fit.seed, epoch, step, CORRUPTION, n_rows, n_columns, recipe.corruption)
                seen = seen.masked_fill(~torch.from_numpy(mask).to(seen.device), torch.nan)
            reconstruction, _ = model(seen)
            loss = sparse_aware_loss(reconstruction, target, recipe.nonzero_weight, recipe.all_weight)
            loss = loss + recipe.kl_weight_in(epoch) * draw.divergence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sums.add(reconstruction.detach(), target)
        return sums.loss(fit)

    @torch.no_grad()
    def _loss(self, model: DynamicAutoencoder, split: Split, rows: NDArray[np.int64], fit: Fit) -> float:
        model.eval()
        sums = _LossSums()
        for start in range(0, rows.size, _EVALUATION_ROWS):
            target = self._rows(split, rows[start : start + _EVALUATION_ROWS])
            sums.add(model(target)[0], target)
        return sums.loss(fit)

    @training_state()
    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Reconstruct rows; see :class:`autoenc.engines.contract.Engine`."""
        self.prepare()
        return self._reconstruct(self._build(split, fit, state)[0], split, rows)

    @torch.no_grad()
    def _reconstruct(
        self, model: DynamicAutoencoder, split: Split, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Scaled reconstructions of ``rows``, ``[rows, columns]``."""
        model.eval()
        reconstruction: NDArray[np.floating] = model(self._rows(split, rows))[0].cpu().numpy()
        return reconstruction


class _LossSums:
    """The sums from which the loss over many batches at once follows."""

    def __init__(self) -> None:
        self.sums = np.zeros(4)

    def add(self, reconstruction: torch.Tensor, target: torch.Tensor) -> None:
        observed = ~torch.isnan(target)
        error = torch.where(observed, reconstruction - target, 0).square()
        nonzero = observed & (target != 0)
        parts = (error.sum(), (error * nonzero).sum(), observed.sum(), nonzero.sum())
        self.sums += [part.item() for part in parts]

    def loss(self, fit: Fit) -> float:
        over_all, over_nonzero, n_observed, n_nonzero = self.sums.tolist()
        loss: float = fit.recipe.all_weight * over_all / max(n_observed, 1)
        return loss + fit.recipe.nonzero_weight * over_nonzero / max(n_nonzero, 1)
