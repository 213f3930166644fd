"""Estimate of a search's memory, from its sizes."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from autoenc.engines import Fit

__all__ = ["estimate_bytes", "memory_text"]

_COPIES = 3  # of the table, which PCA fills and centers


def estimate_bytes(
    fits: Sequence[Fit], n_cells: int, n_columns: int, *, n_tables: int, jobs: int, n_recorded: int
) -> float:
    """Estimate the memory of a search: the process as it stands, scaled tables, each core's largest fit.

    Args:
        fits: What would be trained, or some of it.
        n_cells: Cells of the table.
        n_columns: Columns of the table.
        n_tables: Scaled tables that are kept at once.
        jobs: Fits at once.
        n_recorded: Fits whose losses the search will keep.
    """
    largest = 0
    for fit in fits:
        network = fit.network(n_columns)
        widths = sum(layer.n_out for layer in network.layers())
        # Parameters, two moments, gradients; activations, their normalized form and work space.
        fit_bytes = 4 * (4 * network.count_parameters() + 5 * widths * max(fit.recipe.batch_size, 16))
        largest = max(largest, fit_bytes)
    epochs = max((fit.recipe.epochs for fit in fits), default=0)
    tables = 4 * (n_tables + _COPIES) * n_cells
    return psutil.Process().memory_info().rss + tables + jobs * largest + n_recorded * (64 * epochs + 1000)


def memory_text(n_bytes: float) -> str:
    """Return an estimate of memory in words."""
    return f"about {n_bytes / 2**20:,.0f} MiB"
