"""What chance decides in a step of a stack: dropped units, hidden cells, noise of variational models."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from autoenc.engines.fit import Fit
from autoenc.engines.stacks.batches import Batches, grouped, hidden_share
from autoenc.engines.stacks.hashes import combine, normal_of, sortable, threshold_of
from autoenc.engines.stacks.network import StackNetwork, by_model

__all__ = ["Chance"]

_CELLS = 2**22
"""Decisions about units that are kept at once: a step then has few operations, and memory is bounded."""


class Chance:
    """Computes on the device what follows from the keys of a step.

    Models with the same seed and dropout share their masks, which are computed once.

    Args:
        fits: One a model.
        network: Of the stack.
        batches: Of the stack.
        device: Where it is computed.
        dtype: Precision of what activations are multiplied by.
    """

    def __init__(
        self, fits: Sequence[Fit], network: StackNetwork, batches: Batches, device: torch.device,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self._network, self._dtype, self._n_steps = network, dtype, batches.n_steps
        self._widths = [layer.n_out for layer in network.layers if layer.hidden]
        recipes = [fit.recipe for fit in fits]
        widest = max(layer.n_out for layer in network.layers)
        self._rows = torch.arange(batches.batch, dtype=torch.int32, device=device)[:, None]
        self._units = torch.arange(max(widest, network.latent_dim), dtype=torch.int32, device=device)

        def on_device(values: Sequence[float], dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(np.asarray(values), dtype=dtype, device=device)[:, None, None]

        first, index = grouped([(fit.seed, fit.recipe.dropout) for fit in fits])
        shares = [recipes[i].dropout for i in first]
        self._drops = any(shares)
        self._drop_index = None if index is None else torch.from_numpy(index).to(device)
        self._drop_seed = torch.from_numpy(batches.seed[first]).to(device)
        self._drop_threshold = on_device([threshold_of(share) for share in shares], torch.int32)
        self._drop_factor = on_device([1 / (1 - share) for share in shares], dtype)

        hidden = [hidden_share(recipes[i]) for i in batches.first]
        self._hides = any(hidden)
        self._hide_seed = torch.from_numpy(batches.seed[batches.first]).to(device)
        self._hide_threshold = on_device([threshold_of(share) for share in hidden], torch.int32)

        self._seed = torch.from_numpy(batches.seed).to(device) if batches.seeds.size > 1 else None
        dims = [fit.latent_dim if fit.recipe.family == "vae" else 0 for fit in fits]
        latent = torch.arange(network.latent_dim, dtype=torch.int32, device=device)
        self._draws = (latent < on_device(dims, torch.int32)).to(dtype)

    def _words(self, keys: torch.Tensor, n_units: int) -> torch.Tensor:
        """Hashes of rows and units for each key, ``[..., batch, n_units]`` of keys ``[...]``."""
        units = combine(keys[..., None], self._units[:n_units])
        return sortable(combine(units[..., None, :], self._rows))

    def empty_masks(self) -> torch.Tensor | None:
        """Return room for the masks of some steps; None if no model has dropout.

        Shape:
            returns: bool ``[n_steps, n_groups, batch, units of all hidden layers]``, for as many steps as
                some memory holds.
        """
        if not self._drops:
            return None
        shape = len(self._drop_seed), len(self._rows), sum(self._widths)
        n_steps = max(1, min(_CELLS // prod(shape), self._n_steps))
        return torch.zeros((n_steps, *shape), dtype=torch.bool, device=self._rows.device)

    def fill(self, masks: torch.Tensor, keys: torch.Tensor) -> None:
        """Write which units stay in some steps.

        Args:
            masks: As of :meth:`empty_masks`; the first steps are written.
            keys: int32 ``[n_steps, n_slots, n_seeds]``.
        """
        for slot, mask in enumerate(masks[: len(keys)].split(self._widths, dim=-1)):
            words = self._words(keys[:, slot].index_select(1, self._drop_seed), mask.shape[-1])
            torch.ge(words, self._drop_threshold, out=mask)

    def keep(self, masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return for each hidden layer what its units are multiplied by.

        Args:
            masks: Of a step, ``[n_groups, batch, units of all hidden layers]``.

        Shape:
            each: ``[n_models or 1, batch, width]``.
        """
        factors = by_model(masks * self._drop_factor, self._drop_index)
        return torch.split(factors, self._widths, dim=-1)

    def hidden(self, keys: torch.Tensor, n_columns: int) -> torch.Tensor | None:
        """Return which cells denoising models do not see, ``[n_groups, batch, columns]``, or None."""
        if not self._hides:
            return None
        words = self._words(keys[-2].index_select(0, self._hide_seed), n_columns)
        return words < self._hide_threshold

    def noise(self, keys: torch.Tensor) -> torch.Tensor:
        """Return the noise of variational models, 0 elsewhere, ``[n_models, batch, latent_dim]``."""
        units = combine(keys[-1][:, None], self._units[: self._network.latent_dim])
        noise = normal_of(units[:, None, :], self._rows).to(self._dtype)
        return by_model(noise, self._seed) * self._draws
