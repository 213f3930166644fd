"""Pictures of a search: each is computed first, as plain data, then drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from autoenc.analysis.selection import pareto_front
from autoenc.report.backend import import_figure
from autoenc.report.labels import wrapped_name
from autoenc.report.results import SearchResults
from autoenc.searching.trials import TrialResult
from autoenc.system.text import counted

if TYPE_CHECKING:  # a search that has nothing to draw does without Matplotlib
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import LayoutEngine

__all__ = [
    "COLOURS",
    "UNIT",
    "unit_of",
    "ComplexityPlot",
    "Curve",
    "CurvesPlot",
    "complexity_plot",
    "curves_plot",
    "draw_complexity",
    "draw_curves",
    "label_axes",
    "legend_beside",
    "log_scale",
    "loss_name",
    "new_column",
    "new_figure",
    "plain_ticks",
    "whole_ticks",
]

# Okabe and Ito's palette without its yellow, which is faint on white; told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 150
UNIT = "(weighted squared error, scaled units)"
_UNITS = {"sparse": UNIT, "mse": "(squared error, scaled units)"}


def new_figure(width: float = 9.0, height: float = 5.5, layout: LayoutEngine | None = None) -> Figure:
    """Make an empty figure, in inches, that keeps labels inside.

    Args:
        width: Of the picture.
        height: The same.
        layout: Finds room for labels; by default that which does for axes in any order.
    """
    figure = import_figure()(figsize=(width, height), dpi=DPI, layout=layout or "constrained")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)  # its layout measures what it draws
    return figure


def new_column(width: float = 9.0, height: float = 5.5) -> Figure:
    """Do as :func:`new_figure` for axes one below the other; they take half of the time to lay out."""
    import_figure()
    from autoenc.report.layout import MeasuredLayout

    figure = new_figure(width, height, MeasuredLayout())
    figure.subplots_adjust(left=0.1, bottom=0.1, right=0.73, top=0.93)  # as it mostly ends
    return figure


def log_scale(axis: Axes, losses: Sequence[float]) -> None:
    """Set a log scale for losses, unless one is 0 and has no place there."""
    if min(losses) > 0:
        axis.set_yscale("log")


def plain_ticks(*axes: Axis) -> None:
    """Show numbers instead of powers of ten on log axes, and enough of them where these span little."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    from autoenc.report.ticks import small_ticks_in_view, write_out_powers

    for axis in axes:
        if axis.get_scale() == "log":
            small_ticks_in_view(axis)
            low, high = axis.get_view_interval()
            if high / low < 30:
                # Even steps would leave the lower part of a whole decade without a number.
                axis.set_major_locator(MaxNLocator(6) if high / low < 4 else LogLocator(subs=(1, 2, 3, 5)))
                axis.set_major_formatter(ScalarFormatter())
                axis.set_minor_formatter(NullFormatter())
            else:
                write_out_powers(axis)


