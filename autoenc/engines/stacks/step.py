"""The step that all models of a stack make at once: loss, gradient, AdamW."""

from __future__ import annotations

import weakref

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.contract import StopFlag, Stopped
from autoenc.engines.fit import Fit
from autoenc.engines.stacks.batches import BETAS, Batches
from autoenc.engines.stacks.chance import Chance
from autoenc.engines.stacks.losses import error_of, losses_of, squared_sums
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
        self._factors, self._kl = (torch.from_numpy(part).to(device, dtype) for part in plan[2:4])
        self._epoch_counts = plan.counts
        self._masks = self._chance.empty_masks()
        self._n_filled = batches.n_steps if self._masks is None else len(self._masks)
        self._at = torch.zeros(2, dtype=torch.int64, device=device)  # the step, and its place among the masks
        self._ends = torch.tensor([batches.n_steps, self._n_filled], device=device)
        self._sums = torch.zeros(len(fits), 2, dtype=torch.float64, device=device)
        state = (self._p, self._m, self._v, self._at, self._sums)
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
        *parts, self._epoch_counts = self._batches.plan(epoch)
        for buffer, part in zip((self._rows, self._keys, self._factors, self._kl), parts, strict=True):
            buffer.copy_(torch.from_numpy(part))
        for buffer in (self._at, self._sums):
            buffer.zero_()
        for keys in self._keys.split(self._n_filled):
            if self._masks is not None:
                self._chance.fill(self._masks, keys)
            for _ in range(len(keys)):
                if stop.is_set():
                    raise Stopped
                self._repeat()

    def losses(self) -> NDArray[np.float64]:
        """Return the training losses of the last epoch as they were met, ``[n_models]``."""
        return losses_of(self._recipes, self._sums, self._epoch_counts)

    def _now(self, steps: torch.Tensor, number: int = 0) -> torch.Tensor:
        """What this step has of the steps of an epoch, or of those whose masks are there."""
        return steps.index_select(0, self._at[number : number + 1])[0]

    def _step(self) -> None:
        rows, keys, factors = (self._now(steps) for steps in (self._rows, self._keys, self._factors))
        target = self._values.index_select(0, rows.flatten()).view(*rows.shape, -1)
        missing = torch.isnan(target)
        filled = target.masked_fill(missing, 0)
        flat = self._p.detach().requires_grad_()
        reconstruction, divergence = self._forward(flat, filled, missing, rows, keys)
        *of_adamw, of_zero, of_nonzero = factors[:, :, None, None]
        with torch.no_grad():
            error, nonzero = error_of(reconstruction, filled, missing, self._index)
            self._sums += squared_sums(error, nonzero)
            gradients = [error * torch.where(nonzero, of_nonzero, of_zero)]
        # The gradient of the loss is known up to here; of one model's no other's parameter has one.
        outputs = [reconstruction]
        if divergence is not None:
            outputs, gradients = [*outputs, divergence], [*gradients, self._kl]
        (gradient,) = torch.autograd.grad(outputs, flat, gradients)
        with torch.no_grad():
            self._adamw(gradient, *(factor[:, :, 0] for factor in of_adamw))
            self._at.add_(1).remainder_(self._ends)  # warming up may go beyond the last step

    def _forward(
        self,
        flat: torch.Tensor,
        filled: torch.Tensor,
        missing: torch.Tensor,
        rows: torch.Tensor,
        keys: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Reconstructions, and the KL divergence of each model, a mean over the rows of its batch."""
        hidden = self._chance.hidden(keys, filled.shape[-1])
        if hidden is not None:
            missing, filled = missing | hidden, filled.masked_fill(hidden, 0)
        divergence = None

        def draw(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
            nonlocal divergence
            is_row = by_model(rows != self._nothing, self._index)
            terms = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=2)
            divergence = 0.5 * (terms * is_row).sum(dim=1) / is_row.sum(dim=1).clamp(min=1)
            return mean + torch.exp(0.5 * log_variance) * self._chance.noise(keys)

        reconstruction = self._network.forward(
            flat, self._means, filled, missing, self._index,
            () if self._masks is None else self._chance.keep(self._now(self._masks, 1)),
            draw if self._network.variational else None,
        )  # fmt: skip
        return reconstruction, divergence

    def _adamw(
        self, gradient: torch.Tensor, step_size: torch.Tensor, eps: torch.Tensor, left: torch.Tensor,
        is_on: torch.Tensor,
    ) -> None:  # fmt: skip
        """Step as ``torch.optim.AdamW`` does, each model by its own factors; see :class:`EpochPlan`."""
        changed = (self._m, self._v, self._p)
        before = [] if self._batches.is_even else [tensor.clone() for tensor in changed]
        self._m.lerp_(gradient, 1 - BETAS[0])
        self._v.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        self._p.mul_(left).addcdiv_(self._m * step_size, self._v.sqrt().add_(eps), value=-1)
        for tensor, value in zip(changed, before, strict=False):  # where a model's epoch is over, nothing
            tensor.copy_(torch.where(is_on > 0, tensor, value))
