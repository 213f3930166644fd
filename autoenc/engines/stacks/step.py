"""The step that all models of a stack make at once: loss, gradient, AdamW."""

from __future__ import annotations

import weakref

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.contract import StopFlag, Stopped
from autoenc.engines.fit import Fit
from autoenc.engines.stacks.batches import ADAM_EPS, BETAS, Batches
from autoenc.engines.stacks.chance import Chance
from autoenc.engines.stacks.losses import loss_sums, losses_of
from autoenc.engines.stacks.network import StackNetwork, by_model
from autoenc.engines.stacks.places import Place
from autoenc.engines.stacks.tables import DeviceTables

__all__ = ["Steps"]


class Steps:
    """Trains a stack epoch by epoch, in place.

    A step reads all that changes from step to step out of buffers, at a position that it moves on itself, so
    that a place can repeat it without anybody's help.

    Args:
        fits: One a model.
        network: What is computed with the parameters.
        batches: Which rows are met.
        tables: Where they are.
        parameters: ``[n_models, n_parameters]``; changed.
        moments: AdamW's, of the same shape; changed.
        means: See :meth:`StackNetwork.means`.
        place: Where it is computed.
    """

    def __init__(
        self,
        fits: list[Fit],
        network: StackNetwork,
        batches: Batches,
        tables: DeviceTables,
        parameters: torch.Tensor,
        moments: tuple[torch.Tensor, torch.Tensor],
        means: torch.Tensor | None,
        place: Place,
    ) -> None:
        self._network, self._batches, self._place = network, batches, place
        self._recipes = [fit.recipe for fit in fits]
        self._values, self._nothing = tables.values, tables.nothing
        self._p, (self._m, self._v), self._means = parameters, moments, means
        device, dtype = place.device, parameters.dtype
        self._index = None if batches.group is None else torch.from_numpy(batches.group).to(device)
        self._chance = Chance(fits, network, batches, device, dtype)
        plan = batches.plan(0)
        self._rows, self._keys = (torch.from_numpy(part).to(device) for part in plan[:2])
        self._factors, self._kl = (torch.from_numpy(part).to(device, dtype) for part in plan[2:])
        weights = [(recipe.all_weight, recipe.nonzero_weight) for recipe in self._recipes]
        self._weights = torch.tensor(weights, device=device, dtype=dtype)
        self._masks = self._chance.empty_masks()
        self._n_filled = len(self._masks[0]) if self._masks else batches.n_steps
        self._at, self._within = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        self._errors = torch.zeros(len(fits), 2, dtype=torch.float64, device=device)
        self._counts = torch.zeros(len(batches.first), 2, dtype=torch.float64, device=device)
        state = (self._p, self._m, self._v, self._at, self._within, self._errors, self._counts)
        method = weakref.WeakMethod(self._step)  # or the tensors would stay until the garbage is collected

        def step() -> None:
            own = method()
            assert own is not None
            own()

        self._repeat = place.repeatable(step, state)

    def launch(self, epoch: int, stop: StopFlag) -> None:
        """Train an epoch, from 0; a device of its own may still work on it when this returns.

        Raises:
            Stopped: If ``stop`` is set.
        """
        buffers = (self._rows, self._keys, self._factors, self._kl)
        for buffer, part in zip(buffers, self._batches.plan(epoch), strict=True):
            buffer.copy_(torch.from_numpy(part))
        for buffer in (self._at, self._errors, self._counts):
            buffer.zero_()
        for keys in self._keys.split(self._n_filled):
            self._chance.fill(self._masks, keys)
            self._within.zero_()
            for _ in range(len(keys)):
                if stop.is_set():
                    raise Stopped
                self._repeat()

    def losses(self) -> NDArray[np.float64]:
        """Return the training losses of the last epoch as they were met, ``[n_models]``."""
        return losses_of(self._recipes, self._errors, self._counts, self._index)

    def _step(self) -> None:
        rows = self._rows.index_select(0, self._at)[0]
        keys = self._keys.index_select(0, self._at)[0]
        factors = self._factors.index_select(0, self._at)[0]
        target = self._values.index_select(0, rows.flatten()).view(*rows.shape, -1)
        flat = self._p.detach().requires_grad_()
        reconstruction, divergence = self._forward(flat, target, rows, keys)
        errors, counts = loss_sums(reconstruction, target, self._index)
        shares = self._weights / by_model(counts, self._index).clamp(min=1)
        loss = (shares * errors).sum()  # of one model's loss no other's parameter has a gradient
        if divergence is not None:
            loss = loss + (self._kl * divergence).sum()
        (gradient,) = torch.autograd.grad(loss, flat)
        with torch.no_grad():
            self._adamw(gradient, factors)
            self._errors += errors.detach()
            self._counts += counts
            self._at.add_(1).remainder_(self._batches.n_steps)  # warming up may go beyond the last step
            self._within.add_(1).remainder_(self._n_filled)

    def _forward(
        self, flat: torch.Tensor, target: torch.Tensor, rows: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Reconstructions, and the KL divergence of each model, a mean over the rows of its batch."""
        missing = torch.isnan(target)
        hidden = self._chance.hidden(keys, target.shape[-1])
        if hidden is not None:
            missing = missing | hidden
        divergence = None

        def draw(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
            nonlocal divergence
            is_row = by_model(rows != self._nothing, self._index)
            terms = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=2)
            divergence = 0.5 * (terms * is_row).sum(dim=1) / is_row.sum(dim=1).clamp(min=1)
            return mean + torch.exp(0.5 * log_variance) * self._chance.noise(keys)

        reconstruction = self._network.forward(
            flat, self._means, target.masked_fill(missing, 0), missing, self._index,
            self._chance.keep([masks.index_select(0, self._within)[0] for masks in self._masks]),
            draw if self._network.variational else None,
        )  # fmt: skip
        return reconstruction, divergence

    def _adamw(self, gradient: torch.Tensor, factors: torch.Tensor) -> None:
        """Step as ``torch.optim.AdamW`` does, each model by its own factors."""
        step_size, left, root, is_on = factors.unsqueeze(2)
        changed = (self._m, self._v, self._p)
        before = [] if self._batches.is_even else [tensor.clone() for tensor in changed]
        self._m.lerp_(gradient, 1 - BETAS[0])
        self._v.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        self._p.mul_(left).addcdiv_(self._m * step_size, (self._v.sqrt() / root).add_(ADAM_EPS), value=-1)
        for tensor, value in zip(changed, before, strict=False):  # where a model's epoch is over, nothing
            tensor.copy_(torch.where(is_on > 0, tensor, value))