def whole_ticks(axis: Axis) -> None:
    """Place ticks at whole numbers, however few there are."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def label_axes(axis: Axes, xlabel: str, ylabel: str, title: str) -> None:
    """Set labels and title, and draw a faint grid."""
    axis.set_xlabel(xlabel)
    axis.set_ylabel(ylabel)
    axis.set_title(title, loc="left")
    axis.grid(alpha=0.3)


def legend_beside(axis: Axes, **options: Any) -> None:
    """Draw the legend to the right of the axes, where it hides no point."""
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, **options)


def loss_name(results: SearchResults, final: bool = True) -> str:
    """Return what stacks are compared by: with folds the test rows took no part in it."""
    if final and results.settings.measure == "explained":
        return f"unexplained variance, {'mean over folds' if results.settings.folds else 'test rows'}"
    if results.settings.folds:
        return "mean loss over folds"
    return "final test loss" if final else "test loss"


def unit_of(results: SearchResults, final: bool = True) -> str:
    """Return the unit of :func:`loss_name`."""
    if results.settings.measure == "explained":
        return "(share)" if final else "(each by its own loss)"
    return _UNITS[results.settings.loss[0]]


class Curve(NamedTuple):
    """Loss of one architecture after each epoch."""

    label: str
    losses: list[float]


class CurvesPlot(NamedTuple):
    """The loss curves of the best architectures, best first."""

    title: str
    curves: list[Curve]
    loss_name: str
    unit: str
    value_name: str = "final loss"  # what stands behind each name


def curves_plot(results: SearchResults, n_best: int = 5) -> CurvesPlot:
    """Compute what the picture of the best curves will show."""
    curves = [
        Curve(f"{wrapped_name(result.trial.name)}   {result.loss:.5f}", result.test_losses)
        for result in results.ranked[:n_best]
    ]
    name = loss_name(results, final=False)
    title = f"{name[0].upper()}{name[1:]} of the best {len(curves)} of {_subject(results)}"
    is_share = results.settings.measure == "explained"
    value_name = "unexplained variance" if is_share else "final loss"
    return CurvesPlot(title, curves, name, unit_of(results, final=False), value_name)


def draw_curves(plot: CurvesPlot) -> Figure:
    """Draw the curves, with their legend beside them."""
    figure = new_column()
    axis = figure.add_subplot()
    for i, curve in enumerate(plot.curves):
        epochs = range(1, len(curve.losses) + 1)
        axis.plot(
            epochs, curve.losses, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
            markevery=max(1, len(curve.losses) // 15), markersize=5, linewidth=1.6, label=curve.label,
        )  # fmt: skip
    log_scale(axis, [loss for curve in plot.curves for loss in curve.losses])
    whole_ticks(axis.xaxis)
    label_axes(axis, "epoch", f"{plot.loss_name} {plot.unit}", plot.title)
    plain_ticks(axis.xaxis, axis.yaxis)
    legend_beside(axis, title=f"hidden layers, {plot.value_name}")
    return figure


class ComplexityPlot(NamedTuple):
    """Every architecture as a point: its size, its loss, its depth; the chosen one and the front by index."""

    title: str
    parameters: list[int]
    losses: list[float]
    depths: list[int]
    best: int
    best_label: str
    front: list[int]
    baselines: dict[str, float]
    loss_name: str
    unit: str


def complexity_plot(results: SearchResults) -> ComplexityPlot:
    """Compute what the picture of loss against size will show."""
    ranked = results.ranked
    parameters = [results.n_parameters(result.trial) for result in ranked]
    losses = [result.loss for result in ranked]
    chosen = results.selection.chosen
    best = next(i for i, result in enumerate(ranked) if result.trial == chosen.trial)
    word = "best" if best == 0 else "chosen"
    value = "unexplained" if results.settings.measure == "explained" else "loss"
    label = f"{word}: {wrapped_name(chosen.trial.name)}\n{value} {losses[best]:.5f}{_explained(chosen)}"
    label += f"\n{parameters[best]:,} parameters"
    depths = [len(result.trial.architecture) for result in ranked]
    name = loss_name(results)
    title = f"Size and {name} of {_subject(results)}"
    front = pareto_front(list(zip(parameters, losses, strict=True)))
    baselines, unit = results.baselines, unit_of(results)
    return ComplexityPlot(title, parameters, losses, depths, best, label, front, baselines, name, unit)


def _explained(chosen: TrialResult) -> str:
    return "" if chosen.explained is None else f"\nexplains {100 * chosen.explained:.1f} % of the variance"


def draw_complexity(plot: ComplexityPlot) -> Figure:
    """Draw loss against size, a colour and a marker per depth."""
    figure = new_column()
    axis = figure.add_subplot()
    for i, depth in enumerate(sorted(set(plot.depths))):
        chosen = [j for j, d in enumerate(plot.depths) if d == depth]
        axis.scatter(
            [plot.parameters[j] for j in chosen], [plot.losses[j] for j in chosen],
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], s=42, alpha=0.85,
            edgecolor="white", linewidth=0.5, label=f"{depth}",
        )  # fmt: skip
    axis.set_xscale("log")
    log_scale(axis, plot.losses)
    label_axes(axis, "trainable parameters", f"{plot.loss_name} {plot.unit}", plot.title)
    axis.grid(alpha=0.3, which="minor")
    axis.scatter(
        plot.parameters[plot.best], plot.losses[plot.best], s=190, facecolor="none", edgecolor="black",
        linewidth=1.5, zorder=4,
    )  # fmt: skip
    axis.plot(
        [plot.parameters[j] for j in plot.front], [plot.losses[j] for j in plot.front],
        color="black", linewidth=0.9, alpha=0.6, zorder=1, label="Pareto front",
    )  # fmt: skip
    for name, style, colour in (("pca", "--", "black"), ("linear", "-.", "black"), ("mean", ":", "grey")):
        # A baseline far above all points would squeeze them together.
        if name in plot.baselines and plot.baselines[name] < 2 * max(plot.losses):
            label = {"pca": "PCA, same size", "linear": "linear, same loss", "mean": "column mean"}[name]
            axis.axhline(plot.baselines[name], linestyle=style, color=colour, linewidth=1.2, label=label)
    plain_ticks(axis.xaxis, axis.yaxis)
    legend_beside(axis, title="hidden layers")
    # Beside the axes, under the legend: there the words can hide no point.
    axis.annotate(
        plot.best_label, xy=(plot.parameters[plot.best], plot.losses[plot.best]), xycoords="data",
        xytext=(1.03, 0.02), textcoords="axes fraction", ha="left", va="bottom",
        arrowprops={"arrowstyle": "-", "color": "0.75", "linewidth": 0.7, "shrinkB": 7},
    )  # fmt: skip
    return figure


def _subject(results: SearchResults) -> str:
    size = f"{results.search['n_rows']:,} x {len(results.columns)} table"
    stacks = counted(len(results.ranked), "stack")
    return f"{stacks}, latent size {results.settings.latent_size}, {size}"
