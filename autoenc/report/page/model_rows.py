"""The best model on the rows of a table: latent points, quality of columns, examples."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoenc.exports.quality import Quality, quality_of

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["Example", "ModelRows", "model_rows"]

_MOST_POINTS = 5000
_MOST_LATENT = 8
_MOST_COLOURS = 12
_MOST_CATEGORIES = 12
_N_EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """A row beside its reconstruction.

    Attributes:
        row: Its number, from 1.
        kind: ``typical`` or ``worst``.
        error: Root of the mean squared error over its observed cells, in scaled units.
        cells: Column, original and reconstructed cell; NaN where one is missing.
    """

    row: int
    kind: str
    error: float
    cells: list[tuple[str, float, float]]


@dataclass(frozen=True)
class ModelRows:
    """The part of a report about rows.

    Attributes:
        n_rows: How many there are.
        rows: Numbers of those that are drawn, from 1.
        latent: Their latent points, ``[rows, latent columns]``, at most 8 columns.
        colours: By name what they may be coloured by: numbers, or text of few different values.
        quality: Of each column, over all rows.
        examples: Typical rows, then the worst ones.
    """

    n_rows: int
    rows: NDArray[np.int64]
    latent: NDArray[np.floating]
    colours: dict[str, list[Any]]
    quality: Quality
    examples: list[Example]


def model_rows(model: FittedAutoencoder, data: Any) -> ModelRows:
    """Put rows through a model.

    Args:
        model: The model.
        data: What it encodes; columns of a frame that it does not know are labels.

    Raises:
        InputError: If it cannot encode them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # who wants the rows in numbers is told by encode
        cells = model.rows(data).cells
    scaled = model.reconstructed(cells)
    reconstruction = model.scaling.undo(scaled)
    names = model.columns or [f"column {j + 1}" for j in range(cells.shape[1])]
    quality = quality_of(names, cells, reconstruction)
    n_points = min(len(cells), _MOST_POINTS)
    drawn = np.linspace(0, len(cells) - 1, n_points).round().astype(np.int64)
    latent = model.latent_points(cells[drawn])[:, :_MOST_LATENT]
    errors = _errors(scaled, model.scaling.apply(cells))
    examples = [
        Example(
            row + 1, kind, float(errors[row]), list(zip(names, cells[row], reconstruction[row], strict=True))
        )
        for kind, row in _example_rows(errors)
    ]
    colours = _colours(data, names, cells, drawn, quality)
    return ModelRows(len(cells), drawn + 1, latent, colours, quality, examples)


def _errors(scaled: NDArray[np.floating], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the error of each row, over its observed cells; NaN where it has none."""
    observed = ~np.isnan(target)
    squared = np.where(observed, np.square(scaled.astype(np.float64) - target), 0).sum(axis=1)
    counts = observed.sum(axis=1)
    errors = np.full(len(squared), np.nan)
    np.divide(squared, counts, out=errors, where=counts > 0)
    roots: NDArray[np.float64] = np.sqrt(errors)
    return roots


def _example_rows(errors: NDArray[np.float64]) -> list[tuple[str, int]]:
    order = np.argsort(errors, kind="stable")
    order = order[: int((~np.isnan(errors)).sum())]
    middle = max(0, order.size // 2 - _N_EXAMPLES // 2)
    typical = order[middle : middle + _N_EXAMPLES].tolist()
    worst = [row for row in order[::-1][:_N_EXAMPLES].tolist() if row not in typical]
    return [*(("typical", row) for row in typical), *(("worst", row) for row in worst)]


def _colours(
    data: Any, names: list[str], cells: NDArray[np.float64], drawn: NDArray[np.int64], quality: Quality
) -> dict[str, list[Any]]:
    """Return labels first, then the columns that the model explains best."""
    colours: dict[str, list[Any]] = {}
    if isinstance(data, pd.DataFrame):
        known = {*names}
        for j, name in enumerate(map(str, data.columns)):
            if name in known or len(colours) == _MOST_COLOURS:
                continue
            label = data.iloc[:, j].iloc[drawn]
            if pd.api.types.is_numeric_dtype(label.dtype) and not _is_code(label):
                colours[name] = [float(cell) if pd.notna(cell) else None for cell in label]
            elif label.nunique() <= _MOST_CATEGORIES:
                colours[name] = ["missing" if pd.isna(cell) else _shown(cell) for cell in label]
    explained = [-np.inf if column.explained is None else column.explained for column in quality.columns]
    for j in np.argsort(explained, kind="stable")[::-1][: _MOST_COLOURS - len(colours)].tolist():
        colours[names[j]] = [None if np.isnan(cell) else float(f"{cell:.4g}") for cell in cells[drawn, j]]
    return colours


def _is_code(label: pd.Series[Any]) -> bool:
    """Return whether numbers stand for classes: a few whole ones."""
    known = label.dropna().unique()
    return len(known) <= _MOST_CATEGORIES and bool(all(float(value).is_integer() for value in known))


def _shown(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float | np.floating) and float(cell).is_integer() else str(cell)
