"""Pictures of a study, each computed first, as plain data, then drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import study_trials
from autoenc.report.importances import study_importances
from autoenc.report.labels import picture_name
from autoenc.report.plots import (
    COLOURS,
    label_axes,
    legend_beside,
    log_scale,
    new_column,
    plain_ticks,
    whole_ticks,
)
from autoenc.report.study_parameters import draw_parallel, draw_slices, parallel_plot, slices_plot
from autoenc.system.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "HistoryPlot",
    "ImportancesPlot",
    "draw_history",
    "draw_importances",
    "draw_parallel",
    "draw_slices",
    "history_plot",
    "importances_plot",
    "parallel_plot",
    "slices_plot",
]

Points = list[tuple[int, float]]


class HistoryPlot(NamedTuple):
    """Trials by number.

    Attributes:
        title: Says how many there are.
        complete: Number and value of complete trials with a finite value.
        best: Number and value of those that were better than all before them.
        pruned: Number and last value of trials that were ended early.
        without_value: Numbers of the trials that ended without a finite value, by what they are called.
        last: The highest number of a trial that ended.
        kept: Number and value of the trial that is kept, where it is not the last of ``best``.
    """

    title: str
    complete: Points
    best: Points
    pruned: Points
    without_value: dict[str, list[int]]
    last: int
    kept: tuple[int, float] | None = None


def history_plot(study: optuna.Study, kept: int | None = None) -> HistoryPlot:
    """Compute what the picture of the history will show."""
    trials = [trial for trial in study_trials(study) if trial.state.is_finished()]
    complete: Points = []
    best: Points = []
    pruned: Points = []
    without: dict[str, list[int]] = {}
    for trial in trials:
        value = trial.value if trial.state == TrialState.COMPLETE else _last_value(trial)
        if trial.state == TrialState.FAIL:
            without.setdefault("failed", []).append(trial.number)
        elif value is None or not isfinite(value):
            word = "pruned, no value" if trial.state == TrialState.PRUNED else "value not finite"
            without.setdefault(word, []).append(trial.number)
        elif trial.state == TrialState.PRUNED:
            pruned.append((trial.number, value))
        else:
            complete.append((trial.number, value))
            if not best or value < best[-1][1]:
                best.append((trial.number, value))
    last = trials[-1].number if trials else 0
    other = next((point for point in complete if point[0] == kept and point != best[-1]), None)
    title = f"Value of {counted(len(trials), 'trial')}, {len(complete):,} complete"
    return HistoryPlot(title, complete, best, pruned, without, last, other)


def _last_value(trial: FrozenTrial) -> float | None:
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else None


def draw_history(plot: HistoryPlot) -> Figure:
    """Draw values against trial; those without a value stand at the lower edge."""
    figure = new_column()
    axis = figure.add_subplot()
    if plot.complete:
        axis.scatter(*_columns(plot.complete), s=22, color=COLOURS[0], alpha=0.75, label="complete")
        steps = [*plot.best, (plot.last, plot.best[-1][1])]
        axis.step(*_columns(steps), where="post", color=COLOURS[1], linewidth=1.6, label="best so far")
        number, value = plot.best[-1]
        label = f"{'lowest' if plot.kept else 'best'}: {value:.5g}, trial {number}"
        axis.scatter(number, value, s=130, facecolor="none", edgecolor="black", zorder=4, label=label)
        if plot.kept:
            label = f"kept: {plot.kept[1]:.5g}, trial {plot.kept[0]}"
            axis.scatter(
                *plot.kept, s=130, marker="s", facecolor="none", edgecolor=COLOURS[2], linewidth=1.6,
                zorder=4, label=label,
            )  # fmt: skip
    if plot.pruned:
        axis.scatter(
            *_columns(plot.pruned), s=26, marker="x", linewidth=1.2, color=COLOURS[3],
            label="pruned, last value",
        )  # fmt: skip
    for i, (word, numbers) in enumerate(plot.without_value.items()):
        axis.scatter(
            numbers, [0.02 + 0.03 * i] * len(numbers), s=40, marker="|", color=COLOURS[(6, 5, 4)[i]],
            transform=axis.get_xaxis_transform(), clip_on=False, label=word,
        )  # fmt: skip
    values = [value for _, value in (*plot.complete, *plot.pruned)]
    if values:
        if len(set(values)) > 1:
            log_scale(axis, values)
        axis.margins(y=0.12)
        plain_ticks(axis.xaxis, axis.yaxis)
    else:
        axis.set_yticks([])
        say(axis, "no trial with a value yet")
    axis.set_xlim(-0.5 - plot.last / 50, plot.last + 0.5 + plot.last / 50)
    whole_ticks(axis.xaxis)
    label_axes(axis, "trial", "value of the objective (lower is better)", plot.title)
    if axis.get_legend_handles_labels()[0]:
        legend_beside(axis)
    return figure


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [number for number, _ in points], [value for _, value in points]


class ImportancesPlot(NamedTuple):
    """Shares by parameter, largest first, with what a reader must know."""

    title: str
    shares: dict[str, float]
    caution: str


def importances_plot(study: optuna.Study) -> ImportancesPlot:
    """Compute what the picture of the importances will show."""
    importances = study_importances(study)
    return ImportancesPlot(
        "Importance of the parameters, as sampled, for the best values",
        importances.shares,
        importances.caution,
    )


def draw_importances(plot: ImportancesPlot) -> Figure:
    """Draw a bar per parameter, the largest on top."""
    figure = new_column(9.0, max(2.6, 1.5 + 0.38 * len(plot.shares)))
    axis = figure.add_subplot()
    axis.set_title(plot.title, loc="left")
    if not plot.shares:
        axis.set_axis_off()
        say(axis, plot.caution)
        return figure
    rows = range(len(plot.shares))
    shares = [100 * share for share in plot.shares.values()]
    axis.barh(rows, shares, color=COLOURS[0], height=0.7)
    for row, share in zip(rows, shares, strict=True):
        axis.annotate(
            f"{share:.1f} %", (share, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
        )
    axis.set_yticks(rows, [picture_name(name) for name in plot.shares])
    axis.set_ylim(len(shares) - 0.5, -0.5)
    axis.set_xlim(0, 1.13 * max(shares))
    axis.set_xlabel("share of the importance in percent" + (f"\n{plot.caution}" if plot.caution else ""))
    axis.grid(alpha=0.3, axis="x")
    return figure


def say(axis: Axes, text: str) -> None:
    """Write words in the middle of a picture that has nothing else to show."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center")
