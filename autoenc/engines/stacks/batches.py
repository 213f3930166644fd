"""What the steps of an epoch need that follows from coordinates alone: rows, keys of the hash, step sizes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoenc.engines.fit import Fit
from autoenc.engines.randomness import CORRUPTION, NOISE, batch_order
from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split
from autoenc.engines.stacks.hashes import keys_of_steps
from autoenc.engines.stacks.tables import DeviceTables

__all__ = ["ADAM_EPS", "BETAS", "Batches", "EpochPlan", "grouped", "hidden_share"]

BETAS, ADAM_EPS = (0.9, 0.999), 1e-8
"""Of torch's AdamW, which the recipe leaves as they are."""


class EpochPlan(NamedTuple):
    """The steps of an epoch.

    Attributes:
        rows: int64 ``[n_steps, n_groups, batch]``, rows of the tables on the device.
        keys: int32 ``[n_steps, n_slots, n_seeds]``; the last two slots are of hidden cells and of noise.
        factors: float64 ``[n_steps, 6, n_models]``: AdamW's step size and the number beside its root, both
            times the root of the second moment's bias correction; the share that weight decay leaves; 1, or 0
            where a model's epoch is over; the loss's gradient by a cell's error, where the cell is zero and
            where it is not.
        kl_weights: float64 ``[n_models]``.
        counts: int64 ``[n_models, 2]``: cells of the epoch, observed and not zero.
    """

    rows: NDArray[np.int64]
    keys: NDArray[np.int32]
    factors: NDArray[np.float64]
    kl_weights: NDArray[np.float64]
    counts: NDArray[np.int64]


def grouped(keys: Sequence[Hashable]) -> tuple[list[int], NDArray[np.int64] | None]:
    """Return the first place of each distinct key, and to which of them each belongs; None if to one."""
    first: dict[Hashable, int] = {}
    for i, key in enumerate(keys):
        first.setdefault(key, i)
    numbers = {key: n for n, key in enumerate(first)}
    index = np.array([numbers[key] for key in keys], np.int64) if len(first) > 1 else None
    return list(first.values()), index


def hidden_share(recipe: Recipe) -> float:
    """Return the probability that a cell is hidden in training."""
    return recipe.corruption if recipe.family == "dae" else 0.0


class Batches:
    """Which rows the models of a stack meet, and how far they step.

    Models with the same rows, seed, batch size and share of hidden cells form a group, which meets the same
    batches.

    Args:
        fits: One a model.
        splits: Of each.
        tables: Where their rows are.

    Attributes:
        first: The first model of each group.
        group: int64 ``[n_models]``, each model's group; None where there is one.
        seeds: uint32 ``[n_seeds]``, the distinct seeds.
        seed: int64 ``[n_models]``, each model's among them.
        n_steps: Steps of the longest epoch.
        batch: Rows of the largest batch.
        is_even: Whether all epochs have the same number of steps.
    """

    def __init__(self, fits: Sequence[Fit], splits: Sequence[Split], tables: DeviceTables) -> None:
        self._fits, self._splits, self._tables = fits, splits, tables
        self.first, self.group = grouped([
            (id(split), fit.seed, fit.recipe.batch_size, hidden_share(fit.recipe))
            for fit, split in zip(fits, splits, strict=True)
        ])  # fmt: skip
        self.seeds, self.seed = np.unique(
            np.array([fit.seed for fit in fits], np.uint32), return_inverse=True
        )
        sizes = np.array([split.train.size for split in splits])
        self._batch = np.minimum([fit.recipe.batch_size for fit in fits], sizes)
        self._n_steps = -(-sizes // self._batch)
        self.n_steps, self.batch = int(self._n_steps.max()), int(self._batch.max())
        self.is_even = len(set(self._n_steps.tolist())) == 1
        self._slots = [*range(2 * len(fits[0].architecture)), CORRUPTION, NOISE]

    def plan(self, epoch: int) -> EpochPlan:
        """Return the steps of ``epoch``, from 0."""
        keys = keys_of_steps(self.seeds, epoch, self.n_steps, self._slots)
        recipes = [fit.recipe for fit in self._fits]
        weights = [recipe.kl_weight_in(epoch) * (recipe.family == "vae") for recipe in recipes]
        rows = self._rows(epoch)
        by_group = [self._tables.counts[rows[:, i]].sum(axis=1) for i in range(rows.shape[1])]
        counts = np.stack(by_group, axis=1)  # group by group, as all at once take twice the memory of rows
        if self.group is not None:
            counts = counts[:, self.group]
        return EpochPlan(rows, keys, self._factors(epoch, counts), np.array(weights), counts.sum(axis=0))

    def _rows(self, epoch: int) -> NDArray[np.int64]:
        rows = np.full((self.n_steps, len(self.first), self.batch), self._tables.nothing)
        for group, i in enumerate(self.first):
            split, n_steps, batch = self._splits[i], self._n_steps[i], self._batch[i]
            order = split.train[batch_order(self._fits[i].seed, epoch, split.train.size)]
            filled = np.full(n_steps * batch, self._tables.nothing)
            filled[: order.size] = self._tables.rows(split, order)
            rows[:n_steps, group, :batch] = filled.reshape(n_steps, batch)
        return rows

    def _factors(self, epoch: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Factors of steps whose batches have these numbers of cells, ``[n_steps, n_models or 1, 2]``."""
        step = np.arange(self.n_steps)[:, None]
        n_before = epoch * self._n_steps[None, :] + step + 1
        rates = np.array([fit.recipe.learning_rate(epoch) for fit in self._fits])
        decays = np.array([fit.recipe.weight_decay for fit in self._fits])
        first, second = (1 - beta**n_before for beta in BETAS)
        root, is_on = np.sqrt(second), step < self._n_steps[None, :]
        weights = np.array([(fit.recipe.all_weight, fit.recipe.nonzero_weight) for fit in self._fits])
        of_all, of_nonzero = np.moveaxis(2 * weights / np.maximum(counts, 1), 2, 0)
        of_adamw = rates / first * root, ADAM_EPS * root, 1 - rates * decays, is_on
        parts = *of_adamw, of_all, of_all + of_nonzero
        return np.stack([np.broadcast_to(part, first.shape) for part in parts], axis=1)
