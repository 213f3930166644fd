"""A study's parameters as pictures: all of them at once, and one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from autoenc.analysis.study import ranked_trials
from autoenc.report.plots import log_scale, new_figure, plain_ticks
from autoenc.report.study_axes import ParameterAxis, parameter_axes
from autoenc.system.text import counted

if TYPE_CHECKING:
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

__all__ = [
    "ParallelPlot",
    "SlicesPlot",
    "colour_norm",
    "draw_parallel",
    "draw_slices",
    "parallel_plot",
    "slices_plot",
]

_CLIPPED_FROM = 10  # trials: past this the worst tenth shares one colour, else one bad value takes the scale


class ParallelPlot(NamedTuple):
    """Complete trials with a finite value, best first: a line each across the parameters.

    Shape:
        heights: ``[parameters, trials]``, 0 to 1; NaN where a trial lacks the parameter.

    Attributes:
        kept: Index of the trial that is kept; the best, unless something other than its value decides.
    """

    title: str
    axes: list[ParameterAxis]
    heights: NDArray[np.float64]
    losses: list[float]
    kept: int = 0


def parallel_plot(study: optuna.Study, kept: int | None = None) -> ParallelPlot:
    """Compute what the picture of all parameters will show."""
    trials = ranked_trials(study)
    axes = parameter_axes(trials)
    heights = np.array([axis.positions(axis.values) for axis in axes])
    count = counted(len(trials), "complete trial")
    at = next((i for i, trial in enumerate(trials) if trial.number == kept), 0)
    return ParallelPlot(f"Parameters of {count}", axes, heights, [_loss(trial) for trial in trials], at)


def _loss(trial: FrozenTrial) -> float:
    assert trial.value is not None  # ranked trials have one
    return trial.value


def draw_parallel(plot: ParallelPlot) -> Figure:
    """Draw a vertical axis per parameter and a line per trial, the kept on top; a gap where it has none."""
    figure = new_figure(max(7.0, 2.5 + 1.35 * len(plot.axes)), 5.5)
    axis = figure.add_subplot()
    axis.set_title(plot.title, loc="left")
    axis.set_yticks([])
    if not plot.axes:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no complete trial with parameters yet", transform=axis.transAxes, ha="center")
        return figure
    from matplotlib.cm import ScalarMappable

    norm, extend = _colour_scale(plot.losses)
    colours = ScalarMappable(norm, "viridis")
    line_colours = colours.to_rgba(np.array(plot.losses))
    places = range(len(plot.axes))
    for trial in sorted(range(len(plot.losses)), key=lambda trial: (trial == plot.kept, -trial)):
        best = trial == plot.kept
        axis.plot(
            places, plot.heights[:, trial], color=line_colours[trial], marker="o",
            markersize=5 if best else 2.5, linewidth=3 if best else 1, alpha=1 if best else 0.55,
        )  # fmt: skip
    for place, parameter in zip(places, plot.axes, strict=True):
        axis.axvline(place, color="black", linewidth=0.9)
        values, labels = parameter.ticks()
        for height, label in zip(parameter.positions(values), labels, strict=True):
            axis.annotate(
                label, (place, height), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}, zorder=4,
            )  # fmt: skip
    axis.set_xticks(places, [parameter.label for parameter in plot.axes], rotation=25, ha="right")
    axis.set_xlim(-0.15, len(plot.axes) - 0.35)
    axis.set_ylim(-0.05, 1.05)
    for side in ("top", "right", "left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="x", length=0)
    figure.colorbar(colours, ax=axis, label="value of the objective (lower is better)", extend=extend)
    kept = "the best trial" if plot.kept == 0 else "the chosen trial, though another has a lower value"
    axis.set_xlabel(f"the thick line is {kept}", fontsize=9)
    return figure


def _colour_scale(losses: Sequence[float]) -> tuple[Normalize, str]:
    """Return the colours of values, logarithmic where they span a decade, and whether some exceed it."""
    low, high = min(losses), max(losses)
    extend = "neither"
    if len(losses) >= _CLIPPED_FROM:
        clipped = float(np.quantile(losses, 0.9))
        if low < clipped < high:
            high, extend = clipped, "max"
    return colour_norm(low, high), extend


def colour_norm(low: float, high: float) -> Normalize:
    """Return the scale of colours of some values: logarithmic where they span more than a decade."""
    from matplotlib.colors import LogNorm, Normalize

    if low == high:
        room = abs(low) / 20 or 0.5
        return Normalize(low - room, high + room)
    return LogNorm(low, high) if low > 0 and high / low > 10 else Normalize(low, high)


class SlicesPlot(NamedTuple):
    """Values of complete trials against each parameter; the trials' numbers give the colours."""

    title: str
    axes: list[ParameterAxis]
    losses: list[float]
    numbers: list[int]


def slices_plot(study: optuna.Study) -> SlicesPlot:
    """Compute what the picture of single parameters will show."""
    trials = ranked_trials(study)
    count = counted(len(trials), "complete trial")
    losses = [_loss(trial) for trial in trials]
    return SlicesPlot(
        f"Value against each parameter, {count}", parameter_axes(trials), losses, [t.number for t in trials]
    )


def draw_slices(plot: SlicesPlot) -> Figure:
    """Draw a panel per parameter, in rows of four."""
    n_columns = min(4, max(1, len(plot.axes)))
    n_rows = max(1, ceil(len(plot.axes) / n_columns))
    figure = new_figure(max(6.0, 1.5 + 3.1 * n_columns), 0.9 + 2.7 * n_rows)
    figure.suptitle(plot.title, x=0.01, ha="left")
    panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for panel in panels.flat[len(plot.axes) :]:
        panel.set_axis_off()
    if not plot.axes:
        panels[0, 0].text(
            0.5, 0.5, "no complete trial with parameters yet", transform=panels[0, 0].transAxes, ha="center"
        )
        return figure
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator, NullFormatter

    norm = Normalize(min(plot.numbers), max(max(plot.numbers), min(plot.numbers) + 1))
    for panel, parameter in zip(panels.flat, plot.axes, strict=False):
        known = [i for i, value in enumerate(parameter.values) if isfinite(value)]
        panel.scatter(
            [parameter.values[i] for i in known], [plot.losses[i] for i in known],
            c=[plot.numbers[i] for i in known], norm=norm, cmap="Blues", s=26, edgecolor="#333333",
            linewidth=0.4,
        )  # fmt: skip
        panel.set_xlabel(parameter.label)
        panel.grid(alpha=0.3)
        if parameter.choices:
            values, labels = parameter.ticks()
            crowded = sum(map(len, labels)) > 22
            panel.set_xticks(values, labels, rotation=60 if crowded else 0, fontsize=8)
            panel.set_xlim(-0.5, len(parameter.choices) - 0.5)
        elif parameter.log:
            panel.set_xscale("log")
            values, labels = parameter.ticks()
            panel.set_xticks(values[::2], labels[::2])
            panel.xaxis.set_minor_formatter(NullFormatter())
        elif parameter.whole:
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    if len(set(plot.losses)) > 1:
        log_scale(panels[0, 0], plot.losses)
        plain_ticks(panels[0, 0].yaxis)
    for row in panels:
        row[0].set_ylabel("objective")
    figure.colorbar(
        ScalarMappable(norm, "Blues"),
        ax=panels,
        label="trial",
        ticks=MaxNLocator(6, integer=True, min_n_ticks=1),
    )
    return figure
