"""Progress of a search: loss against trial with its minima, thresholds, and the sizes tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoenc.report.labels import wrapped_name
from autoenc.report.plots import (
    COLOURS,
    legend_beside,
    log_scale,
    loss_name,
    new_column,
    plain_ticks,
    whole_ticks,
)
from autoenc.report.results import SearchResults
from autoenc.system.text import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["THRESHOLDS", "ProgressPlot", "draw_progress", "progress_plot"]

THRESHOLDS = {"good": 1.0, "excellent": 0.9, "breakthrough": 0.8}
"""Multiples of the PCA baseline's loss."""

_LABELLED = 4  # of the minima, the last ones: earlier ones matter less


class Minimum(NamedTuple):
    """A trial that was better than all before it."""

    trial: int
    loss: float
    label: str


class ProgressPlot(NamedTuple):
    """Trials in the order in which a search takes them."""

    title: str
    losses: list[float]
    parameters: list[int]
    minima: list[Minimum]
    thresholds: dict[str, float]
    loss_name: str


def progress_plot(results: SearchResults) -> ProgressPlot:
    """Compute what the picture of the progress will show."""
    losses: list[float] = []
    parameters: list[int] = []
    minima: list[Minimum] = []
    for result in results.in_order_of_training:
        losses.append(result.loss)
        parameters.append(results.n_parameters(result.trial))
        if not minima or result.loss < minima[-1].loss:
            name = wrapped_name(result.trial.name).replace("\n", "\n      ")
            minima.append(Minimum(len(losses), result.loss, f"{name}  {result.loss:.5f}"))
    pca = results.baselines["pca"]
    thresholds = {f"{name} ({share:g} x PCA)": share * pca for name, share in THRESHOLDS.items()}
    size, n_all = results.settings.latent_size, counted(len(results.trials), "stack")
    title = f"{len(losses):,} of {n_all}, latent size {size}"
    return ProgressPlot(title, losses, parameters, minima, thresholds, loss_name(results))


def draw_progress(plot: ProgressPlot) -> Figure:
    """Draw losses with their minima above, numbers of parameters below."""
    from autoenc.report.ticks import small_ticks_in_view, write_out_powers

    figure = new_column(10.0, 7.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    trials = range(1, len(plot.losses) + 1)
    upper.scatter(trials, plot.losses, s=16, color=COLOURS[0], alpha=0.75, label="stack")
    steps = [*plot.minima, Minimum(len(plot.losses), plot.minima[-1].loss, "")]
    upper.step(
        [m.trial for m in steps], [m.loss for m in steps], where="post", color=COLOURS[1], label="best so far"
    )
    upper.scatter(
        [m.trial for m in plot.minima], [m.loss for m in plot.minima], s=110, facecolor="none",
        edgecolor="black", label="minimum", zorder=3,
    )  # fmt: skip
    # Beside the axes, under the legend: there the words can hide no point.
    listed = "\n".join(f"{m.trial:,}:  {m.label}" for m in reversed(plot.minima[-_LABELLED:]))
    upper.annotate(f"last minima, by trial\n{listed}", (1.03, 0.0), xycoords="axes fraction", fontsize=8)
    for i, (name, loss) in enumerate(plot.thresholds.items()):
        upper.axhline(
            loss, linestyle=("--", "-.", ":")[i % 3], color=COLOURS[2 + i], linewidth=1.2, label=name
        )
    log_scale(upper, [*plot.losses, *plot.thresholds.values()])
    upper.set_ylabel(plot.loss_name)
    upper.margins(y=0.12)
    plain_ticks(upper.yaxis)
    upper.set_title(plot.title, loc="left")
    legend_beside(upper)
    lower.scatter(trials, plot.parameters, s=16, color=COLOURS[3], marker="s")
    lower.set_yscale("log")
    small_ticks_in_view(lower.yaxis)
    write_out_powers(lower.yaxis)
    lower.set_ylabel("trainable parameters")
    whole_ticks(lower.xaxis)
    lower.set_xlabel("trial, in the order of training")
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
    return figure
