"""Composition of a loss: cells and columns that decide it, columns reconstructed worse than by their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.engines import Recipe, Split
from autoenc.engines.pca_start import column_means

__all__ = ["cells_document", "cells_lines"]

SHARE = 0.1
"""Of the loss: cells and columns that carry more are named."""
_FAR = 10.0
"""Scaled cells larger than this are far from the others of their column."""
_ROWS_AT_ONCE = 8192
_RATIOS = 0.8, 1.25
"""Between these, the mean reconstruction is about the mean of the data."""


def cells_document(
    split: Split, reconstruction: NDArray[np.floating], recipe: Recipe, columns: Sequence[str]
) -> dict[str, Any]:
    """Say what the loss on the test rows of a split is made of, as plain values.

    Args:
        split: The data.
        reconstruction: Of its test rows, scaled.
        recipe: Says how cells are weighted.
        columns: The columns' names.

    Shape:
        reconstruction: ``[test rows, columns]``.

    Returns:
        ``columns`` and ``cells`` that carry more than a tenth of the loss: names, shares, and of cells their
        ``row``, counted from 1, and scaled value; ``n_worse_than_mean`` of ``n_columns`` observed ones, of
        which the loss is larger than that of their mean; and
        ``mean_ratio``, the mean reconstruction over the mean of the data, in scaled units, None where some
        are negative.
    """
    blocks = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, split.test.size, _ROWS_AT_ONCE)]
    observed, n_nonzero = np.empty(reconstruction.shape, bool), 0
    for block in blocks:
        target = split.values[split.test[block]]
        observed[block] = ~np.isnan(target)
        n_nonzero += int((observed[block] & (target != 0)).sum())
    n_observed = max(observed.sum(), 1)
    # Of a long table one array is in double precision: of errors, and at last of cells.
    errors = np.empty(reconstruction.shape)

    def take(answers: NDArray[np.floating]) -> None:
        for block in blocks:
            target, is_there, part = split.values[split.test[block]], observed[block], errors[block]
            weights = recipe.all_weight * is_there / n_observed
            weights += recipe.nonzero_weight * (is_there & (target != 0)) / max(n_nonzero, 1)
            cells = np.where(is_there, target, 0.0).astype(np.float64)
            np.subtract(answers[block], cells, out=part, dtype=np.float64)
            part[~is_there] = 0.0
            np.square(part, out=part)
            part *= weights

    take(np.broadcast_to(column_means(split.values, split.train), errors.shape))
    of_mean = errors.sum(axis=0)
    take(reconstruction)
    by_column, total = errors.sum(axis=0), float(errors.sum())
    large = np.argwhere(errors > SHARE * total) if total > 0 else np.empty((0, 2), int)
    large = large[np.argsort(-errors[tuple(large.T)], kind="stable")]
    shares = [float(errors[i, j] / total) for i, j in large.tolist()]
    heavy = np.argsort(-by_column, kind="stable")
    heavy = heavy[by_column[heavy] > SHARE * total]
    seen = observed.any(axis=0)
    for block in blocks:
        errors[block] = np.where(observed[block], split.values[split.test[block]], 0.0)
    ratio, sum_of_cells = None, errors.sum()
    if total > 0 and errors.min() >= 0 and sum_of_cells > 0:
        ratio = float(reconstruction[observed].sum(dtype=np.float64) / sum_of_cells)
    return {
        "columns": [{"column": columns[j], "share": float(by_column[j] / total)} for j in heavy.tolist()],
        "cells": [
            {
                "row": int(split.test[i]) + 1,
                "column": columns[j],
                "share": share,
                "scaled": float(split.values[split.test[[i]]][0, j]),
            }
            for (i, j), share in zip(large.tolist(), shares, strict=True)
        ],
        "n_worse_than_mean": int((seen & (by_column > of_mean)).sum()),
        "n_columns": int(seen.sum()),
        "mean_ratio": ratio,
    }


def _worse_than_mean(document: dict[str, Any]) -> tuple[int, int]:
    """Return how many columns have a negative explained variance, and of how many that is known.

    Where that is not known, as in earlier records, the loss judges, which may weight cells that are not zero.
    """
    known = [share for share in document.get("explained_by_column", {}).values() if share is not None]
    if not known:
        return document["n_worse_than_mean"], document["n_columns"]
    return sum(share < 0 for share in known), len(known)


def _least_known(by_column: dict[str, float | None], most: int = 3) -> list[str]:
    """Return the columns of which the least is explained, where there are enough to choose from."""
    known = sorted((share, name) for name, share in by_column.items() if share is not None)
    if len(known) <= most:
        return []
    named = ", ".join(f"{name!r} {100 * share:.0f} %" for share, name in known[:most])
    return [f"{'worst columns':<13} {named} explained; best {known[-1][1]!r}, {100 * known[-1][0]:.0f} %"]


def cells_lines(document: dict[str, Any], remedy: str = "") -> list[str]:
    """Say in words what is out of the ordinary of :func:`cells_document`; nothing where nothing is.

    Columns that carry much of the loss are named where they are few among many.

    Args:
        document: What a loss is made of.
        remedy: What helps where a few cells decide that are far from the others of their columns.
    """
    lines = []
    if document["cells"]:
        named = ", ".join(
            f"row {cell['row']} column {cell['column']!r} {100 * cell['share']:.0f} % "
            f"({cell['scaled']:.3g} when scaled)"
            for cell in document["cells"]
        )
        is_far = any(abs(cell["scaled"]) > _FAR for cell in document["cells"])
        lines.append(f"{'few cells':<13} carry much of the test loss: {named}{remedy if is_far else ''}")
    if document["columns"] and document["n_columns"] > 1 / SHARE:
        named = ", ".join(f"{part['column']!r} {100 * part['share']:.0f} %" for part in document["columns"])
        lines.append(f"{'few columns':<13} carry much of the test loss: {named}")
    n_worse, n_columns = _worse_than_mean(document)
    if n_worse:
        are_worse = "columns are reconstructed worse than by their mean"
        lines.append(f"{'below mean':<13} {n_worse:,} of {n_columns:,} {are_worse}")
    lines += _least_known(document.get("explained_by_column", {}))
    ratio = document["mean_ratio"]
    if ratio is not None and not _RATIOS[0] <= ratio <= _RATIOS[1]:
        lines.append(f"{'mean level':<13} reconstructions are on average {ratio:.2f} times the data")
    return lines
