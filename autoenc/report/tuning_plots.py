"""Pictures of an adaptive search: its progress with minima and thresholds, and what it tried."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

import optuna

from autoenc.record.record import TUNE
from autoenc.report.plots import (
    COLOURS,
    MARKERS,
    label_axes,
    legend_beside,
    log_scale,
    new_column,
    new_figure,
    plain_ticks,
    whole_ticks,
)
from autoenc.report.tuning import TrialStep, steps_of
from autoenc.system.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AnalysisPlot", "TuneProgressPlot", "analysis_plot", "draw_analysis", "draw_tune_progress",
           "tune_progress_plot"]  # fmt: skip

_LABELLED = 6  # of the minima, the last ones
_MODES = (
    "startup", "normal", "local exploration", "conservative jump", "best of the families before", "enqueued",
)  # fmt: skip


class TuneProgressPlot(NamedTuple):
    """Trials of all families by number.

    Attributes:
        title: Says how many there are.
        families: Number and loss of each family's trials.
        minima: Number, loss and parameters of trials that were better than all before.
        thresholds: Losses by name.
    """

    title: str
    families: dict[str, list[tuple[int, float]]]
    minima: list[tuple[int, float, str]]
    thresholds: dict[str, float]


def tune_progress_plot(study: optuna.Study) -> TuneProgressPlot:
    """Compute what the picture of the progress will show."""
    note = study.user_attrs[TUNE]
    done = [step for step in steps_of(study) if step.value is not None]
    families: dict[str, list[tuple[int, float]]] = {}
    for step in done:
        families.setdefault(step.family, []).append((step.trial.number, step.value or 0.0))
    minima = [(step.trial.number, step.value or 0.0, _label(step)) for step in done if step.improved]
    shares = {name: note["settings"][f"{name}_threshold"] for name in note["thresholds"]}
    thresholds = {f"{name} ({shares[name]:g} x PCA)": loss for name, loss in note["thresholds"].items()}
    count = f"{len(done):,} of {counted(note['settings']['n_trials'], 'trial')}"
    title = f"{note['settings']['strategy']}: {count}, latent size {note['settings']['latent_dim']}"
    return TuneProgressPlot(title, families, minima, thresholds)


def _label(step: TrialStep) -> str:
    p = step.trial.params
    words = f"lr {p['learning_rate']:.2g}, dropout {p['dropout']:.2f}, batch {p['batch_size']}"
    return f"{step.value:.5f}  {step.stack}\n{words}, {p['activation']}, {p['norm']}"


def draw_tune_progress(plot: TuneProgressPlot) -> Figure:
    """Draw losses against trial, minima circled, thresholds as lines."""
    figure = new_column(10.5, 6.0)
    axis = figure.add_subplot()
    for i, (family, points) in enumerate(plot.families.items()):
        axis.scatter(
            [number for number, _ in points], [loss for _, loss in points], s=28, color=COLOURS[i],
            marker=MARKERS[i], alpha=0.8, label=family,
        )  # fmt: skip
    losses = [loss for points in plot.families.values() for _, loss in points]
    if plot.minima:
        last = max(number for points in plot.families.values() for number, _ in points)
        steps = [*plot.minima, (last, plot.minima[-1][1], "")]
        axis.step([s[0] for s in steps], [s[1] for s in steps], where="post", color="black", linewidth=1,
                  label="best so far")  # fmt: skip
        axis.scatter([m[0] for m in plot.minima], [m[1] for m in plot.minima], s=120, facecolor="none",
                     edgecolor="black", label="minimum", zorder=4)  # fmt: skip
    for i, (name, loss) in enumerate(plot.thresholds.items()):
        axis.axhline(
            loss, linestyle=("--", "-.", ":")[i % 3], color=COLOURS[3 + i], linewidth=1.3, label=name
        )
    if losses:
        log_scale(axis, [*losses, *plot.thresholds.values()])
        axis.margins(y=0.16)
        plain_ticks(axis.xaxis, axis.yaxis)
    for letter, (number, loss, label) in zip(ascii_uppercase, plot.minima[-_LABELLED:], strict=False):
        axis.annotate(
            letter, (number, loss), xytext=(0, -19), textcoords="offset points", ha="center", fontsize=9
        )
        axis.scatter([], [], marker=f"${letter}$", color="black", s=50, label=label)
    _finish(axis, "validation loss", plot.title)
    legend_beside(axis, fontsize=8.5)
    return figure


def _finish(axis: Axes, ylabel: str, title: str) -> None:
    label_axes(axis, "trial", ylabel, title)
    whole_ticks(axis.xaxis)


class AnalysisPlot(NamedTuple):
    """The trials of a search; every list runs along ``numbers``."""

    numbers: list[int]
    losses: list[float]
    modes: list[str]
    parameters: list[int]
    learning_rates: list[float]
    best: list[float]
    since_improvement: list[int]
    family_starts: dict[str, int]


def analysis_plot(study: optuna.Study) -> AnalysisPlot:
    """Compute what the detailed picture will show."""
    plot = AnalysisPlot([], [], [], [], [], [], [], {})
    for step in steps_of(study):
        plot.family_starts.setdefault(step.family, step.trial.number)
        if step.value is None:
            continue
        plot.numbers.append(step.trial.number)
        plot.losses.append(step.value)
        plot.modes.append(step.mode)
        plot.parameters.append(step.trial.user_attrs["model_params"])
        plot.learning_rates.append(step.trial.params["learning_rate"])
        plot.best.append(min([step.value, *plot.best[-1:]]))
        waited = plot.since_improvement[-1] + 1 if plot.since_improvement else 0
        plot.since_improvement.append(0 if step.improved else waited)
    return plot


def draw_analysis(plot: AnalysisPlot) -> Figure:
    """Draw loss by mode, size, learning rate, and trials since the last improvement."""
    figure = new_figure(12.0, 8.0)
    loss, size, rate, waited = figure.subplots(2, 2, sharex=True).flat
    for i, mode in enumerate(dict.fromkeys((*_MODES, *plot.modes))):  # a mode unknown here is drawn, too
        at = [k for k, mode_of_trial in enumerate(plot.modes) if mode_of_trial == mode]
        if at:
            loss.scatter(
                [plot.numbers[k] for k in at], [plot.losses[k] for k in at], s=30, alpha=0.85,
                color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], label=mode or "unknown",
            )  # fmt: skip
    if plot.numbers:
        loss.step(plot.numbers, plot.best, where="post", color="black", linewidth=1, label="best so far")
        log_scale(loss, plot.losses)
        size.scatter(plot.numbers, plot.parameters, s=24, color=COLOURS[0])
        size.set_yscale("log")
        rate.scatter(plot.numbers, plot.learning_rates, s=24, color=COLOURS[1])
        rate.set_yscale("log")
        waited.step(plot.numbers, plot.since_improvement, where="mid", color=COLOURS[2])
        loss.legend(fontsize=8, loc="best")
    titles = ("Loss, by how the trial was proposed", "Size of the network", "Learning rate",
              "Trials since the last improvement")  # fmt: skip
    labels = ("validation loss", "trainable parameters", "first learning rate", "trials")
    for axis, title, label in zip((loss, size, rate, waited), titles, labels, strict=True):
        _finish(axis, label, title)
        plain_ticks(axis.xaxis, axis.yaxis)
        for family, start in plot.family_starts.items():
            if len(plot.family_starts) > 1:
                axis.axvline(start - 0.5, color="0.6", linewidth=0.8)
                axis.text(
                    start - 0.3, 0.98, family, transform=axis.get_xaxis_transform(), va="top", fontsize=8
                )
    return figure
