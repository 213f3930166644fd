"""Dividing a search among independent tasks: a fixed part each, of about equal work."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from autoenc.engines import Fit

__all__ = ["partition"]


def partition(fits: Sequence[Fit], input_dim: int, n_shards: int) -> list[list[Fit]]:
    """Divide fits into shards of about equal work.

    The longest goes to the shard with the least so far (longest processing time first: at most a third
    above the best possible, Graham, 1969). The parts depend on the fits alone, so every task finds the
    same ones.

    Returns:
        ``n_shards`` lists, each in the order of ``fits``; some are empty if there are fewer fits.
    """
    costs = [_cost(fit, input_dim) for fit in fits]
    loads = [(0, shard) for shard in range(n_shards)]
    chosen: list[list[int]] = [[] for _ in range(n_shards)]
    for i in sorted(range(len(fits)), key=lambda i: (-costs[i], i)):
        load, shard = heapq.heappop(loads)
        chosen[shard].append(i)
        heapq.heappush(loads, (load + costs[i], shard))
    return [[fits[i] for i in sorted(part)] for part in chosen]


def _cost(fit: Fit, input_dim: int) -> int:
    """Return multiply-adds of a fit, and of its parent too if it starts warm and may have to train that."""
    own = fit.network(input_dim).count_multiply_adds() * fit.recipe.epochs
    return own + _cost(fit.parent, input_dim) if fit.recipe.warm_start else own
