"""A metric of a search over two of its hyperparameters: computed as a table, written, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from autoenc.analysis.observations import Observations
from autoenc.report.cells import csv_lines
from autoenc.report.labels import picture_name
from autoenc.report.plots import new_figure
from autoenc.report.study_parameters import colour_norm
from autoenc.report.words import rounded
from autoenc.system.text import counted

__all__ = ["PivotPlot", "draw_pivot", "pivot_csv", "pivot_plot"]

_UNITS = {
    "loss": "loss on the rows that judge",
    "seconds": "training time in seconds",
    "model_params": "trainable parameters",
    "epochs": "epochs",
    "convergence_epoch": "first epoch within 1 % of the lowest loss",
}
_COLOURS = "cividis"  # made for colour-blind readers (Nuñez et al., PLOS ONE 2018)
_WIDEST_NUMBER = 7  # characters; longer ones do not fit into a cell
_SHORT_LABEL = 10  # characters, that fit under a cell
_LONGEST_TITLE = 90
_LONGEST_TICK = 20
_MOST_CELLS = 24  # in a row, so that numbers fit


class PivotPlot(NamedTuple):
    """A cell for every pair of values or bins.

    Shape:
        values: ``[rows, columns]``; NaN where there is no trial.

    Attributes:
        title: Says what is shown of how many trials.
        label: The metric, with its unit.
        rows, columns: Names of the hyperparameters.
        row_labels, column_labels: Values or bins, ascending.
        whole: Whether the values are whole numbers.
    """

    title: str
    label: str
    rows: str
    columns: str
    row_labels: list[str]
    column_labels: list[str]
    values: NDArray[np.float64]
    whole: bool


class _Axis(NamedTuple):
    """The bin of each trial, -1 for none, and the labels of the bins."""

    places: list[int]
    labels: list[str]


def pivot_plot(
    seen: Observations, metric: str, rows: str, columns: str, aggregate: str, bins: int
) -> PivotPlot:
    """Return the table of a metric over two hyperparameters.

    Trials without the metric or without one of the hyperparameters, such as a second width where there is one
    layer, are left out, and the title says how many.

    Args:
        seen: The search.
        metric: Name of a metric of its trials.
        rows: Name of a hyperparameter.
        columns: Name of another one.
        aggregate: ``mean``, ``min``, ``median`` or ``count``.
        bins: A hyperparameter of more values is divided into so many bins, equal ones on its own scale.
    """
    trials = [trial for trial in seen.trials if metric in trial.metrics]
    axes = [
        _axis([trial.parameters.get(name) for trial in trials], seen.distributions[name], bins)
        for name in (rows, columns)
    ]
    frame = pd.DataFrame(
        {"row": axes[0].places, "column": axes[1].places, "value": [t.metrics[metric] for t in trials]}
    )
    frame = frame[(frame.row >= 0) & (frame.column >= 0)]
    values = np.full((len(axes[0].labels), len(axes[1].labels)), nan)
    cells = frame.groupby(["row", "column"], as_index=False).agg(aggregate)
    values[cells["row"], cells["column"]] = cells["value"]
    left_out = len(seen.trials) - len(frame)
    title = f"{seen.name}: {counted(len(frame), 'trial')}"
    if left_out:
        title += f" ({left_out:,} others lack one of these)"
    label = "trials" if aggregate == "count" else f"{aggregate} of {_UNITS.get(metric, metric)}"
    known = values[~np.isnan(values)]
    whole = bool(known.size) and bool((known == np.round(known)).all())
    return PivotPlot(title, label, rows, columns, axes[0].labels, axes[1].labels, values, whole)


def _axis(values: Sequence[Any], distribution: BaseDistribution, bins: int) -> _Axis:
    known = {value for value in values if value is not None}
    if isinstance(distribution, CategoricalDistribution):
        ordered = [choice for choice in distribution.choices if choice in known]
        return _Axis([_place(ordered, value) for value in values], [str(choice) for choice in ordered])
    if len(known) <= bins:
        ordered = sorted(known)
        return _Axis([_place(ordered, value) for value in values], [rounded(value, 3) for value in ordered])
    log = bool(getattr(distribution, "log", False))
    edges = (np.geomspace if log else np.linspace)(float(min(known)), float(max(known)), bins + 1)
    edges[0], edges[-1] = min(known), max(known)  # geomspace may round past them
    whole = isinstance(distribution, IntDistribution)
    if whole:
        edges = np.unique(np.round(edges))
    numbers = [nan if value is None else float(value) for value in values]
    codes = pd.cut(pd.Series(numbers), edges.tolist(), labels=False, include_lowest=True)
    places = [-1 if isnan(code) else int(code) for code in codes]
    return _Axis(places, _bin_labels(edges.tolist(), whole))


def _place(ordered: list[Any], value: Any) -> int:
    return -1 if value is None else ordered.index(value)


def _bin_labels(edges: list[float], whole: bool) -> list[str]:
    if not whole:
        return [f"{rounded(low, 3)} to {rounded(high, 3)}" for low, high in pairwise(edges)]
    firsts = [edges[0], *(edge + 1 for edge in edges[1:-1])]
    pairs = zip(firsts, edges[1:], strict=True)
    return [f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}" for low, high in pairs]


def pivot_csv(plot: PivotPlot) -> str:
    """Return the table, a line per row; an empty cell where there is no trial."""
    lines = [
        [name, *("" if isnan(value) else value for value in values)]
        for name, values in zip(plot.row_labels, plot.values.tolist(), strict=True)
    ]
    return csv_lines([f"{plot.rows} \\ {plot.columns}", *plot.column_labels], lines)


def draw_pivot(plot: PivotPlot) -> Figure:
    """Draw the table as a heat map, with the numbers in its cells where they fit; empty cells are hatched."""
    n_rows, n_columns = plot.values.shape
    figure = new_figure(min(4.0 + 0.95 * n_columns, 22.0), min(2.4 + 0.5 * n_rows, 16.0))
    axis = figure.add_subplot()
    empty = np.isnan(plot.values)
    low, high = float(plot.values[~empty].min()), float(plot.values[~empty].max())
    norm = colour_norm(low, high)
    image = axis.imshow(
        np.ma.masked_array(plot.values, empty), cmap=_COLOURS, norm=norm, aspect="auto", origin="lower"
    )
    for row, column in np.argwhere(empty):
        cell = (column - 0.5, row - 0.5)
        axis.add_patch(Rectangle(cell, 1, 1, facecolor="white", edgecolor="0.75", hatch="///", linewidth=0))
    if n_columns <= _MOST_CELLS:
        _write_numbers(axis, plot, norm)
    axis.set_xticks(range(n_columns), [picture_name(name, _LONGEST_TICK) for name in plot.column_labels])
    if max(map(len, plot.column_labels)) > _SHORT_LABEL:
        for text in axis.get_xticklabels():
            text.set(rotation=30, ha="right")
    axis.set_yticks(range(n_rows), [picture_name(name, _LONGEST_TICK) for name in plot.row_labels])
    axis.set_xticks(np.arange(n_columns + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(n_rows + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="minor", length=0)
    axis.set_xlabel(picture_name(plot.columns))
    axis.set_ylabel(picture_name(plot.rows))
    axis.set_title(picture_name(plot.title, _LONGEST_TITLE), loc="left", fontsize=11)
    bar = figure.colorbar(image, ax=axis, label=picture_name(plot.label, _LONGEST_TITLE))
    if isinstance(norm, LogNorm):
        ticks = np.geomspace(low, high, 5)
        bar.set_ticks(
            ticks.tolist(), labels=[f"{tick:,.3g}" if tick < 1000 else f"{tick:,.0f}" for tick in ticks]
        )
        bar.ax.yaxis.set_minor_locator(NullLocator())
    else:
        bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=plot.whole))
    if empty.any():
        hatched = Rectangle((0, 0), 1, 1, facecolor="white", edgecolor="0.75", hatch="///", linewidth=0)
        figure.legend([hatched], ["no trial"], loc="outside lower right", frameon=False, fontsize=9)
    return figure


def _write_numbers(axis: Axes, plot: PivotPlot, norm: Normalize) -> None:
    colours = colormaps[_COLOURS]
    for (row, column), value in np.ndenumerate(plot.values):
        text = f"{value:,.0f}" if plot.whole else f"{value:.3g}"
        if isnan(value) or len(text) > _WIDEST_NUMBER:
            continue
        red, green, blue, _ = colours(norm(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        axis.text(
            column, row, text, ha="center", va="center", fontsize=9, color="black" if light else "white"
        )
